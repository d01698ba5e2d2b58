"""Start a program that ends with this process, however this process ends."""

from __future__ import annotations

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from subprocess import DEVNULL, Popen
from typing import IO

_LAUNCHER = """\
import ctypes, os, signal, sys
ctypes.CDLL(None).prctl(1, signal.SIGKILL)
if os.getppid() != int(sys.argv[1]):
    sys.exit("the program that started it is gone")
try:
    os.execv(sys.argv[2], sys.argv[2:])
except OSError as error:
    sys.exit(error.strerror)
"""
"""Asks the kernel for SIGKILL at the end of its parent (PR_SET_PDEATHSIG, 1, in prctl(2)), and then
becomes the program, which keeps that. It is no `preexec_fn`, since a fork of a process with threads
may run no Python."""


def bound(command: list[str]) -> list[str]:
    """Return the command that runs `command` and is killed when the thread that starts it ends.

    The thread counts, not the process: start it from one that lasts, or by `start_bound`. On other
    systems than Linux the program outlives a process that SIGKILL ends.

    Args:
        command: path of a program, and its arguments.

    Example:
        `Popen(bound(["/usr/bin/sleep", "9"]))` has the process id of `sleep` itself.
    """
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", "-c", _LAUNCHER, str(os.getpid()), *command]


class _Starter:
    """A thread that starts programs, and lasts as long as this process; a forked child has its own.

    Attributes:
        owner: id of the process whose thread it is.
    """

    def __init__(self) -> None:
        self.owner = 0
        self._threads: ThreadPoolExecutor | None = None

    def threads(self) -> ThreadPoolExecutor:
        """Return the thread."""
        if self._threads is None or self.owner != os.getpid():
            self.owner = os.getpid()
            self._threads = ThreadPoolExecutor(1, "starter of programs")
        return self._threads


_starter = _Starter()


def start_bound(command: list[str], said: IO[bytes]) -> Popen[bytes]:
    """Start a program in a session of its own, which ends with this process (on Linux).

    Args:
        command: path of the program, and its arguments.
        said: file for what it writes to stdout and stderr.

    Raises:
        OSError: on other systems than Linux, the program cannot be started.
    """
    return (
        _starter.threads()
        .submit(
            Popen,
            bound(command),
            stdin=DEVNULL,
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
        .result()
    )
