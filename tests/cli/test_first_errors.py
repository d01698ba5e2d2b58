"""The errors that a person meets first: a line with what to do next, and nothing left behind."""

# ruff: noqa: E501  the texts stand here as they are said

from __future__ import annotations

import errno
import gzip
import json
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
import pytest

from fixtures.make import HERE
from tests.support.command_line import TpTools
from tp_tools.merging import read_rank

if TYPE_CHECKING:
    from collections.abc import Sequence
    from subprocess import Popen
    from typing import IO

ADVICE = " Give the file that the profiler wrote."

FAILED, USAGE, INPUT = 4, 2, 3
DECODE = HERE / "pdl_decode.json.gz"
SUFFIXES = ".json, .json.gz, .json.zst, .pftrace, .pftrace.gz"
NO_TRACE = (
    "is no trace that Perfetto knows. Give the file that the profiler wrote: .json, .json.gz, "
    ".pftrace..."
)
RECORD = "tp-tools reads what torch.profiler writes: prof.export_chrome_trace('trace.json.gz')."
NO_SUCH_OPTION = " ".join(
    click.NoSuchOption("--forc", possibilities=["--force"]).format_message().split()
)
"""As the version of click words it that is installed."""

NO_ENGINE = "--engine takes embedded, native, or the path of a trace_processor_shell"


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line."""
    return TpTools(capsysbinary)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the test works: files of every kind that people give by mistake."""
    (tmp_path / "temporary").mkdir()
    work = tmp_path / "work"
    for name in ("traces", "none", "two"):
        (work / name).mkdir(parents=True)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.chdir(work)
    data = DECODE.read_bytes()
    for name in ("rank0.json.gz", "two/a-rank0.json.gz", "two/b-rank0.json.gz"):
        (work / name).write_bytes(data)
    events = json.loads(gzip.decompress(data))
    del events["distributedInfo"]
    (work / "traces/rank0.json").write_text(json.dumps(events))
    for name in ("out.json", "out.csv", "out.html"):
        (work / name).write_text("mine")
    (work / "empty.json").touch()
    (work / "cut.json.gz").write_bytes(data[:30])
    (work / "damaged.json.gz").write_bytes(data[:2000] + b"xx" + data[2002:])
    (work / "notes.json").write_text("hello")
    (work / "model.json").write_bytes(pickle.dumps({"a": 1}))
    (work / "binary.json").write_bytes(b"\x7fELF\x02\x01\x01" + bytes(100))
    (work / "other.json").write_text('{"a": 1}')
    (work / "nothing.json").write_text("[]")
    (work / "t.zip").write_bytes(b"PK\x03\x04" + bytes(100))
    (work / "t.pftrace").write_bytes(b"\x0a\x02\x40\x01")
    (work / "wrong.sql").write_text("SELECT")
    (work / "shell").touch(mode=0o644)
    return work


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {
        str(it.relative_to(folder)): it.read_bytes() for it in folder.rglob("*") if it.is_file()
    }


TABLE: list[tuple[str, int, str]] = [
    # no such file
    ("fix nosuch.json", INPUT, "nosuch.json: no such file. Check the path."),
    ("fix rank0.json", INPUT, "rank0.json: no such file. Did you mean rank0.json.gz?"),
    ("view rnak0.json.gz", INPUT, "rnak0.json.gz: no such file. Did you mean rank0.json.gz?"),
    (
        "info traces/rank1.json",
        INPUT,
        "traces/rank1.json: no such file. Did you mean traces/rank0.json?",
    ),
    ("query kernels nosuch.json", INPUT, "nosuch.json: no such file. Check the path."),
    (
        "merge rank0.json.gz nosuch.json -o m.json",
        INPUT,
        "nosuch.json: no such file. Check the path.",
    ),
    ("report a/b.json -o r.html", INPUT, "a/b.json: no such file: there is no folder a."),
    (
        "info rank0.json.gz/x.json",
        INPUT,
        "rank0.json.gz/x.json: no such file: there is no folder rank0.json.gz.",
    ),
    ("info 'x*.json'", INPUT, "x*.json: matches no file. Check the pattern, or give the folder."),
    # a folder
    *(
        (
            f"{command} none{more}",
            INPUT,
            "none: holds no trace (.json, .json.gz, .json.zst, .pftrace...). Give the folder that does, or files by name.",
        )
        for command, more in (
            ("fix", ""),
            ("info", ""),
            ("query kernels", ""),
            ("merge", " -o m.json"),
            ("report", " -o r.html"),
        )
    ),
    # not a trace
    *(
        (f"{command}", INPUT, "empty.json: is empty. Was the profiler stopped before it wrote?")
        for command in (
            "fix empty.json",
            "view empty.json",
            "info empty.json",
            "query kernels empty.json",
            "merge empty.json -o m.json",
            "report empty.json -o r.html",
        )
    ),
    (
        "fix cut.json.gz",
        INPUT,
        "cut.json.gz: holds no text. Was the profiler stopped before it wrote?",
    ),
    (
        "info cut.json.gz",
        INPUT,
        "cut.json.gz: holds no text. Was the profiler stopped before it wrote?",
    ),
    *(
        (f"{command} {file}{more}", INPUT, f"{file}: {NO_TRACE}")
        for file in ("notes.json",)
        for command, more in (
            ("info", ""),
            ("view", ""),
            ("query kernels", ""),
            ("report", " -o r.html"),
        )
    ),
    *(
        (f"{command} {file}{more}", INPUT, f"{file}: is {said}. {RECORD}")
        for file, said in (
            ("model.json", "a Python pickle"),
            ("binary.json", "a program or a core dump"),
        )
        for command, more in (
            ("fix", ""),
            ("info", ""),
            ("view", ""),
            ("query kernels", ""),
            ("merge", " -o m.json"),
            ("report", " -o r.html"),
        )
    ),
    (
        "fix notes.json",
        INPUT,
        "notes.json: is not a Chrome JSON trace: it begins with b'h', at byte 0 of its text."
        + ADVICE,
    ),
    (
        "fix other.json",
        INPUT,
        "other.json: has no traceEvents array: not a Chrome JSON trace." + ADVICE,
    ),
    (
        "query kernels nothing.json",
        INPUT,
        "nothing.json: holds no events. Was the profiler stopped before it recorded?",
    ),
    ("fix t.zip", INPUT, "t.zip: is a zip archive. Unpack it, then give the trace in it."),
    (
        "merge t.pftrace -o m.json",
        INPUT,
        "t.pftrace: is a Perfetto trace. Ranks are merged from the Chrome JSON that the profiler wrote: give that.",
    ),
    # the output
    *(
        (
            f"{command} -o out{suffix}",
            USAGE,
            f"out{suffix}: exists. Give --force to replace it, or another name with -o.",
        )
        for command, suffix in (
            ("fix rank0.json.gz", ".json"),
            ("merge traces", ".json"),
            ("query kernels rank0.json.gz", ".csv"),
            ("report traces", ".html"),
        )
    ),
    *(
        (
            f"{command} -o no/out{suffix}",
            FAILED,
            f"no/out{suffix}: its folder does not exist. Create it first.",
        )
        for command, suffix in (
            ("fix rank0.json.gz", ".json"),
            ("merge traces", ".json"),
            ("query kernels rank0.json.gz", ".csv"),
            ("report traces", ".html"),
        )
    ),
    *(
        (f"{command} -o none", USAGE, "none: is a folder. Name a file in it.")
        for command in ("fix rank0.json.gz", "merge traces", "report traces")
    ),
    (
        "fix rank0.json.gz -o out.txt",
        USAGE,
        f"out.txt: the output's suffix must be one of {SUFFIXES}.",
    ),
    ("merge traces -o out", USAGE, f"out: the output's suffix must be one of {SUFFIXES}."),
    (
        "merge traces -o m.json --format archive",
        USAGE,
        "m.json: the output's suffix must be one of .zip.",
    ),
    ("report traces -o r.pdf", USAGE, "r.pdf: the output's suffix must be one of .html, .htm."),
    (
        "query kernels rank0.json.gz -o k.xls",
        USAGE,
        "k.xls: say with --format what to write, or end it in one of .txt, .csv, .csv.gz, .csv.zst, .json, .json.gz, .json.zst, .parquet, .md.",
    ),
    ("fix -", USAGE, "the trace comes from stdin: say with -o where the result goes."),
    # queries
    (
        "query kernel rank0.json.gz",
        USAGE,
        "no query and no file is named 'kernel'; did you mean kernels or kernel_families?",
    ),
    (
        "query allreduces.sql traces",
        USAGE,
        "no query and no file is named 'allreduces.sql'; did you mean allreduce or reduce_scatter or collectives?",
    ),
    (
        "query zzz rank0.json.gz",
        USAGE,
        "no query and no file is named 'zzz'; `tp-tools sql` lists the library",
    ),
    (
        "sql kernel",
        USAGE,
        "no query and no file is named 'kernel'; did you mean kernels or kernel_families?",
    ),
    ("query kernels", USAGE, "give a query and a trace: tp-tools query kernels rank0.json.gz"),
    (
        "query rank0.json.gz",
        USAGE,
        "rank0.json.gz: the query comes first, then the traces: tp-tools query kernels rank0.json.gz",
    ),
    (
        "query rank0.json.gz kernels",
        USAGE,
        "rank0.json.gz: the query comes first, then the traces: tp-tools query kernels rank0.json.gz",
    ),
    # the command line
    ("fixx rank0.json.gz", USAGE, "fixx: is no command. Did you mean fix?"),
    ("zzz", USAGE, "zzz: is no command. `tp-tools --help` lists them."),
    ("rank9.json.gz", INPUT, "rank9.json.gz: no such file. Did you mean rank0.json.gz?"),
    ("fix", USAGE, "Missing argument 'TRACE...'. See `tp-tools fix --help`."),
    ("merge -", USAGE, "the trace comes from stdin: say with -o where the result goes."),
    (
        "fix rank0.json.gz --forc",
        USAGE,
        f"{NO_SUCH_OPTION} See `tp-tools fix --help`.",
    ),
    (
        "fix rank0.json.gz --tolerance 5",
        USAGE,
        "Invalid value for '--tolerance': '5' is no duration; write 500ns, 1us or 0.5ms. See `tp-tools fix --help`.",
    ),
    (
        "fix rank0.json.gz --tolerance 0.5ns",
        USAGE,
        "Invalid value for '--tolerance': '0.5ns' is finer than a nanosecond. See `tp-tools fix --help`.",
    ),
    (
        "merge traces -o m.json --start 1s",
        USAGE,
        "Invalid value for '--start': '1s' is no number of milliseconds with up to six decimals. See `tp-tools merge --help`.",
    ),
    (
        "view rank0.json.gz --port 70000",
        USAGE,
        "Invalid value for '--port': 70000 is not in the range 1<=x<=65535. See `tp-tools view --help`.",
    ),
    # the engine
    ("fix rank0.json.gz --engine no/shell", FAILED, f"no such engine: no/shell; {NO_ENGINE}"),
    ("query kernels rank0.json.gz --engine nativ", FAILED, f"no such engine: nativ; {NO_ENGINE}"),
    ("fix rank0.json.gz --engine ./shell", FAILED, "./shell cannot be executed: chmod +x it"),
    # a copy that went wrong
    (
        "fix damaged.json.gz",
        INPUT,
        "damaged.json.gz: its gzip data is damaged (Error -6 Incorrect checksum found). Copy the file again.",
    ),
    # ranks
    *(
        (
            command,
            INPUT,
            "two/a-rank0.json.gz and two/b-rank0.json.gz are both of rank 0 of 8. Leave one out; if they are replicas, each a job of its own, name them DP-0, DP-1, ...",
        )
        for command in (
            "query kernels two",
            "merge two -o m.json",
            "report two -o r.html",
            "query allreduce two",
        )
    ),
]


@pytest.mark.parametrize(("line", "code", "said"), TABLE, ids=[line for line, _, _ in TABLE])
def test_a_mistake_is_told_in_one_line(
    line: str, code: int, said: str, tp_tools: TpTools, folder: Path
) -> None:
    """An error says the fault, its place and the remedy; stdout is empty, no file is written or changed."""
    before = tree(folder.parent)
    ran = tp_tools(*(word.strip("'") for word in line.split()))
    assert (ran.err, ran.code, ran.out) == (f"tp-tools: {said}\n", code, b"")
    assert tree(folder.parent) == before


def test_a_taken_port_is_told(tp_tools: TpTools) -> None:
    """Before the trace is read."""
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ran = tp_tools("view", "rank0.json.gz", "--no-browser", "--port", str(port))
    said = f"port {port} is taken by another program. Stop it, or choose another port."
    assert (ran.err, ran.code, ran.out) == (f"tp-tools: {said}\n", USAGE, b"")


@pytest.mark.parametrize(
    ("package", "line", "said"),
    [
        (
            "plotly",
            "report traces -o r.html",
            "a report needs plotly: pip install plotly jinja2.",
        ),
        (
            "pyarrow",
            "query kernels rank0.json.gz -o k.parquet",
            "Parquet needs pyarrow: pip install pyarrow.",
        ),
    ],
)
def test_a_missing_extra_is_named(
    package: str, line: str, said: str, tp_tools: TpTools, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With the command that installs it."""
    before = tree(Path("..").resolve())
    monkeypatch.setitem(sys.modules, package, None)
    ran = tp_tools(*line.split())
    assert (ran.err, ran.code, ran.out) == (f"tp-tools: {said}\n", USAGE, b"")
    assert tree(Path("..").resolve()) == before


def test_an_unknown_category_is_told(tp_tools: TpTools) -> None:
    """The merge is larger than was meant, or what was not meant is still in it."""
    names = ("kernel", "pyton_function", "zzz")
    wishes = [word for name in names for word in ("--exclude", name)]
    ran = tp_tools("merge", "traces", "-o", "m.json", "--quiet", *wishes)
    first, second = ran.err.splitlines()
    start = "tp-tools: warning: --exclude"
    mistyped = "pyton_function: no event has this category; did you mean python_function?"
    assert first == f"{start} {mistyped}"
    assert second.startswith(
        f"{start} zzz: no event has this category; there are: Trace, ac2g, cpu_op, "
    )
    assert ran.code == 0


# -- what the machine refuses --------------------------------------------------------------------

MAIN = "from tp_tools.cli.main import run\nrun()"


def started(
    line: str,
    program: str = MAIN,
    stdout: IO[str] | int = subprocess.PIPE,
    prefix: Sequence[str] = (),
) -> Popen[str]:
    """The command line as a process of its own, and of a group of its own."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-c", program, *line.split()],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


@pytest.fixture(scope="module")
def as_anybody() -> list[str]:
    """Command prefix that drops root's right to read and write every file."""
    drop = "-dac_override,-dac_read_search"
    prefix = ["setpriv", "--bounding-set", drop, "--inh-caps", drop]
    if os.geteuid() != 0:
        return []
    if shutil.which("setpriv") is None or subprocess.run([*prefix, "true"], check=False).returncode:
        pytest.skip("root is refused nothing, and setpriv takes no rights away here")
    return prefix


DENIED = "cannot be read: Permission denied."


@pytest.mark.parametrize(
    ("line", "code", "said"),
    [
        *(
            (
                f"{command} -o locked/{file}",
                FAILED,
                f"locked/{file}: its folder may not be written to. Name another with -o.",
            )
            for command, file in (
                ("fix rank0.json.gz", "o.json"),
                ("merge traces", "o.json"),
                ("query kernels rank0.json.gz", "o.csv"),
                ("report traces", "o.html"),
            )
        ),
        (
            "fix locked/t.json",
            FAILED,
            "locked/t.fixed.json.gz: its folder may not be written to. Name another with -o.",
        ),
        *(
            (f"{command} secret.json{more}", INPUT, f"secret.json: {DENIED}")
            for command, more in (
                ("fix", ""),
                ("view", ""),
                ("info", ""),
                ("query kernels", ""),
                ("merge", " -o m.json"),
                ("report", " -o r.html"),
            )
        ),
        ("info sealed", INPUT, f"sealed: {DENIED}"),
        ("info sealed/t.json", INPUT, f"sealed/t.json: {DENIED}"),
        ("fix sealed/t.json -o o.json", INPUT, f"sealed/t.json: {DENIED}"),
        (
            "fix rank0.json.gz -o sealed/o.json",
            FAILED,
            "sealed/o.json: cannot be written: Permission denied.",
        ),
    ],
)
def test_what_is_not_ones_own_is_told(
    line: str, code: int, said: str, folder: Path, as_anybody: list[str]
) -> None:
    """Before minutes of work, and not taken for a file that is not there."""
    (folder / "locked").mkdir()
    (folder / "locked/t.json").write_text("[]")
    (folder / "sealed").mkdir()
    (folder / "secret.json").touch(mode=0o000)
    (folder / "locked").chmod(0o555)
    (folder / "sealed").chmod(0o000)
    try:
        process = started(line, prefix=as_anybody)
        out, err = process.communicate(timeout=60)
    finally:
        (folder / "locked").chmod(0o755)
        (folder / "sealed").chmod(0o755)
    assert (err, process.returncode, out) == (f"tp-tools: {said}\n", code, "")
    assert not list((folder.parent / "temporary").iterdir())


@pytest.mark.parametrize("line", ["fix rank0.json.gz -o o.json", "merge traces -o o.json --jobs 1"])
def test_a_full_disk_is_told(line: str, folder: Path) -> None:
    """Whatever was written is gone again."""
    before = tree(folder)
    full = (  # simulates a full disk
        "import os, errno, shutil\nfrom tp_tools.files import output\n"
        "def copy(sink, blocks):\n"
        "    sink.write(next(iter(blocks)))\n"
        "    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))\n"
        "output._copy = copy\nfrom tp_tools.cli.main import run\nrun()"
    )
    process = started(line, full)
    out, err = process.communicate(timeout=60)
    said = "o.json: cannot be written: No space left on device. Nothing was left behind."
    assert (err.splitlines()[-1], process.returncode, out) == (f"tp-tools: {said}", FAILED, "")
    assert tree(folder.parent) == {f"work/{name}": data for name, data in before.items()}


def test_a_full_folder_of_temporary_files_is_told(
    tp_tools: TpTools, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is beside the output, or else the system's; the message says which."""

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(read_rank, "read_rank", full)
    temporary = folder.parent / "temporary"
    one = gzip.decompress((folder / "two/b-rank0.json.gz").read_bytes())
    (folder / "traces/rank1.json").write_bytes(one.replace(b'"rank": 0', b'"rank": 1', 1))
    lines = {"merge traces -o m.json --jobs 1": folder, "query allreduce traces": temporary}
    for line, where in lines.items():
        ran = tp_tools(*line.split())
        said = (
            f"{where}: no room for temporary files: No space left on device. "
            "Name a folder with more room with --tmp."
        )
        assert (ran.err, ran.code, ran.out) == (f"tp-tools: {said}\n", FAILED, b"")
    assert not list(temporary.iterdir())


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("query kernels rank0.json.gz", "standard output: No space left on device."),
        ("info rank0.json.gz", "standard output: No space left on device."),
        (
            "fix rank0.json.gz -o - -q",
            "-: cannot be written: No space left on device. Nothing was left behind.",
        ),
    ],
)
def test_a_full_standard_output_is_told(line: str, said: str) -> None:
    """No traceback, and not a second time when the interpreter ends."""
    with Path("/dev/full").open("w") as full:
        process = started(line, stdout=full)
        _, err = process.communicate(timeout=60)
    assert (err, process.returncode) == (f"tp-tools: {said}\n", FAILED)


def test_a_closed_standard_output_is_told() -> None:
    """A closed standard output, as some schedulers leave it, is told in one line."""
    process = subprocess.run(
        ["/bin/sh", "-c", '"$0" -m tp_tools fix rank0.json.gz -o - >&-', sys.executable],
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.stderr == "tp-tools: -: standard output is closed.\n"
    assert process.returncode == FAILED


def test_a_reader_that_has_enough_is_no_error() -> None:
    """`| head` ends it without a word."""
    many = "SELECT slice.name FROM args, slice LIMIT 100000"
    line = f'"$0" -m tp_tools query -e "{many}" rank0.json.gz | head -n 1'
    process = subprocess.run(
        ["/bin/sh", "-c", line, sys.executable], capture_output=True, text=True, check=True
    )
    assert (process.stdout.count("\n"), process.stderr) == (1, "")


@pytest.mark.parametrize(
    "line",
    [
        "fix {}",
        "info {}",
        "query kernels {}",
        "merge {} -o m.json",
        "report {} -o r.html",
        "view {}",
    ],
)
def test_ctrl_c_leaves_nothing(line: str, folder: Path) -> None:
    """Amid reading: one line, exit 130, no file."""
    before = tree(folder)
    stuck = (
        "import sys, time\nfrom tp_tools.files import source\n"
        "def blocks(*_):\n    print('reading', flush=True)\n    time.sleep(600)\n    yield b''\n"
        "source.Source.blocks = blocks\nfrom tp_tools.cli.main import run\nrun()"
    )
    process = started(line.format("rank0.json.gz"), stuck)
    assert process.stdout is not None
    assert process.stdout.readline() == "reading\n"
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does
    _, err = process.communicate(timeout=60)
    assert err == "tp-tools: interrupted; nothing was left behind.\n"
    assert process.returncode == 130
    assert tree(folder.parent) == {f"work/{name}": data for name, data in before.items()}
