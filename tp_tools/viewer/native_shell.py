"""Have a native trace_processor hold the trace, where it is too large for the browser.

The UI asks the shell on port 9001. Shells answer pages of ui.perfetto.dev and of port 10000 of this
machine only. Source: Perfetto, src/trace_processor/rpc/httpd.cc.
"""

from __future__ import annotations

import socket
import tempfile
import time
from contextlib import contextmanager, suppress
from subprocess import DEVNULL, Popen
from typing import TYPE_CHECKING

from tp_tools.engine.names import is_embedded, name_of
from tp_tools.engine.native import given_shell, pinned_shell
from tp_tools.errors import EngineUnavailable, UsageError
from tp_tools.processes import signals
from tp_tools.processes.bound import bound
from tp_tools.viewer.site import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE_PORT = 10_000
"""The port of this machine whose pages a shell answers."""

RPC_PORT = 9001
"""The port on which the UI looks for a shell."""

_POLL_S = 0.1
_MOST_SAID = 300


def shell_of(engine: str | None) -> Path:
    """Return the shell that --engine or $TP_TOOLS_ENGINE names.

    Raises:
        UsageError: they name none.
        EngineUnavailable: it is not there, or cannot be executed.
    """
    if is_embedded(engine):
        raise UsageError(
            "--native wants a trace_processor_shell: name it with --engine PATH or in "
            "$TP_TOOLS_ENGINE, or give --engine native, which downloads one."
        )
    name = name_of(engine)
    return pinned_shell() if name == "native" else given_shell(name)


@contextmanager
def serving(shell: Path, trace: Path, port: int = RPC_PORT) -> Iterator[None]:
    """Run a shell that holds the trace while the block runs, and no longer than this process.

    Args:
        shell: the trace_processor_shell.
        trace: the file, which it reads by itself.
        port: where it listens.

    Raises:
        UsageError: the port is taken.
        EngineUnavailable: the shell ended before it listened.
    """
    if _is_open(port):
        raise UsageError(f"port {port}, where the UI looks, is taken by another program. Stop it.")
    with tempfile.TemporaryFile() as said:
        command = [str(shell), "-D", "--http-port", str(port), str(trace)]
        with Popen(bound(command), stdin=DEVNULL, stdout=said, stderr=said) as process:  # noqa: S603  the user's
            forget = signals.at_end(process.kill)
            try:
                while not _is_open(port):
                    if process.poll() is not None:
                        said.seek(0)
                        text = " ".join(said.read().decode(errors="replace").split())
                        raise EngineUnavailable(f"{shell} ended: {text[-_MOST_SAID:]}")
                    time.sleep(_POLL_S)
                yield
            finally:
                forget()
                process.kill()


def _is_open(port: int) -> bool:
    """Tell whether something listens on a port of this machine."""
    with suppress(OSError), socket.create_connection((LOOPBACK, port), timeout=_POLL_S):
        return True
    return False
