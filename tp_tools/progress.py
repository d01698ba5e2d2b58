"""Report the progress of work, notes and warnings to the caller."""

from __future__ import annotations

from contextlib import contextmanager, nullcontext
from typing import TYPE_CHECKING

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

BUILDING = "building TraceProcessor's tables"
"""Stage after the last byte of a trace went to TraceProcessor; it takes as long again."""


class Reporter:
    """Takes notes, warnings, stages of the work and bytes done; this class ignores them all.

    A function that reports takes a `reporter`, `SILENT` by default. A subclass overrides the
    methods that it shows. Any thread may call them.

    Example:
        >>> with SILENT.stage("reading rank0.json", total=2) as stage:
        ...     stage.advance(2)
    """

    def say(self, line: str) -> None:
        """Report work that takes seconds, or a result."""

    def note(self, line: str) -> None:
        """Report a fact about the input that a caller should know: a file left out, mended text."""
        self.say(line)

    def warn(self, line: str) -> None:
        """Report data that was lost, or a step that could not be done."""

    def advance(self, size: int) -> None:
        """Add bytes that are done to the stage that this reporter stands for."""

    def stage(
        self, doing: str, total: int | None = None, then: str | None = None
    ) -> AbstractContextManager[Reporter]:
        """Show a stage of the work while the block runs.

        Args:
            doing: the text of the stage: "reading rank0.json.gz".
            total: bytes to do; None where there is no count.
            then: text of the stage once all bytes are done; None for the same text.

        Returns:
            Gives the block the reporter of the stage: `advance` counts the stage's bytes, all else
            goes where this reporter sends it.
        """
        del doing, total, then
        return nullcontext(self)


SILENT = Reporter()
"""Ignores all reports."""


class Recorder(Struct, Reporter):
    """Keeps lines, to report them in another process.

    Attributes:
        lines: the method of `Reporter` and the text of each line.
    """

    lines: list[tuple[str, str]] = field(default_factory=list)

    def say(self, line: str) -> None:
        """Keep a line about work."""
        self.lines.append(("say", line))

    def note(self, line: str) -> None:
        """Keep a fact about the input."""
        self.lines.append(("note", line))

    def warn(self, line: str) -> None:
        """Keep a warning."""
        self.lines.append(("warn", line))

    def tell(self, reporter: Reporter) -> None:
        """Report all lines."""
        for method, line in self.lines:
            getattr(reporter, method)(line)


def unreported(reporter: Reporter) -> Recorder:
    """Return lines that `reporter` keeps for another process; none of one that reported them."""
    return reporter if isinstance(reporter, Recorder) else Recorder()


class Once(Struct, Reporter):
    """Reports each line once, though a trace is read more than once.

    Attributes:
        reporter: receives the lines that are new.
        said: the lines so far; the reporters of stages share them.
    """

    reporter: Reporter
    said: set[str] = field(default_factory=set)

    def say(self, line: str) -> None:
        """Report a note that is new."""
        if line not in self.said:
            self.said.add(line)
            self.reporter.say(line)

    def note(self, line: str) -> None:
        """Report a fact about the input that is new."""
        if line not in self.said:
            self.said.add(line)
            self.reporter.note(line)

    def warn(self, line: str) -> None:
        """Report a warning that is new."""
        if line not in self.said:
            self.said.add(line)
            self.reporter.warn(line)

    def advance(self, size: int) -> None:
        """Count bytes."""
        self.reporter.advance(size)

    @contextmanager
    def stage(
        self, doing: str, total: int | None = None, then: str | None = None
    ) -> Iterator[Reporter]:
        """Show a stage, in which each line is reported once as well."""
        with self.reporter.stage(doing, total, then) as stage:
            yield Once(stage, self.said)
