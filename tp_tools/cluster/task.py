"""Do a call in a task of Ray, with files of its own in place of those of the process that calls."""

from __future__ import annotations

from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, TypeVar

from msgspec import Struct

from tp_tools.errors import Unreachable, UsageError
from tp_tools.files import copies, temporary
from tp_tools.processes.outcomes import attempt

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.processes.worker import FileCall

T = TypeVar("T")


class Assignment(Struct, frozen=True):
    """What a task gets with its call.

    Attributes:
        version: that of the tp-tools that calls.
        given: URLs of inputs whose contents come with it, behind the files that the call reads.
        kept: URLs of inputs whose contents it gives back, if it fetched them.
    """

    version: str
    given: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


class Done(Struct, frozen=True):
    """What became of a call.

    Attributes:
        outcome: a call that returns its result or raises its error.
        fetched: URLs of the inputs that the task fetched and gives back.
    """

    outcome: Callable[[], Any]
    fetched: frozenset[str]


def work(task: Assignment, call: FileCall[Any], *contents: bytes) -> Any:  # noqa: ANN401  what it does
    """Do a call; files that it names are those of a temporary folder.

    Args:
        task: what else the task gets and gives.
        call: the call.
        contents: of the files that it reads, and of inputs that another task fetched.

    Returns:
        What became of it (`Done`); with files that it writes or inputs that it gives back, a list
        of that and their contents.

    Raises:
        Unreachable: a server did not answer; Ray does the task again.
    """
    written = (*call.keeps, *call.returns)
    with temporary.folder() as folder, copies.kept(folder) as inputs:
        own = {path: folder / path.name for path in (*call.reads, *written)}
        for path, content in zip(call.reads, contents, strict=False):
            own[path].write_bytes(content)
        for url, content in zip(task.given, contents[len(call.reads) :], strict=True):
            inputs.put(url, content)
        function = partial(call.function, *own.values())
        outcome = attempt(partial(_of_version, task.version, function), but=Unreachable)
        found = {url: inputs.content(url) for url in task.kept}
        done = Done(outcome, frozenset(url for url, it in found.items() if it is not None))
        if not (written or found):
            return done
        texts = [it or b"" for it in found.values()]
        return [done, *(_content(own[path]) for path in written), *texts]


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
