"""Show the stages under way on a terminal, once they take long."""

from __future__ import annotations

import os
import sys
import threading
import time
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from tp_tools.cli.stage import Stage
from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.cli.progress_bars import Bars

PATIENCE_S = 0.5
"""Seconds of work before stages are shown."""

PATIENCE_KEY = "tp_tools.patience_s"
"""Key of these seconds in `meta` of click's context."""


class Stages:
    """The stages under way, one inside another; a line for each at the end of a terminal.

    The terminal shows no stage before work has gone on for `patience_s`, between stages, and after
    the last. Any thread may count bytes.
    """

    def __init__(self, patience_s: float = PATIENCE_S) -> None:
        self._patience_s = patience_s
        self._lock = threading.RLock()
        self._open: list[Stage] = []
        self._since: float | None = None
        self._timer: threading.Timer | None = None
        self._bars: Bars | None = None
        self._unregister_signal: Callable[[], None] = lambda: None

    @contextmanager
    def stage(self, doing: str, total: int | None, then: str | None) -> Iterator[Stage]:
        """Show a stage while the block runs; `advance` counts its bytes."""
        stage = Stage(doing, total, then, time.monotonic())
        with self._lock:
            self._enter(stage)
        try:
            yield stage
        finally:
            with self._lock:
                self._leave(stage)

    def say(self, line: str) -> bool:
        """Print a line above the stages; False if none is shown, and nothing was printed."""
        with self._lock:
            if self._bars is not None:
                self._bars.say(line)
            return self._bars is not None

    def over(self) -> None:
        """End a unit of work: the next one shows stages if it takes long itself."""
        with self._lock:
            self._since = None

    def _enter(self, stage: Stage) -> None:
        """Open a stage; show it now or once `patience_s` is over. The caller holds the lock."""
        self._open.append(stage)
        if self._bars is not None:
            self._bars.add(stage)
        elif len(self._open) == 1:
            self._since = self._since or stage.began
            left = self._since + self._patience_s - stage.began
            if left <= 0:
                self._show()
                return
            self._timer = threading.Timer(left, self._show)
            self._timer.daemon = True
            self._timer.start()

    def _leave(self, stage: Stage) -> None:
        """Close a stage; with the last one, clear the terminal. The caller holds the lock."""
        self._open.remove(stage)
        if self._bars is not None:
            self._bars.remove(stage)
        if self._open:
            return
        if self._timer is not None:
            self._timer.cancel()
        if self._bars is not None:
            bars, self._bars = self._bars, None
            self._unregister_signal()
            with suppress(OSError):  # the terminal is gone
                bars.close()

    def advance(self, stage: Stage, count: int) -> None:
        """Add bytes to a stage; once all are done, go on to its `then`."""
        with self._lock:
            stage.done += count
            if stage.then is not None and stage.total is not None and stage.done >= stage.total:
                stage.doing, stage.total, stage.then, stage.began = (
                    stage.then,
                    None,
                    None,
                    time.monotonic(),
                )
                if self._bars is not None:
                    self._bars.remove(stage)
                    self._bars.add(stage)
            elif self._bars is not None:
                self._bars.advance(stage, count)

    def _wipe(self) -> None:
        """Stop redraws and erase the lines, when a signal ends the process."""
        if self._bars is not None:
            self._bars.freeze()
        lines = "\x1b[1A\x1b[2K" * (len(self._open) - 1)
        os.write(sys.stderr.fileno(), f"\r\x1b[2K{lines}\x1b[?25h".encode())

    def _show(self) -> None:
        """Show the open stages, if any are."""
        from tp_tools.cli.progress_bars import Bars  # noqa: PLC0415  0.1 s, for a terminal only

        with self._lock:
            if not self._open or self._bars is not None:
                return
            with suppress(OSError):
                self._bars = Bars()
            if self._bars is not None:
                self._unregister_signal = signals.at_end(self._wipe)
                for stage in self._open:
                    self._bars.add(stage)
