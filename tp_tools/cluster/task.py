"""Do a call in a task of Ray, with files of its own in place of those of the process that calls."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from tp_tools.errors import Unreachable, UsageError
from tp_tools.files import temporary
from tp_tools.processes.outcomes import attempt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.processes.worker import FileCall

T = TypeVar("T")


def work(wanted: str, call: FileCall[Any], *contents: bytes) -> Any:  # noqa: ANN401  what it does
    """Do a call; files that it names are those of a temporary folder.

    Args:
        wanted: version of the tp-tools that calls.
        call: the call.
        contents: of the files that it reads.

    Returns:
        A call that returns its result or raises its error; with files that it writes, a list of
        that and their contents.

    Raises:
        Unreachable: a server did not answer; Ray does the task again.
    """
    written = (*call.keeps, *call.returns)
    with temporary.folder() as folder:
        own = {path: folder / path.name for path in (*call.reads, *written)}
        for path, content in zip(call.reads, contents, strict=True):
            own[path].write_bytes(content)
        function = partial(call.function, *own.values())
        outcome = attempt(partial(_of_version, wanted, function), but=Unreachable)
        if not written:
            return outcome
        return [outcome, *(_content(own[path]) for path in written)]


def _of_version(wanted: str, function: Callable[[], T]) -> T:
    """Call a function if tp-tools is the same here as where it was asked for.

    Raises:
        UsageError: it is of another version.
    """
    if (here := version("tp-tools")) != wanted:
        raise UsageError(f"a machine of the cluster has tp-tools {here}, and this one {wanted}.")
    return function()


def _content(path: Path) -> bytes:
    """Return what a file holds; nothing if it was not written, since the call failed."""
    return path.read_bytes() if path.exists() else b""
