"""Start a trace_processor_shell that answers on a port of this machine, and end it.

The `perfetto` package starts one, too, but asks only once a second whether it answers, and leaves
it running where SIGKILL ends this process.
"""

from __future__ import annotations

import os
import signal
import socket
import tempfile
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from tp_tools.errors import EngineUnavailable
from tp_tools.processes import signals
from tp_tools.processes.bound import start_bound

if TYPE_CHECKING:
    from pathlib import Path

HOST = "localhost"
"""Where a shell listens: on both addresses of this name."""

START_S = 60.0
"""Seconds within which a shell without a trace has to answer."""

_POLL_S = 0.005
_LONGEST_POLL_S = 0.1
_MOST_SAID = 300


class Shell:
    """A running shell.

    Attributes:
        process: the program.
        port: where it listens.
    """

    def __init__(self, path: Path, port: int, *words: str, start_s: float | None = None) -> None:
        """Start a shell, and wait until it listens.

        Args:
            path: the program.
            port: where it has to listen.
            words: more arguments for it.
            start_s: seconds until it has to listen; None waits as long as it runs.

        Raises:
            EngineUnavailable: it did not start; the message says why, without the path.
        """
        self.port = port
        self._said = tempfile.TemporaryFile()  # noqa: SIM115  closed by close()
        command = [str(path), "-D", "--http-port", str(port), *words]
        try:
            self.process = start_bound(command, self._said)
        except OSError as error:
            self._said.close()
            raise EngineUnavailable(f"{error.strerror}") from error
        self._forget = signals.at_end(self.kill)
        try:
            self._wait(start_s)
        except BaseException:
            self.close()
            raise

    def kill(self) -> None:
        """End it and its children."""
        with suppress(ProcessLookupError):
            if self.process.poll() is None:
                os.killpg(self.process.pid, signal.SIGKILL)

    def close(self) -> None:
        """End it and collect it; may be called again."""
        self._forget()
        self.kill()
        self.process.wait()
        self._said.close()

    def _wait(self, start_s: float | None) -> None:
        began, poll_s = time.monotonic(), _POLL_S
        while not is_open(self.port):
            if self.process.poll() is not None:
                self._said.seek(0)
                text = " ".join(self._said.read().decode(errors="replace").split())
                raise EngineUnavailable(text[-_MOST_SAID:] or "it ended without a word")
            if start_s is not None and time.monotonic() > began + start_s:
                raise EngineUnavailable(f"it does not listen after {start_s:g} s")
            time.sleep(poll_s)
            poll_s = min(2 * poll_s, _LONGEST_POLL_S)


def free_port() -> int:
    """Return a port of this machine on which nobody listens."""
    with socket.create_server((HOST, 0)) as server:
        port: int = server.getsockname()[1]
    return port


def is_open(port: int) -> bool:
    """Tell whether something listens on a port of this machine."""
    with suppress(OSError), socket.create_connection((HOST, port), timeout=_LONGEST_POLL_S):
        return True
    return False
