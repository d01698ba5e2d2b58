"""How work tells what it is doing and how far it is, to whoever wants to know."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

BUILDING = "building TraceProcessor's tables"
"""The stage that takes as long as loading, after TraceProcessor got the last byte of a trace."""

ProgressCallback: TypeAlias = "Callable[[int], None]"
"""Told of so many bytes more that are done, from any thread."""


class Progress(Protocol):
    """Shows a stage of the work while a block runs."""

    def __call__(
        self, doing: str, total: int | None = None, then: str | None = None, /
    ) -> AbstractContextManager[ProgressCallback]:
        """The block that is the stage; gives what is to be told of bytes done.

        Args:
            doing: what is done: "reading rank0.json.gz".
            total: bytes in all; None where there is no count.
            then: what is done once that many are; None if it is the same.
        """


class Reporter(Protocol):
    """Speaks to whoever called: lines, warnings, stages of the work."""

    def say(self, line: str) -> None:
        """Say what takes seconds, or what was done."""

    def warn(self, line: str) -> None:
        """Say what was lost, or could not be done."""

    def progress(
        self, doing: str, total: int | None = None, then: str | None = None, /
    ) -> AbstractContextManager[ProgressCallback]:
        """Show a stage of the work: see `Progress`."""


def silent(
    _doing: str, _total: int | None = None, _then: str | None = None, /
) -> AbstractContextManager[ProgressCallback]:
    """Shows nothing."""
    return nullcontext(lambda _: None)
