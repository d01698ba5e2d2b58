"""Print lines and progress on stderr while a command works; with --quiet only warnings."""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from msgspec import Struct

from tp_tools.cli.prose import wrapped
from tp_tools.cli.stages import PATIENCE_S, Stages
from tp_tools.progress import Reporter

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from tp_tools.cli.stage import Stage

_NO_CURSOR = ("dumb", "unknown")
"""Values of $TERM of terminals that cannot erase a line."""


class Console(Reporter):
    """Prints to stderr: lines, warnings, and the progress of stages."""

    def __init__(self, *, quiet: bool, patience_s: float = PATIENCE_S) -> None:
        self.quiet = quiet
        self._stages = Stages(patience_s)

    def say(self, line: str) -> None:
        """Print a line."""
        text = wrapped(line, sys.stderr)
        if not self.quiet and not self._stages.say(text):
            click.echo(text, err=True)

    def warn(self, line: str) -> None:
        """Print a warning, even with --quiet: data was lost, or a step could not be done."""
        warning = wrapped(f"tp-tools: warning: {line}", sys.stderr)
        if not self._stages.say(warning):
            click.echo(warning, err=True)

    @contextmanager
    def stage(
        self, doing: str, total: int | None = None, then: str | None = None
    ) -> Iterator[Reporter]:
        """Show a stage of the work on a terminal while the block runs, if the work takes long.

        A thread shows the stage, so fork processes before. Write
        nothing to stdout in the block: it may be the same terminal.
        """
        if self.quiet or not _can_erase():
            yield self
            return
        with self._stages.stage(doing, total, then) as stage:
            yield _InStage(self, self._stages, stage)

    def over(self) -> None:
        """End a unit of work, such as one trace: the next shows stages if it takes long itself."""
        self._stages.over()


class _InStage(Struct, Reporter, frozen=True):
    """Counts the bytes of one stage; prints all else by the console."""

    console: Console
    stages: Stages
    shown: Stage

    def say(self, line: str) -> None:
        """Print a line."""
        self.console.say(line)

    def warn(self, line: str) -> None:
        """Print a warning."""
        self.console.warn(line)

    def advance(self, size: int) -> None:
        """Add bytes to the stage."""
        self.stages.advance(self.shown, size)

    def stage(
        self, doing: str, total: int | None = None, then: str | None = None
    ) -> AbstractContextManager[Reporter]:
        """Show a stage inside this one."""
        return self.console.stage(doing, total, then)


def _can_erase() -> bool:
    """Tell whether stderr is a terminal that can erase lines."""
    return (
        sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in _NO_CURSOR
    )
