"""What is said while a command works: lines and progress on stderr, none with --quiet."""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_WORTH_A_BAR = 2 << 20
"""Bytes on disk below which no bar is shown: the work is over before it is read."""


class Talk:
    """Speaks to the person at the terminal."""

    def __init__(self, *, quiet: bool) -> None:
        self.quiet = quiet

    def say(self, line: str) -> None:
        """One line on stderr."""
        if not self.quiet:
            click.echo(line, err=True)

    def warn(self, line: str) -> None:
        """A line that is said even with --quiet: something was lost or could not be done."""
        click.echo(f"tp-tools: warning: {line}", err=True)

    @contextmanager
    def progress(self, doing: str, total: int) -> Iterator[Callable[[int], None]]:
        """A bar on a terminal; gives a function to be told of bytes done.

        Args:
            doing: what is done: "reading rank0.json.gz".
            total: bytes in all.
        """
        if self.quiet or total < _WORTH_A_BAR or not sys.stderr.isatty():
            yield lambda _: None
            return
        from rich.console import Console  # noqa: PLC0415  0.1 s, for a terminal only
        from rich.progress import (  # noqa: PLC0415
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
        console = Console(stderr=True)
        with Progress(*columns, TimeRemainingColumn(), console=console, transient=True) as bar:
            task = bar.add_task(doing, total=total)
            yield lambda done: bar.advance(task, done)
