"""Share calls among workers and return results in order; calls work on batches or ranks."""

from __future__ import annotations

import sys
from collections import deque
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeVar

from msgspec import Struct

from tp_tools.processes.outcomes import attempt

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Sequence

    from tp_tools.processes.worker import Call

T = TypeVar("T")

LOST = sys.maxsize
"""Number of pending tasks that a worker reports once it has ended."""


class Task(Generic[T]):
    """A call that was submitted to a worker, and its outcome once the worker has answered."""

    def __init__(self, call: Call[T], worker: Worker) -> None:
        self.call, self._worker = call, worker
        self.outcome: Call[T] | None = None

    def is_done(self) -> bool:
        """Tell whether `result` returns without waiting."""
        self._worker.pending_count()
        return self.outcome is not None

    def result(self) -> T:
        """Return or raise the outcome of the call; call here if the worker has ended."""
        while self.outcome is None:
            self._worker.receive()
        return self.outcome()


class Worker(Protocol):
    """A worker that does tasks in the order in which they are submitted."""

    def pending_count(self) -> int:
        """Return the number of tasks without an answer; `LOST` if the worker has ended."""

    def has_room(self) -> bool:
        """Tell whether it has taken all that was submitted, so that more can be sent at once."""

    def submit(self, task: Task[Any]) -> None:
        """Submit a task."""

    def receive(self) -> None:
        """Wait for the next answer and set it as the outcome of its task."""

    def fileno(self) -> int:
        """Return the file descriptor that is readable once the worker has answered or ended."""


class _Done(Struct, Generic[T], frozen=True):
    """The result of a call that this process did."""

    value: T

    def is_done(self) -> bool:
        return True

    def result(self) -> T:
        return self.value


class Pool(Struct, frozen=True):
    """Workers and how they share calls.

    Attributes:
        workers: the processes; if empty, this process does all calls.
        ahead: most pending tasks of a worker, the task that it works on included.
        helps: whether this process does a call itself if all workers have `ahead` tasks, or have
            yet to take one; else it waits for a worker.
    """

    workers: Sequence[Worker] = ()
    ahead: int = 4
    helps: bool = True

    is_elsewhere: ClassVar[bool] = False
    """Whether calls may be done on other machines, which lack the files of this one."""

    @property
    def size(self) -> int:
        """Number of processes that do calls."""
        return len(self.workers) + (self.helps or not self.workers)

    def map_ordered(self, calls: Iterable[Call[T]]) -> Generator[T]:
        """Do calls and yield their results in order.

        If the pool does not help, at most one result per worker waits to be yielded.

        Args:
            calls: the calls, taken one by one as workers become free.

        Yields:
            The result of each call.

        Raises:
            Exception: the error of a call, in place of its result.
        """
        tasks: deque[Task[T] | _Done[T]] = deque()
        for call in calls:
            tasks.append(self._task(call))
            while tasks and (tasks[0].is_done() or self._has_enough(len(tasks))):
                yield tasks.popleft().result()
        while tasks:
            yield tasks.popleft().result()

    def outcomes(self, calls: Iterable[Call[T]]) -> Generator[Call[T]]:
        """Do calls and yield their outcomes in order, so that one that fails stops no other.

        Args:
            calls: as in `map_ordered`.

        Yields:
            For each call one that returns its result or raises its error.
        """
        yield from self.map_ordered(partial(attempt, call) for call in calls)

    def begin(self, call: Call[T]) -> Task[T] | None:
        """Begin a call on a worker, which does it beside the work of this process.

        Returns:
            The task, to ask for its result later; None if no worker is free.
        """
        worker = self._free_worker()
        return None if worker is None else _submitted(call, worker)

    def on_each_worker(self, call: Call[object]) -> None:
        """Have every worker do a call before its next task; ignore its result and errors."""
        for worker in self.workers:
            worker.submit(Task(call, worker))

    def _has_enough(self, count: int) -> bool:
        """Tell whether `count` tasks are enough, so that the next result must be yielded."""
        return not self.helps and count > len(self.workers)

    def _task(self, call: Call[T]) -> Task[T] | _Done[T]:
        """Submit a call to a free worker, or do it here."""
        worker = self._free_worker()
        if worker is None or (self.helps and not worker.has_room()):
            return _Done(call())
        return _submitted(call, worker)

    def _free_worker(self) -> Worker | None:
        """Return the worker with the fewest tasks; None if this process must do the call."""
        while self.workers:
            counts = [worker.pending_count() for worker in self.workers]
            least = min(counts)
            if least < self.ahead:
                return self.workers[counts.index(least)]
            if self.helps or least == LOST:
                return None
            from multiprocessing.connection import wait  # noqa: PLC0415  only with workers

            alive = zip(self.workers, counts, strict=True)
            wait({worker.fileno() for worker, count in alive if count != LOST})
        return None


def _submitted(call: Call[T], worker: Worker) -> Task[T]:
    """Submit a call and return its task."""
    task = Task(call, worker)
    worker.submit(task)
    return task


ALONE = Pool()
"""No workers: this process does all calls."""
