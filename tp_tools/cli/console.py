"""Print lines and progress on stderr while a command works; with --quiet only warnings."""

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
"""Values of $TERM of terminals that cannot erase a line."""


class Console:
    """Prints to stderr: lines, warnings, and the progress of stages."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet
        self._stages = Stages()

    def say(self, line: str) -> None:
        """Print a line."""
        if not self.quiet and not self._stages.say(line):
            click.echo(line, err=True)

    def warn(self, line: str) -> None:
        """Print a warning, even with --quiet: data was lost, or a step could not be done."""
        warning = f"tp-tools: warning: {line}"
        if not self._stages.say(warning):
            click.echo(warning, err=True)

    def progress(
        self, doing: str, total: int | None = None, then: str | None = None, /
    ) -> AbstractContextManager[ProgressCallback]:
        """Show a stage of the work on a terminal while the block runs, if the work takes long.

        See `tp_tools.progress.Progress`. A thread shows the stage, so fork processes before. Write
        nothing to stdout in the block: it may be the same terminal.
        """
        if self.quiet or not _can_erase():
            return silent(doing, total, then)
        return self._stages.stage(doing, total, then)

    def over(self) -> None:
        """End a unit of work, such as one trace: the next shows stages if it takes long itself."""
        self._stages.over()


def _can_erase() -> bool:
    """Tell whether stderr is a terminal that can erase lines."""
    return (
        sys.stderr is not None and sys.stderr.isatty() and os.environ.get("TERM") not in _NO_CURSOR
    )
