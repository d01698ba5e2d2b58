"""The native engine: found, started, asked, and missed in the right words.

A stand-in shell, which answers from the embedded engine, takes the place of the real one; with
$TP_TOOLS_TEST_NATIVE, the tests of the other files run on the real one as well.
"""

import os
import signal
import stat
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.support.small_traces import OVERLAPPING, SOUND
from tp_tools.engine import load, rows
from tp_tools.engine.native import pinned_shell
from tp_tools.errors import (
    EngineError,
    EngineOutOfMemory,
    EngineUnavailable,
    InputError,
    SqlError,
    TraceLossError,
)


def script(path: Path, text: str) -> Path:
    """An executable script."""
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


@pytest.fixture
def no_pinned_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without the pinned shell; gives the folder that comes first in its PATH."""
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path) + os.pathsep + os.environ["PATH"])
    return tmp_path


def test_a_shell_by_its_path(stand_in_shell: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """A shell is started, loaded, asked and ended, without a word on stdout."""
    with load([SOUND], source="sound", engine=str(stand_in_shell)) as tp:
        assert rows(tp, "SELECT name FROM slice ORDER BY ts") == [("outer",), ("inner",)]
        with pytest.raises(SqlError, match="no such table"):
            tp.query("SELECT 1 FROM nowhere")
        process = tp.subprocess
        assert process.poll() is None
    assert process.wait(timeout=60) is not None
    with pytest.raises(EngineError, match="closed"):
        tp.query("SELECT 1")
    assert capfd.readouterr().out == ""


def test_errors_at_the_end_of_file_are_heard(stand_in_shell: Path) -> None:
    """A cut-off trace is refused natively too, where the package's own client says nothing."""
    with pytest.raises(InputError, match="JSON trace file is incomplete"):
        load([SOUND[:-2]], source="cut", engine=str(stand_in_shell))
    with pytest.raises(TraceLossError):
        load([OVERLAPPING], source="raw", engine=str(stand_in_shell))


def test_a_killed_shell_is_out_of_memory(stand_in_shell: Path) -> None:
    """A shell that the kernel kills is told as what it nearly always is."""
    with (
        load([SOUND], source="rank0.json", engine=str(stand_in_shell)) as tp,
        pytest.raises(EngineOutOfMemory, match=r"^rank0\.json: .*killed"),
    ):
        tp.query("SELECT 'please die'")


KILLED = """\
import os, signal
from tp_tools.engine import load
tp = load([b'{"traceEvents": []}'], source="empty", engine=%r)
print(tp.subprocess.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not end it")
def test_a_shell_ends_with_a_process_that_is_killed(stand_in_shell: Path) -> None:
    """SIGKILL lets nobody clean up, so the system ends the shell; not sooner, with its thread."""
    command = [sys.executable, "-c", KILLED % str(stand_in_shell)]
    killed = subprocess.run(command, check=False, stdout=subprocess.PIPE)
    assert killed.returncode == -signal.SIGKILL
    ended(int(killed.stdout))


def test_a_shell_outlives_the_thread_that_asked_for_it(stand_in_shell: Path) -> None:
    """A trace loaded on a thread is there when this thread has ended."""
    with ThreadPoolExecutor(1) as threads:
        made = threads.submit(load, [SOUND], source="sound", engine=str(stand_in_shell))
    with made.result() as tp:
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]


def ended(pid: int) -> None:
    """Wait until a process has ended; whoever is its parent then may not have collected it."""
    status = Path(f"/proc/{pid}/stat")
    for _ in range(600):
        if not status.exists() or "Z" in status.read_text().split()[2]:
            return
        time.sleep(0.1)
    pytest.fail(f"process {pid} is still running")


def test_engine_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """$TP_TOOLS_ENGINE is the default, and what is asked for comes before it."""
    monkeypatch.setenv("TP_TOOLS_ENGINE", "/nowhere/trace_processor_shell")
    with pytest.raises(EngineUnavailable, match="/nowhere/trace_processor_shell"):
        load([SOUND], source="sound")
    load([SOUND], source="sound", engine="embedded").close()


def test_no_such_engine(tmp_path: Path) -> None:
    """A path without a file, or to a file that cannot be executed, is said at once."""
    with pytest.raises(EngineUnavailable, match="no such engine: embeded"):
        load([SOUND], source="sound", engine="embeded")
    plain = tmp_path / "shell"
    plain.touch()
    with pytest.raises(EngineUnavailable, match=r"chmod \+x") as error:
        load([SOUND], source="sound", engine=str(plain))
    assert error.value.exit_code == 4


@pytest.mark.parametrize("text", ["echo no such option >&2; exit 3", "\x00\x01"])
def test_a_file_that_is_no_shell(tmp_path: Path, text: str) -> None:
    """A program that ends at once, or none at all, did not start."""
    shell = script(tmp_path / "shell", text)
    with pytest.raises(EngineUnavailable, match="did not start"):
        load([SOUND], source="sound", engine=str(shell))


def test_a_download_that_fails(no_pinned_shell: Path) -> None:
    """Without internet, `native` is unavailable, with what to do instead."""
    script(no_pinned_shell / "curl", "exit 6")
    with pytest.raises(EngineUnavailable, match=r"curl ended with status 6.*leave out --engine"):
        load([SOUND], source="sound", engine="native")


def test_a_download_that_hangs(no_pinned_shell: Path) -> None:
    """A firewall that swallows packets does not hold up the user for minutes, nor curl live on."""
    mark = no_pinned_shell / "pid"
    script(no_pinned_shell / "curl", f"echo $$ > {mark}; exec sleep 600")
    with pytest.raises(EngineUnavailable, match=r"in 5 s.*leave out --engine"):
        pinned_shell(5)
    ended(int(mark.read_text()))
