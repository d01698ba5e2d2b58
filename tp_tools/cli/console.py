"""What is said while a command works: lines and progress on stderr, none with --quiet."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

import click

from tp_tools.cli.stages import Stages
from tp_tools.progress import silent

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from tp_tools.progress import ProgressCallback

_NO_CURSOR = ("dumb", "unknown")
"""Terminals, as $TERM says, on which no line can be taken back."""


class Console:
    """Speaks to the person at the terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._stages = Stages()

    def say(self, line: str) -> None:
        """One line on stderr."""
        if not self.quiet and not self._stages.say(line):
            click.echo(line, err=True)

    def warn(self, line: str) -> None:
        """A line that is said even with --quiet: something was lost or could not be done."""
        warning = f"tp-tools: warning: {line}"
        if not self._stages.say(warning):
            click.echo(warning, err=True)

    def progress(
        self, doing: str, total: int | None = None, then: str | None = None, /
    ) -> AbstractContextManager[ProgressCallback]:
        """A stage of the work, shown on a terminal while the block runs, if it takes long.

        See `tp_tools.progress.Progress`. A thread shows it, so processes that are to be forked
        have to be before. Nothing may go to stdout meanwhile: it may be the same terminal.
        """
        if self.quiet or not _can_take_back():
            return silent(doing, total, then)
        return self._stages.stage(doing, total, then)

    def over(self) -> None:
        """A piece of work has ended: stages of the next are shown if that takes long itself."""
        self._stages.over()


def _can_take_back() -> bool:
    """Whether what stderr shows can be taken off again."""
    return (
        sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in _NO_CURSOR
    )
