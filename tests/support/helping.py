"""Pools whose workers work in the process of the test."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING, Any

from tp_tools.processes.pool import LOST, Pool

if TYPE_CHECKING:
    from tp_tools.processes.pool import Task


_ALWAYS = os.open(os.devnull, os.O_RDONLY)


class Slow:
    """A worker that does a task every few times it is asked, and may be killed after some."""

    def __init__(self, every: int, lives: int | None = None) -> None:
        self.every, self.lives, self.calls = every, lives, 0
        self.tasks: list[Task[Any]] = []

    def pending_count(self) -> int:
        """Same as of a worker."""
        self.calls += 1
        if self.tasks and self.calls % self.every == 0:
            self.receive()
        return LOST if self.lives is not None and self.lives < 0 else len(self.tasks)

    def has_room(self) -> bool:
        """Same as of a worker."""
        return True

    def submit(self, task: Task[Any]) -> None:
        """Same as of a worker."""
        self.tasks.append(task)

    def fileno(self) -> int:
        """Same as of a worker; this one is always ready."""
        return _ALWAYS

    def receive(self) -> None:
        """Same as of a worker."""
        if self.lives is not None:
            self.lives -= 1
            if self.lives < 0:
                for task in self.tasks:
                    task.outcome = task.call
                self.tasks.clear()
                return
        task = self.tasks.pop(0)
        value = task.call()
        task.outcome = lambda: value


def kill_one(pool: Pool) -> None:
    """Kills a worker, as the system does when memory runs out."""
    process = pool.workers[0].process  # type: ignore[attr-defined]
    process.kill()
    process.wait() if isinstance(process, subprocess.Popen) else process.join()


def here(size: int) -> Pool:
    """A pool of workers in this process, each slower than the one before."""
    return Pool([Slow(every) for every in range(1, size)])
