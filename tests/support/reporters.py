"""A reporter that keeps its reports, for tests of them."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING

from tp_tools.progress import Reporter

if TYPE_CHECKING:
    from contextlib import AbstractContextManager


class Recorder(Reporter):
    """Keeps all reports.

    Attributes:
        notes, warnings: the lines.
        stages: the texts of stages, in the order in which they began.
        total: the sum of the bytes that stages announced.
        counted: the numbers of bytes that were done, of all stages.
    """

    def __init__(self) -> None:
        self.notes: list[str] = []
        self.warnings: list[str] = []
        self.stages: list[str] = []
        self.total = 0
        self.counted: list[int] = []

    def say(self, line: str) -> None:
        """Keep a note."""
        self.notes.append(line)

    def warn(self, line: str) -> None:
        """Keep a warning."""
        self.warnings.append(line)

    def advance(self, size: int) -> None:
        """Keep a number of bytes."""
        self.counted.append(size)

    def stage(
        self, doing: str, total: int | None = None, then: str | None = None
    ) -> AbstractContextManager[Reporter]:
        """Keep the text and the total of a stage."""
        del then
        self.stages.append(doing)
        self.total += total or 0
        return nullcontext(self)
