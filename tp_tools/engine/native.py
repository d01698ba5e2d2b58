"""Run TraceProcessor as a process: the shell that `perfetto` pins, or one given by path."""

import os
import signal
import sys
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from subprocess import PIPE, Popen, TimeoutExpired

from tp_tools.engine._perfetto import ProtoFactory
from tp_tools.engine.rpc import RpcBackend
from tp_tools.engine.shell import HOST, START_S, Shell, free_port
from tp_tools.errors import EngineError, EngineOutOfMemory, EngineUnavailable
from tp_tools.processes import signals

DOWNLOAD_SECONDS = 60
"""Time limit for the download of the pinned shell (16 MB). Behind a firewall that drops packets,
the download of the package would wait for minutes."""

WHAT_TO_DO = (
    "use the embedded engine (leave out --engine), or give the path of a trace_processor_shell"
)

_FLAGS = ("--no-ftrace-raw",)
"""As the `perfetto` package starts it: without tables of raw kernel events, which take memory."""

_FETCH = """\
import contextlib, subprocess, sys
from perfetto.prebuilts.manifests.trace_processor_shell import TRACE_PROCESSOR_SHELL_MANIFEST
from perfetto.prebuilts.perfetto_prebuilts import get_perfetto_prebuilt
try:
    with contextlib.redirect_stdout(sys.stderr):
        path = get_perfetto_prebuilt(TRACE_PROCESSOR_SHELL_MANIFEST)
except subprocess.CalledProcessError as error:
    sys.exit(f"curl ended with status {error.returncode}")
print(path)
"""
"""Program that downloads the shell by the `perfetto` package, in a process that can be killed. The
package prints messages to stdout, which is for data here, and leaves the transfer to curl."""


def pinned_shell(seconds: float = DOWNLOAD_SECONDS) -> Path:
    """Return the shell that the `perfetto` package pins; download it if it is missing.

    Args:
        seconds: time limit for the download.

    Raises:
        EngineUnavailable: there is no shell for this machine, or it cannot be downloaded.
    """
    fetch = Popen(  # noqa: S603  this interpreter and the text above
        [sys.executable, "-c", _FETCH],
        stdout=PIPE,
        stderr=PIPE,
        text=True,
        start_new_session=True,
    )
    forget = signals.at_end(lambda: os.killpg(fetch.pid, signal.SIGKILL))
    try:
        path, messages = fetch.communicate(timeout=seconds)
    except TimeoutExpired:
        os.killpg(fetch.pid, signal.SIGKILL)
        fetch.communicate()
        raise EngineUnavailable(
            f"the native engine could not be downloaded in {seconds} s: {WHAT_TO_DO}"
        ) from None
    finally:
        forget()
    if fetch.returncode != 0:
        reason = (messages.strip().splitlines() or ["no reason given"])[-1]
        raise EngineUnavailable(
            f"the native engine could not be downloaded ({reason}): {WHAT_TO_DO}"
        )
    return Path(path.strip())


def given_shell(path: str) -> Path:
    """Check the shell at a path given by the user.

    Raises:
        EngineUnavailable: the file does not exist, or cannot be executed.
    """
    shell = Path(path).expanduser()
    if not shell.is_file():
        raise EngineUnavailable(
            f"no such engine: {path}; --engine takes embedded, native, "
            "or the path of a trace_processor_shell"
        )
    if not os.access(shell, os.X_OK):
        raise EngineUnavailable(f"{path} cannot be executed: chmod +x it")
    return shell


class NativeBackend(RpcBackend):
    """A trace_processor_shell, started and ended by this object."""

    def __init__(self, protos: ProtoFactory, shell: Path) -> None:
        """Start `shell` on a free port of this machine.

        Raises:
            EngineUnavailable: the shell does not start.
        """
        super().__init__(protos)
        try:
            self._shell = Shell(shell, free_port(), *_FLAGS, start_s=START_S)
        except EngineUnavailable as error:
            raise EngineUnavailable(f"{shell} did not start: {error}") from error
        self._connection = HTTPConnection(HOST, self._shell.port)
        self._is_closed = False

    @property
    def subprocess(self) -> Popen[bytes]:
        """The process."""
        return self._shell.process

    def close(self) -> None:
        """End the process."""
        if hasattr(self, "_connection"):
            self._is_closed = True
            self._connection.close()
            self._shell.close()

    def _exchange(self, request: bytes) -> bytes:
        if self._is_closed:
            raise EngineError("TraceProcessor cannot be used any more: it was closed")
        try:
            self._connection.request("POST", "/rpc", body=request)
            with self._connection.getresponse() as response:
                answer: bytes = response.read()
        except (OSError, HTTPException) as error:
            raise self._failure(self.subprocess) from error
        return answer

    def _failure(self, process: Popen[bytes]) -> EngineError:
        """Return the error for a process that no longer answers."""
        try:
            status = process.wait(timeout=1)
        except TimeoutExpired:
            return EngineError("the native TraceProcessor no longer answers")
        if status == -signal.SIGKILL:
            return EngineOutOfMemory(
                "the native TraceProcessor was killed, most likely for want of memory: "
                "leave out categories or a part of the time, or use a larger machine"
            )
        return EngineError(f"the native TraceProcessor ended with status {status}")
