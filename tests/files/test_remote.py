"""URLs name traces on S3, on a web server and in memory; a line says what is wrong with one."""

from __future__ import annotations

import functools
import http.server
import shutil
import sys
import threading
from typing import TYPE_CHECKING

import pytest

import tp_tools as tp_tools_api
from fixtures.make import HERE
from tests.support.command_line import TpTools, kernel, write_trace
from tests.support.web import served
from tp_tools.errors import InputError, UsageError
from tp_tools.files import copies, remote
from tp_tools.files.source import Source
from tp_tools.files.sources import source_of
from tp_tools.merging import read_rank
from tp_tools.merging.probe import probe
from tp_tools.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

fsspec = pytest.importorskip("fsspec", reason="URLs want fsspec")
moto_server = pytest.importorskip("moto.server", reason="the S3 server of these tests is moto's")
boto3 = pytest.importorskip("boto3")
pytest.importorskip("s3fs")

GLOO = HERE / "gloo4"
DECODE = HERE / "pdl_decode.json.gz"


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """The URL of a bucket on an S3 server, with the four ranks of a job and a trace in it."""
    server = moto_server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    names = {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in names.items():
            patch.setenv(name, value)
        client = boto3.client("s3")
        client.create_bucket(Bucket="traces")
        for file in sorted(GLOO.iterdir()):
            client.upload_file(str(file), "traces", f"job/{file.name}")
        client.upload_file(str(DECODE), "traces", f"one/{DECODE.name}")
        yield "s3://traces"
    server.stop()


@pytest.fixture
def tp_tools(capfdbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capfdbinary)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, which is the current one."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("query", ["ops", "collectives_by_rank"])
@pytest.mark.parametrize("form", ["{}/job", "{}/job/", "{}/job/*.json.gz"])
def test_rows_of_a_bucket_are_those_of_its_files(
    bucket: str, tp_tools: TpTools, query: str, form: str
) -> None:
    """A folder or pattern of S3 gives the bytes that the same files on this machine give."""
    local = tp_tools("query", query, GLOO, "--format", "csv")
    there = tp_tools("query", query, form.format(bucket), "--format", "csv")
    assert (there.code, there.out) == (0, local.out)
    assert len(local.out.splitlines()) > 1


def test_folders_and_patterns_without_a_trace_say_what_those_of_this_machine_do(
    bucket: str, tp_tools: TpTools
) -> None:
    """Folders below that hold traces are named, and a pattern that matches nothing is one."""
    for name in ("/none*.json", "/*/nothing*"):
        there, local = tp_tools("info", f"{bucket}{name}"), tp_tools("info", f"{HERE}{name}")
        assert there.code == 3
        assert there.err.replace(bucket, str(HERE)) == local.err
    said = tp_tools("info", bucket).err
    folders = f"its folders do: {bucket}/job, {bucket}/one. Give one of them."
    assert said == f"tp-tools: {bucket}: holds no trace itself, {folders}\n"


@pytest.mark.parametrize("command", ["info", "diagnose"])
def test_other_commands_take_urls(bucket: str, tp_tools: TpTools, command: str) -> None:
    """They say of a bucket what they say of its files, under its name."""
    local, there = tp_tools(command, GLOO), tp_tools(command, f"{bucket}/job")
    assert there.code == 0
    assert there.out.decode().replace(f"{bucket}/job", str(GLOO)) == local.out.decode()


def test_a_trace_of_a_bucket_is_repaired_here(bucket: str, tp_tools: TpTools, here: Path) -> None:
    """The copy of fix lies in the current folder, with the bytes that a local trace gives."""
    there = tp_tools("fix", f"{bucket}/one/{DECODE.name}")
    assert there.code == 0, there.err
    shutil.copy(DECODE, here / "local.json.gz")
    assert tp_tools("fix", here / "local.json.gz").code == 0
    fixed = (here / "pdl_decode.fixed.json.gz").read_bytes()
    assert fixed == (here / "local.fixed.json.gz").read_bytes()
    assert f"{bucket}/one/{DECODE.name}" in tp_tools("fix", f"{bucket}/one/", "--check").err


def test_ranks_of_a_bucket_are_merged_here(bucket: str, tp_tools: TpTools, here: Path) -> None:
    """The merge is named for the folder in the bucket, and holds what a local merge does."""
    merged = tp_tools("merge", f"{bucket}/job")
    assert merged.code == 0, merged.err
    assert tp_tools("merge", GLOO, "-o", here / "local.json.gz").code == 0
    counts = [tp_tools("query", "ops", it, "--format", "csv").out for it in sorted(here.iterdir())]
    assert [it.name for it in sorted(here.iterdir())] == ["job.merged.json.gz", "local.json.gz"]
    assert counts[0] == counts[1] != b""


@pytest.mark.parametrize(
    ("url", "code", "said"),
    [
        ("s3://nowhere/x.json", 3, "no such file, folder or bucket"),
        ("{}/job/rank9.json.gz", 3, "no such file, folder or bucket"),
        ("{}/*.json", 3, "matches no file"),
        ("{}", 3, "holds no trace itself"),
        ("http://127.0.0.1:9/rank0.json", 3, "cannot be read"),
        ("nowhere://x/rank0.json", 2, "fsspec knows no such protocol"),
    ],
)
def test_what_is_wrong_is_said_in_a_line(
    bucket: str, tp_tools: TpTools, url: str, code: int, said: str
) -> None:
    """A URL that cannot be read ends in one line with its name, and the exit code of bad input."""
    ran = tp_tools("info", url.format(bucket))
    assert ran.code == code
    assert said in ran.err
    assert ran.err.startswith(f"tp-tools: {url.format(bucket)}: ")
    assert len(ran.err.splitlines()) == 1


def test_missing_credentials_are_said(
    bucket: str, tp_tools: TpTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without keys the line names them."""
    import s3fs  # noqa: PLC0415  it may be missing

    s3fs.S3FileSystem.clear_instance_cache()
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", "/nonexistent")
    ran = tp_tools("info", f"{bucket}/job")
    s3fs.S3FileSystem.clear_instance_cache()
    assert ran.code == InputError.exit_code
    assert "credentials" in ran.err


@pytest.mark.parametrize(
    ("missing", "url", "said"),
    [
        ("gcsfs", "gs://bucket/x.json", "pip install gcsfs"),
        ("s3fs", "s3a://bucket/x.json", "pip install s3fs"),
        ("fsspec", "s3://bucket/x.json", "pip install s3fs"),
    ],
)
def test_a_missing_package_is_named(
    monkeypatch: pytest.MonkeyPatch, missing: str, url: str, said: str
) -> None:
    """A protocol whose package is not installed says what to install."""
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(UsageError, match=said):
        remote.look_up(url)


def test_results_go_to_files_of_this_machine(bucket: str, tp_tools: TpTools) -> None:
    """A URL as an output is refused before any work is done."""
    ran = tp_tools("merge", f"{bucket}/job", "-o", f"{bucket}/all.json.gz")
    assert ran.code == UsageError.exit_code
    assert "Results go to files of this machine" in ran.err


def test_a_web_server_gives_traces(tp_tools: TpTools) -> None:
    """A file of a plain web server, and the files that the page of a folder links to."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            """Say nothing."""

    handler = functools.partial(Quiet, directory=str(GLOO))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}/"
        one = tp_tools("query", "ops", f"{url}rank0.json.gz", "--format", "csv")
        job = tp_tools("query", "collectives_by_rank", url, "--format", "csv")
        server.shutdown()
    assert one.out == tp_tools("query", "ops", GLOO / "rank0.json.gz", "--format", "csv").out
    assert job.out == tp_tools("query", "collectives_by_rank", GLOO, "--format", "csv").out


@pytest.fixture
def in_memory(tmp_path: Path) -> Iterator[str]:
    """The URL of a trace in fsspec's memory."""
    system = fsspec.filesystem("memory")
    trace = write_trace(tmp_path / "t.json", kernel("k", 1, 2))
    system.pipe_file("/job/rank0.json", trace.read_bytes())
    yield "memory://job/rank0.json"
    system.rm("/job", recursive=True)


class Stages(Reporter):
    """Keeps the texts of stages, and the sum of their bytes."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.done = 0

    def advance(self, size: int) -> None:
        """Adds bytes."""
        self.done += size

    def stage(self, doing: str, total: int | None = None, then: str | None = None):  # noqa: ANN201
        """Keeps the text of a stage."""
        self.texts.append(doing)
        return super().stage(doing, total, then)


def test_a_copy_is_fetched_once(in_memory: str, tmp_path: Path) -> None:
    """The first reading fetches the file with a stage of its own; the second reads the copy."""
    reporter = Stages()
    with copies.kept(tmp_path):
        source = source_of(in_memory, is_whole=True)
        size = source.size()
        text = b"".join(source.blocks(reporter))
        assert reporter.texts == [f"fetching {in_memory}"]
        assert reporter.done == 2 * size == 2 * len(text)
        fsspec.filesystem("memory").pipe_file("/job/rank0.json", b"")
        assert b"".join(source.blocks(reporter)) == text
    assert len(reporter.texts) == 1


def test_a_file_is_streamed_where_no_copies_are_kept(in_memory: str) -> None:
    """Without a place for its copy a file is read from the server each time."""
    source = source_of(in_memory)
    assert next(source.blocks()) == next(source.blocks())
    assert isinstance(source, Source)
    assert not source.path.exists()


def test_a_rank_reads_the_copy_of_the_machine_that_works_on_it(
    in_memory: str, tmp_path: Path
) -> None:
    """A machine that lacks the copy of another fetches one of its own, and reads no other."""
    machines = [tmp_path / name for name in ("asks", "reads", "writes")]
    for machine in machines:
        machine.mkdir()
    with copies.kept(machines[0]):
        source = source_of(in_memory, is_whole=True)
    spool = tmp_path / "0.rank"
    with copies.kept(machines[1]) as kept:
        assert read_rank.read_rank(source, spool, None, based=True).file == in_memory
        content = kept.content(in_memory)
    assert content == fsspec.filesystem("memory").cat_file("/job/rank0.json")
    fsspec.filesystem("memory").pipe_file("/job/rank0.json", b"")
    with copies.kept(machines[2]) as kept:
        kept.put(in_memory, content)
        assert b"".join(read_rank.load_rank(spool).source.blocks()) == content
    assert not list(machines[0].rglob("*.json"))


def large_ranks(folder: Path, *, stated: bool) -> list[int]:
    """Write two ranks of 2 MB, with or without their numbers in them; return their sizes."""
    folder.mkdir()
    sizes = []
    for rank in range(2):
        events = (kernel("k", 10 * at, 2, args={"filler": "x" * 2000}) for at in range(1000))
        path = folder / f"rank{rank}.json"
        write_trace(path, *events, rank=rank if stated else None)
        sizes.append(path.stat().st_size)
    return sizes


@pytest.mark.parametrize(
    ("command", "heads"),
    [
        (("query", "kernels"), 1),
        (("query", "collectives_by_rank"), 1),
        (("info",), 1),
        (("fix",), 1),
        (("diagnose",), 1),
        (("merge", "--align", "base"), 1),
        (("report",), 0),
    ],
)
@pytest.mark.parametrize("stated", [True, False])
def test_a_server_gives_each_file_once(
    tp_tools: TpTools, here: Path, command: tuple[str, ...], heads: int, *, stated: bool
) -> None:
    """A command asks for the head of a large file to tell its rank, and once for all of it.

    So it does where no rank stands in the head, and the whole file is searched for one.
    """
    if command == ("report",):
        pytest.importorskip("plotly")
    sizes = large_ranks(here / "job", stated=stated)
    with served(here / "job") as web:
        ran = tp_tools(*command, web.url)
    assert ran.code == 0, ran.err
    expected = {f"rank{rank}.json": size + heads * copies.HEAD for rank, size in enumerate(sizes)}
    assert web.served == expected


API: dict[str, Callable[[str], object]] = {
    "query": lambda url: tp_tools_api.query("kernels", url),
    "merge": lambda url: tp_tools_api.merge(url, "all.json", align="base"),
    "info": tp_tools_api.info,
    "diagnose": tp_tools_api.diagnose,
}


@pytest.mark.parametrize("name", API)
def test_the_api_asks_for_each_file_once(here: Path, name: str) -> None:
    """As commands do, for the head and once for the file."""
    sizes = large_ranks(here / "job", stated=True)
    with served(here / "job") as web:
        API[name](web.url)
    expected = {f"rank{rank}.json": size + copies.HEAD for rank, size in enumerate(sizes)}
    assert web.served == expected


@pytest.mark.parametrize("knows_ranges", [True, False])
def test_small_files_and_servers_without_ranges_give_each_file_once(
    tp_tools: TpTools, here: Path, *, knows_ranges: bool
) -> None:
    """There is no head that is fetched apart: the file is fetched to look at it, and read then."""
    folder = GLOO
    if not knows_ranges:
        folder = here / "job"
        large_ranks(folder, stated=True)
    with served(folder, knows_ranges=knows_ranges) as web:
        ran = tp_tools("query", "ops", web.url)
    assert ran.code == 0, ran.err
    assert web.served == {it.name: it.stat().st_size for it in folder.iterdir()}


def test_copies_that_were_only_looked_at_are_bounded(here: Path) -> None:
    """Files that state no rank are read whole to find one; past the bound no copy of them stays."""
    sizes = large_ranks(here / "job", stated=False)
    (here / "copies").mkdir()
    with served(here / "job") as web, copies.kept(here / "copies", most=sizes[0]):
        for rank in range(2):
            found = probe(f"{web.url}rank{rank}.json", is_given=False)
            assert found.metadata.rank is None
            assert not found.error
    assert [it.name for it in (here / "copies").rglob("*.json")] == ["rank0.json"]
    assert web.served["rank1.json"] >= sizes[1]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("s3://bucket/job/", True),
        ("hf://datasets/x/y.json", True),
        ("http://host/x.json?a=b", True),
        ("traces/rank0.json", False),
        ("C:\\traces\\rank0.json", False),
        ("-", False),
        ("exp://", True),
    ],
)
def test_urls_are_told_from_paths(name: str, *, expected: bool) -> None:
    """A protocol and two slashes make a URL; a drive of Windows does not."""
    assert remote.is_url(name) is expected


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("s3://bucket/rank?.json", True),
        ("s3://bucket/rank0.json", False),
        ("https://host/rank0.json?X-Amz-Signature=ab", False),
        ("https://host/*.json", True),
    ],
)
def test_patterns_are_told_from_urls(url: str, *, expected: bool) -> None:
    """A question mark makes a pattern, but not of the web, where a query follows it."""
    assert remote.is_pattern(url) is expected
