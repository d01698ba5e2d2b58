"""What is being done right now: the stages that are under way, shown once they take long."""

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
    from tp_tools.progress import ProgressCallback

PATIENCE_S = 0.5
"""Work that takes less is over before one wonders."""


class Stages:
    """The stages under way, one inside another; a line for each at the end of a terminal.

    Nothing is on the terminal before work has gone on for `PATIENCE_S`, between stages, and behind
    the last. Bytes may be told from any thread.
    """

    def __init__(self) -> None:
        self._lock = threading.RLock()
        self._open: list[Stage] = []
        self._since: float | None = None
        self._timer: threading.Timer | None = None
        self._bars: Bars | None = None
        self._forget: Callable[[], None] = lambda: None

    @contextmanager
    def stage(self, doing: str, total: int | None, then: str | None) -> Iterator[ProgressCallback]:
        """A stage, as long as the block runs."""
        it = Stage(doing, total, then, time.monotonic())
        with self._lock:
            self._enter(it)
        try:
            yield lambda count: self._advance(it, count)
        finally:
            with self._lock:
                self._leave(it)

    def say(self, line: str) -> bool:
        """Puts a line above the stages; whether there are any to put it above."""
        with self._lock:
            if self._bars is not None:
                self._bars.say(line)
            return self._bars is not None

    def over(self) -> None:
        """Work has come to an end: what comes next is shown if it takes long itself."""
        with self._lock:
            self._since = None

    def _enter(self, it: Stage) -> None:
        self._open.append(it)
        if self._bars is not None:
            self._bars.add(it)
        elif len(self._open) == 1:
            self._since = self._since or it.began
            left = self._since + PATIENCE_S - it.began
            if left <= 0:
                self._show()
                return
            self._timer = threading.Timer(left, self._show)
            self._timer.daemon = True
            self._timer.start()

    def _leave(self, it: Stage) -> None:
        self._open.remove(it)
        if self._bars is not None:
            self._bars.remove(it)
        if self._open:
            return
        if self._timer is not None:
            self._timer.cancel()
        if self._bars is not None:
            bars, self._bars = self._bars, None
            self._forget()
            with suppress(OSError):  # the terminal is gone, and nobody is there to see it
                bars.close()

    def _advance(self, it: Stage, count: int) -> None:
        with self._lock:
            it.done += count
            if it.then is not None and it.total is not None and it.done >= it.total:
                it.doing, it.total, it.then, it.began = it.then, None, None, time.monotonic()
                if self._bars is not None:
                    self._bars.remove(it)
                    self._bars.add(it)
            elif self._bars is not None:
                self._bars.advance(it, count)

    def _wipe(self) -> None:
        """Takes the lines off the terminal when a signal ends the process, whoever holds a lock."""
        lines = "\x1b[1A\x1b[2K" * (len(self._open) - 1)
        os.write(sys.stderr.fileno(), f"\r\x1b[2K{lines}\x1b[?25h".encode())

    def _show(self) -> None:
        from tp_tools.cli.progress_bars import Bars  # noqa: PLC0415  0.1 s, for a terminal only

        with self._lock:
            if not self._open or self._bars is not None:
                return
            with suppress(OSError):
                self._bars = Bars()
            if self._bars is not None:
                self._forget = signals.at_end(self._wipe)
                for it in self._open:
                    self._bars.add(it)
