"""Draw a line per stage at the end of a terminal: its text, its share done, the time left.

Lines printed meanwhile go above; the stages are erased at the end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    Progress,
    ProgressColumn,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Column
from rich.text import Text

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.progress import Task, TaskID

    from tp_tools.cli.stage import Stage

_A_REDRAW_S = 0.2
"""Seconds that a redraw may take on a slow terminal."""

_AN_HOUR_S = 3600.0
"""Seconds over which speed is averaged: ranks are counted one by one, minutes apart."""


class _Counted(ProgressColumn):
    """A column for stages with a count; `other`, or nothing, for those without."""

    def __init__(self, counted: ProgressColumn, other: ProgressColumn | None = None) -> None:
        super().__init__(Column(no_wrap=True))
        self._counted, self._other = counted, other

    def render(self, task: Task) -> RenderableType:
        """Return the cell of a stage."""
        if task.total is not None:
            return self._counted(task)
        return Text() if self._other is None else self._other(task)


class Bars:
    """The lines of stages, on the terminal until `close`."""

    def __init__(self) -> None:
        self._tasks: dict[Stage, TaskID] = {}
        doing = Column(no_wrap=True, overflow="ellipsis")
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False, table_column=doing),
            _Counted(BarColumn(20)),
            _Counted(DownloadColumn()),
            _Counted(TimeRemainingColumn(), TimeElapsedColumn()),
            console=Console(stderr=True),
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            speed_estimate_period=_AN_HOUR_S,
        )
        self._progress.start()

    def add(self, stage: Stage) -> None:
        """Add the line of a stage below the others."""
        total, done = stage.total, stage.done
        task = self._progress.add_task(stage.doing, total=total, completed=done)
        self._progress.tasks[-1].start_time = stage.began
        self._progress.advance(task, 0)  # speed is counted from here
        self._tasks[stage] = task

    def remove(self, stage: Stage) -> None:
        """Remove the line of a stage."""
        self._progress.remove_task(self._tasks.pop(stage))

    def advance(self, stage: Stage, count: int) -> None:
        """Count bytes of a stage."""
        self._progress.advance(self._tasks[stage], count)

    def say(self, line: str) -> None:
        """Print a line above the stages, without markup."""
        self._progress.console.print(Text(line), soft_wrap=True)

    def freeze(self) -> None:
        """Keep the thread that redraws from doing so again; for a process that ends now.

        The lock is one that this thread may hold already, and it is never given back.
        """
        self._progress.live._lock.acquire(timeout=_A_REDRAW_S)  # noqa: SLF001  rich has no other way

    def close(self) -> None:
        """Erase all lines of stages."""
        self._progress.stop()
