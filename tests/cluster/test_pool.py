"""Ray does calls in order, a few at a time, and again where a worker or a machine is lost."""

from __future__ import annotations

import os
import signal
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from fixtures.make import HERE
from tests.support.command_line import TpTools, kernel, write_trace
from tests.support.web import served
from tp_tools.cluster import ClusterPool, opened
from tp_tools.errors import InputError, TaskLost, Unreachable, UsageError
from tp_tools.files.sources import source_of
from tp_tools.processes.worker import FileCall

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.processes.worker import Call

ray = pytest.importorskip("ray", reason="there is no Ray for this Python, or it is not installed")
cluster_utils = pytest.importorskip("ray.cluster_utils")

GLOO = HERE / "gloo4"
LARGE = 1 << 20
"""Bytes that Ray keeps on the machine where they were written, and not with the caller."""

pytestmark = pytest.mark.filterwarnings("default")  # of Ray itself


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """A cluster of two machines, each with a CPU, to which this process is connected."""
    head = {"num_cpus": 1, "include_dashboard": False}
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
        try:
            machines = cluster_utils.Cluster(initialize_head=True, head_node_args=head)
            # before the second machine comes, which a test takes away
            ray.init(address=machines.address, log_to_driver=False)
            machines.add_node(num_cpus=1)
        except Exception as error:  # noqa: BLE001  Ray gives up after 30 s, with this class itself
            pytest.skip(f"this machine is too busy to start Ray: {error}")
        yield machines
        ray.shutdown()
        machines.shutdown()


@pytest.fixture
def pool(cluster: object) -> Iterator[ClusterPool]:
    """The CPUs of the cluster."""
    assert cluster
    with opened("auto") as of_cluster:
        yield of_cluster


def tried(folder: Path) -> int:
    """Counts how often it is called."""
    count = len(list(folder.iterdir()))
    (folder / str(count)).touch()
    return count + 1


def fail(folder: Path, kind: type[Exception], times: int) -> str:
    """Raises an error the first times."""
    if tried(folder) <= times:
        raise kind("no luck")
    return "done"


def die(folder: Path, times: int) -> str:
    """Kills its worker the first times."""
    if tried(folder) <= times:
        os.kill(os.getpid(), signal.SIGKILL)
    return "done"


def write(number: int, path: Path) -> int:
    """Writes a file."""
    path.write_bytes(b"%d" % number * LARGE)
    return os.getpid()


def enlarge(by: int, source: Path, target: Path) -> int:
    """Copies a file, and more of it."""
    target.write_bytes(source.read_bytes() * by)
    return len(list(source.parent.iterdir()))


def test_results_come_in_order_and_few_at_a_time(pool: ClusterPool) -> None:
    """Two calls for each CPU are in flight, however many there are."""
    taken: list[int] = []

    def calls() -> Iterator[Call[int]]:
        for number in range(12):
            taken.append(number)
            yield partial(pow, number, 2)

    for number, square in enumerate(pool.map_ordered(calls())):
        assert square == number**2
        assert len(taken) <= number + 2 * pool.cpus
    assert (pool.size, len(taken)) == (2, 12)


def test_files_go_from_task_to_task(pool: ClusterPool, tmp_path: Path) -> None:
    """What a task keeps is not written here, what it returns is; each sees its own files alone."""
    kept, part = tmp_path / "0.rank", tmp_path / "0.part"
    assert list(pool.map_ordered([FileCall(partial(write, 7), keeps=(kept,))])) != [os.getpid()]
    assert list(tmp_path.iterdir()) == []
    copy = FileCall(partial(enlarge, 2), reads=(kept,), returns=(part,))
    assert list(pool.map_ordered([copy])) == [2]
    assert part.read_bytes() == b"7" * 2 * LARGE
    assert list(tmp_path.iterdir()) == [part]


def read_url(url: str) -> int:
    """Reads all of a file."""
    return sum(map(len, source_of(url, is_whole=True).blocks()))


def test_an_input_is_fetched_once(pool: ClusterPool, tmp_path: Path) -> None:
    """The second task gets the file that the first one fetched, wherever it runs.

    The last to read it says so, and Ray may forget it.
    """
    size = len(write_trace(tmp_path / "rank0.json", kernel("k", 1, 2)).read_bytes())
    with served(tmp_path) as web:
        url = f"{web.url}rank0.json"
        first = FileCall(partial(read_url, url), inputs=(url,), keeps_inputs=True)
        assert list(pool.map_ordered([first])) == [size]
        assert list(pool.inputs) == [url]
        assert (
            list(pool.map_ordered([first, FileCall(partial(read_url, url), inputs=(url,))]))
            == [size] * 2
        )
        assert not pool.inputs
    assert web.served == {"rank0.json": size}


@pytest.mark.parametrize(
    "command",
    [
        ("query", "kernels"),
        ("query", "collectives_by_rank"),
        ("query", "collectives_by_rank,kernels"),
        ("info",),
        ("fix", "--all"),
        ("diagnose",),
        ("merge",),
    ],
)
def test_a_server_gives_each_file_once(
    pool: ClusterPool,
    capfdbinary: pytest.CaptureFixture[bytes],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: tuple[str, ...],
) -> None:
    """The tasks that tell ranks apart, read them and write them fetch each file once."""
    assert pool
    monkeypatch.chdir(tmp_path)
    with served(GLOO) as web:
        ran = TpTools(capfdbinary)(*command, web.url, "--ray", "auto")
    assert ran.code == 0, ran.err
    assert web.served == {it.name: it.stat().st_size for it in GLOO.iterdir()}


def test_a_killed_worker_loses_nothing(pool: ClusterPool, tmp_path: Path) -> None:
    """Its task is done again."""
    assert list(pool.map_ordered([partial(die, tmp_path, 1)])) == ["done"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_server_is_tried_again(pool: ClusterPool, tmp_path: Path) -> None:
    """An error of reaching a server may be gone another time."""
    assert list(pool.map_ordered([partial(fail, tmp_path, Unreachable, 2)])) == ["done"]


@pytest.mark.parametrize(
    ("kind", "expected", "said", "tries"),
    [
        (InputError, InputError, "^no luck$", 1),
        (Unreachable, Unreachable, "^no luck$", 7),
        (OSError, TaskLost, "its task failed 7 times: OSError: no luck.", 7),
    ],
)
def test_what_fails_each_time_fails(  # noqa: PLR0917  pytest passes all by name
    pool: ClusterPool,
    tmp_path: Path,
    kind: type[Exception],
    expected: type[Exception],
    said: str,
    tries: int,
) -> None:
    """A bad input fails at once, what is of no known cause after six retries; others go on."""
    calls: list[Call[Any]] = [partial(fail, tmp_path, kind, 9), partial(pow, 3, 2)]
    first, second = pool.outcomes(calls)
    assert second() == 9
    with pytest.raises(expected, match=said):
        first()
    assert len(list(tmp_path.iterdir())) == tries


def test_a_worker_that_is_killed_each_time_is_given_up(pool: ClusterPool, tmp_path: Path) -> None:
    """The error says how often it was tried."""
    few = ClusterPool(cpus=pool.cpus, retries=1)
    (outcome,) = few.outcomes([partial(die, tmp_path, 9)])
    with pytest.raises(TaskLost, match="its task failed 2 times: WorkerCrashedError"):
        outcome()


@pytest.mark.parametrize("query", ["allreduce", "ops"])
def test_rows_are_those_without_ray(
    pool: ClusterPool, capfdbinary: pytest.CaptureFixture[bytes], query: str
) -> None:
    """A query about the job and one about each rank give the same bytes, and say the same."""
    assert pool
    tp_tools = TpTools(capfdbinary)
    here = tp_tools("query", query, GLOO, "--format", "csv")
    there = tp_tools("query", query, GLOO, "--format", "csv", "--ray", "auto")
    assert (there.code, there.out, there.err) == (0, here.out, here.err)
    assert len(here.out.splitlines()) > 4


@pytest.mark.parametrize("command", ["info", "diagnose"])
def test_what_is_said_is_the_same(
    pool: ClusterPool, capfdbinary: pytest.CaptureFixture[bytes], command: str
) -> None:
    """What info and diagnose say of a job does not depend on who worked on its ranks."""
    assert pool
    tp_tools = TpTools(capfdbinary)
    here = tp_tools(command, GLOO, "--format", "json")
    there = tp_tools(command, GLOO, "--format", "json", "--ray", "auto")
    assert (there.code, there.out, there.err) == (0, here.out, here.err)


def test_repaired_files_and_a_page_are_the_same(
    pool: ClusterPool, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path
) -> None:
    """Other machines repair ranks, and ask them for the report; the files come back."""
    pytest.importorskip("plotly")
    assert pool
    tp_tools = TpTools(capfdbinary)
    said = []
    for folder, more in (("here", ()), ("there", ("--ray", "auto"))):
        out = tmp_path / folder
        out.mkdir()
        fixed = tp_tools("fix", GLOO, "-o", out, "--all", *more)
        page = tp_tools("report", GLOO, "-o", out / "report.html", *more)
        assert (fixed.code, page.code) == (0, 0), (fixed.err, page.err)
        said.append((fixed.err + page.err).replace(folder, ""))
    assert said[0] == said[1]
    names = sorted(it.name for it in (tmp_path / "here").iterdir())
    assert len(names) == 5
    for name in names:
        there = (tmp_path / "there" / name).read_bytes()
        assert there == (tmp_path / "here" / name).read_bytes() != b""


@pytest.mark.parametrize("name", ["all.pftrace", "all.json.gz"])
def test_merges_are_the_same(
    pool: ClusterPool, capfdbinary: pytest.CaptureFixture[bytes], tmp_path: Path, name: str
) -> None:
    """Ranks that other machines read and wrote make the same file, byte for byte."""
    assert pool
    tp_tools = TpTools(capfdbinary)
    for folder, more in (("here", ()), ("there", ("--ray", "auto"))):
        (tmp_path / folder).mkdir()
        assert tp_tools("merge", GLOO, "-o", tmp_path / folder / name, *more).code == 0
    refused = tp_tools("merge", GLOO, "-o", tmp_path / "x.json", "--verify", "--ray", "auto")
    assert refused.code == UsageError.exit_code
    merged = (tmp_path / "there" / name).read_bytes()
    assert merged == (tmp_path / "here" / name).read_bytes() != b""


def test_a_machine_that_leaves_loses_nothing(
    cluster: Any,  # noqa: ANN401  Ray has no types
    pool: ClusterPool,
    tmp_path: Path,
) -> None:
    """Files that were kept on it are made again, by the tasks that wrote them."""
    kept = [tmp_path / f"{number}.rank" for number in range(4)]
    calls = (FileCall(partial(write, number), keeps=(it,)) for number, it in enumerate(kept))
    assert len(list(pool.map_ordered(calls))) == 4
    cluster.remove_node(cluster.list_all_nodes()[-1])
    cluster.add_node(num_cpus=1)
    parts = [it.with_suffix(".part") for it in kept]
    copies = (
        FileCall(partial(enlarge, 1), reads=(it,), returns=(part,))
        for it, part in zip(kept, parts, strict=True)
    )
    assert list(pool.map_ordered(copies)) == [2] * 4
    assert [part.read_bytes() for part in parts] == [b"%d" % it * LARGE for it in range(4)]
