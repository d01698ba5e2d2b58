"""A program that is bound to its parent ends with it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tools.signals import PATIENCE_S
from tp_tools.processes.bound import bound

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="other systems have no such signal")
PARENT = """\
import os, signal, subprocess
from tp_tools.processes.bound import bound
print(subprocess.Popen(bound(["/bin/sleep", "60"])).pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""


def lives(pid: int) -> bool:
    """Tell whether a process is there; one that nobody waited for is not."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text("ascii")
    except (FileNotFoundError, ProcessLookupError):
        return False
    return status.rpartition(")")[2].split()[0] != "Z"


@LINUX
def test_it_ends_with_a_parent_that_is_killed() -> None:
    """Nobody is left to end it but the system."""
    parent = subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    parent.stdout.close()
    assert parent.wait() == -signal.SIGKILL
    deadline = time.monotonic() + PATIENCE_S
    while lives(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not lives(pid)


def test_it_is_the_program_itself() -> None:
    """Its words, its exit code and its process id are those of the program."""
    command = [sys.executable, "-c", "import os, sys; print(os.getpid()); sys.exit(7)"]
    with subprocess.Popen(bound(command), stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert int(process.stdout.read()) == process.pid
    assert process.returncode == 7


@LINUX
def test_a_parent_that_is_gone_already_starts_nothing() -> None:
    """Where the parent ended before the program asked, it ends by itself."""
    command = bound(["/bin/sleep", "60"])
    command[command.index(str(os.getpid()))] = "1"  # as if another process had started it
    assert subprocess.run(command, check=False, stderr=subprocess.PIPE).returncode == 1
