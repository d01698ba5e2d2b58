"""Signals, limits of time and unexpected errors: one line, the right code, nothing left."""

from __future__ import annotations

import errno
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.small_traces import SOUND
from tools.signals import (
    CASES,
    ENDLESS,
    PATIENCE_S,
    SIGNALS,
    Case,
    end,
    faults,
    write_ranks,
)
from tp_tools import engine
from tp_tools.cli import main
from tp_tools.errors import EngineError, InputError, OutputError, TimeLimitReached, UsageError
from tp_tools.files import Source, temporary
from tp_tools.files.output import refuse_input, written
from tp_tools.processes import signals
from tp_tools.querying.trace_loader import LoadOptions, load_trace

TP_TOOLS = Path(sys.executable).parent / "tp-tools"


@pytest.fixture(scope="module")
def ranks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the traces of two ranks."""
    folder = tmp_path_factory.mktemp("ranks")
    write_ranks(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty one, where the test runs."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("number", SIGNALS, ids=lambda it: it.name)
@pytest.mark.parametrize("case", CASES, ids=lambda it: it.name)
def test_a_signal_ends_a_command(case: Case, number: signal.Signals, ranks: Path) -> None:
    """At a random moment, to the process or its group: one line, its code, soon, and no rest.

    `python -m tools.signals` holds every end to a second; a busy machine may take longer.
    """
    choose = random.Random(f"{case.name} {number}")
    after = choose.uniform(0, case.longest_s)
    ended = end(case, number, after, ranks, group=choose.choice([True, False]), ready=True)
    assert faults(case, number, ended, after, latest_s=PATIENCE_S) == []


def test_a_time_limit_ends_a_command(ranks: Path) -> None:
    """Exit code 4 and one line that names the limit."""
    done = subprocess.run(
        [TP_TOOLS, "query", "-q", "--timeout", "1.5", "-e", ENDLESS, ranks / "r0.json"],
        capture_output=True,
        text=True,
        check=False,
    )
    said = "tp-tools: gave up after 1.5 s, as --timeout says; nothing was left behind.\n"
    assert (done.returncode, done.stdout, done.stderr) == (4, "", said)


def test_a_time_limit_in_a_python_process_is_an_error() -> None:
    """A caller of `main` keeps its process."""
    with (
        engine.load([SOUND], source="sound") as tp,
        pytest.raises(TimeLimitReached),
        signals.time_limit(0.3),
    ):
        engine.rows(tp, ENDLESS)


def test_ctrl_c_leaves_a_notebook_usable() -> None:
    """The engine that was interrupted says so; others and new ones go on."""
    tp, other = (engine.load([SOUND], source=name) for name in "ab")
    with other:
        with pytest.raises(TimeLimitReached), signals.time_limit(0.3):  # as any handler that raises
            engine.rows(tp, ENDLESS)
        with pytest.raises(EngineError, match=r"^a: .* used any more: it was interrupted"):
            engine.rows(tp, "SELECT 1")
        assert engine.rows(other, "SELECT 2") == [(2,)]
        with engine.load([SOUND], source="c") as new:
            assert engine.rows(new, "SELECT 3") == [(3,)]


def test_engines_on_threads_stop_with_their_caller() -> None:
    """None of them works on when the thread that waits for them is interrupted."""

    def ask(_: int) -> object:
        with engine.load([SOUND], source="sound") as tp:
            return engine.rows(tp, ENDLESS)

    with pytest.raises(TimeLimitReached), signals.time_limit(0.5):
        engine.map_on_threads(ask, range(3), 2)


def test_handlers_are_put_back() -> None:
    """Nothing of a block stays in the process."""
    before = [signal.getsignal(number) for number in SIGNALS]
    with signals.ending():
        assert signals.is_ending()
    assert [signal.getsignal(number) for number in SIGNALS] == before
    assert not signals.is_ending()


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "this machine has no more memory"),
        (RecursionError(), "an input is nested too deeply"),
        (ValueError("a\nb"), "an error of tp-tools itself: ValueError: a b. --debug"),
    ],
)
def test_no_traceback_reaches_a_user(
    error: Exception,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """An unexpected error ends in one line and exit code 4; with --debug also in a traceback."""

    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("tp_tools.library.queries", fail)
    with pytest.raises(SystemExit) as left:
        main.main(["sql"])
    assert left.value.code == 4
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("tp-tools: ")
    assert said in line
    with pytest.raises(SystemExit):
        main.main(["sql", "--debug"])
    assert "Traceback" in capsys.readouterr().err


def test_a_reader_that_leaves_is_no_finding(ranks: Path) -> None:
    """Exit code 141, as of what SIGPIPE ends, and no word."""
    reading, writing = os.pipe()
    os.close(reading)
    sql = "SELECT * FROM slice"
    done = subprocess.run(
        [TP_TOOLS, "query", "-q", "-e", sql, ranks / "r0.json"],
        stdout=writing,
        stderr=subprocess.PIPE,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


def test_what_a_killed_process_left_is_removed(folder: Path) -> None:
    """By the next that makes a temporary file there; what is in use stays, and what is others'."""
    program = (
        "import os, signal, sys\n"
        "from tp_tools.files import temporary\n"
        "with temporary.file() as (_, path), temporary.folder() as inner:\n"
        "    (inner / 'spool').touch()\n"
        "    os.kill(os.getpid(), signal.SIGKILL)"
    )
    env = {**os.environ, "TMPDIR": str(folder)}
    subprocess.run([sys.executable, "-c", program], env=env, check=False)
    assert len(list(folder.iterdir())) == 2
    (folder / ".tp-tools-notes").touch()
    with temporary.folder(folder) as used, temporary.file(folder) as (handle, path):
        os.close(handle)
        temporary.remove_leftovers(folder)
        assert {*folder.iterdir()} == {used, path, folder / ".tp-tools-notes"}
    assert [path.name for path in folder.iterdir()] == [".tp-tools-notes"]


def test_an_input_is_never_written_over(folder: Path) -> None:
    """By no name of it."""
    (folder / "a.json").write_text("{}")
    (folder / "b.json").symlink_to("a.json")
    with pytest.raises(UsageError, match=r"b\.json: is the input a\.json\."):
        refuse_input("b.json", ["a.json"])


def test_a_pipe_is_written_to(folder: Path) -> None:
    """A named pipe gets the output and stays what it is."""
    os.mkfifo("out.json")
    with subprocess.Popen(
        [sys.executable, "-c", "print(open('out.json').read(), end='')"], stdout=subprocess.PIPE
    ) as reader:
        with written("out.json", [b"all", b" of it"]):
            pass
        assert reader.communicate()[0] == b"all of it"
    assert (folder / "out.json").is_fifo()


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_folder_of_temporary_files_is_named(number: int, folder: Path) -> None:
    """The folder whose disk or quota is full, and the option that names another."""
    full = OSError(number, "full")
    with (
        temporary.in_folder(folder),
        pytest.raises(OutputError, match=f"^{folder}: no room .* --tmp"),
        temporary.full_disk_named(),
    ):
        raise full


def test_a_damaged_raw_file_is_refused(folder: Path) -> None:
    """Metadata with args that are no JSON, with which v52 is never done."""
    event = '{"ph":"M","name":"process_name","pid":3,"args":{"name":"say "no" twice"}}'
    (folder / "t.json").write_text(f'{{"traceEvents":[{event}]}}')
    options = LoadOptions(raw=True, patience_s=0.2)
    source = Source(Path("t.json"), "t.json")
    with pytest.raises(InputError, match=r"^t\.json: is damaged at byte \d+ "):
        load_trace(source, options)
