"""Have a native trace_processor hold the trace, where it is too large for the browser.

The UI asks the shell on port 9001. Shells answer pages of ui.perfetto.dev and of port 10000 of this
machine only. Source: Perfetto, src/trace_processor/rpc/httpd.cc.
"""

from __future__ import annotations

from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from tp_tools.engine.names import is_embedded, name_of
from tp_tools.engine.native import given_shell, pinned_shell
from tp_tools.engine.shell import Shell, is_open
from tp_tools.errors import EngineUnavailable, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PAGE_PORT = 10_000
"""The port of this machine whose pages a shell answers."""

RPC_PORT = 9001
"""The port on which the UI looks for a shell."""


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
    if is_open(port):
        raise UsageError(f"port {port}, where the UI looks, is taken by another program. Stop it.")
    try:
        running = Shell(shell, port, str(trace))
    except EngineUnavailable as error:
        raise EngineUnavailable(f"{shell} ended: {error}") from error
    with closing(running):
        yield
