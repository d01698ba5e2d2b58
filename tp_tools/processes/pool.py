"""A pool of processes that work on batches of a trace or on ranks; results come in order.

A worker has two pipes of its own, and nobody else holds their ends: the parent notices a worker
that was killed at any moment, and a worker notices that its parent was. In
`concurrent.futures.ProcessPoolExecutor` all processes hold one pipe of results, so a worker that is
killed while it sends a large result leaves the parent waiting for ever (tried with Python 3.11).
"""

from __future__ import annotations

import multiprocessing
import os
import pickle
import subprocess
import sys
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Protocol, TypeVar

from tp_tools.processes import signals
from tp_tools.processes.worker import (
    PICKLE,
    Room,
    TextCall,
    TextElsewhere,
    serve_copy,
)

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from tp_tools.processes.worker import Call, Ends

T = TypeVar("T")

LOST = sys.maxsize
"""Stands for the number of tasks of a worker that has ended."""

_PIPE = 1 << 20
"""Bytes of a pipe: as many as Linux allows, so that a worker can go on while the parent is busy."""

_START = """
import sys
sys.path[:] = {path!r}
from tp_tools.processes.worker import serve
serve({ends})
"""
"""Program of a worker that is no copy of this process: the main module is not imported again."""


class Task(Generic[T]):
    """A call that was given to a worker, and its outcome once the worker has answered."""

    def __init__(self, call: Call[T], worker: Worker) -> None:
        self.call, self._worker = call, worker
        self.outcome: Call[T] | None = None

    def is_done(self) -> bool:
        """Whether `result` need not wait."""
        self._worker.in_hand()
        return self.outcome is not None

    def result(self) -> T:
        """What the call returns or raises; it is done here if the worker has ended."""
        while self.outcome is None:
            self._worker.receive()
        return self.outcome()


class Worker(Protocol):
    """One that does tasks in the order in which they are submitted."""

    def in_hand(self) -> int:
        """How many tasks it has not answered; `LOST` if it has ended."""

    def submit(self, task: Task[Any]) -> None:
        """Gives it a task."""

    def receive(self) -> None:
        """Waits for its next answer, which becomes the outcome of the task."""

    def fileno(self) -> int:
        """The file that can be read once it has answered or ended."""


@dataclass(frozen=True)
class _Done(Generic[T]):
    """A call that was done here."""

    value: T

    def is_done(self) -> bool:
        return True

    def result(self) -> T:
        return self.value


@dataclass(frozen=True)
class Pool:
    """Workers, and how calls are shared among them.

    Attributes:
        workers: processes; without any, this process does all calls.
        ahead: how many tasks a worker is given at a time: one to work on, others to go on with.
        helps: whether this process does a call, too, when all workers have enough tasks; else it
            waits for one of them.
    """

    workers: Sequence[Worker] = ()
    ahead: int = 4
    helps: bool = True

    @property
    def size(self) -> int:
        """How many processes do calls."""
        return len(self.workers) + (self.helps or not self.workers)

    def map_ordered(self, calls: Iterable[Call[T]]) -> Generator[T]:
        """The results of calls, in their order.

        A pool that does not help begins a call only when at most one result per worker is due.

        Args:
            calls: taken one by one, as workers get free.

        Raises:
            Exception: what a call raised, when its turn comes.
        """
        tasks: deque[Task[T] | _Done[T]] = deque()
        for call in calls:
            tasks.append(self._task(call))
            while tasks and (tasks[0].is_done() or self._has_enough(len(tasks))):
                yield tasks.popleft().result()
        while tasks:
            yield tasks.popleft().result()

    def on_each_worker(self, call: Call[object]) -> None:
        """Has every worker do a call before its next task; its result and errors are dropped."""
        for worker in self.workers:
            worker.submit(Task(call, worker))

    def _has_enough(self, count: int) -> bool:
        return not self.helps and count > len(self.workers)

    def _task(self, call: Call[T]) -> Task[T] | _Done[T]:
        worker = self._free_worker()
        if worker is None:
            return _Done(call())
        task = Task(call, worker)
        worker.submit(task)
        return task

    def _free_worker(self) -> Worker | None:
        """The one with the fewest tasks; None if this process is to do the call."""
        while self.workers:
            in_hand = [worker.in_hand() for worker in self.workers]
            least = min(in_hand)
            if least < self.ahead:
                return self.workers[in_hand.index(least)]
            if self.helps or least == LOST:
                return None
            alive = zip(self.workers, in_hand, strict=True)
            wait({worker.fileno() for worker, count in alive if count != LOST})
        return None


ALONE = Pool()
"""No workers: this process does all calls."""


@dataclass
class _Process:
    """A worker in a process of its own.

    Attributes:
        process: its process.
        calls, results: our ends of its pipes.
        room: memory shared with it; None if it has none.
    """

    process: BaseProcess | subprocess.Popen[bytes]
    calls: Connection
    results: Connection
    room: Room | None
    _tasks: deque[Task[Any]] = field(default_factory=deque)
    _is_lost: bool = False

    def in_hand(self) -> int:
        while self._tasks and self.results.poll():
            self.receive()
        return LOST if self._is_lost else len(self._tasks)

    def submit(self, task: Task[Any]) -> None:
        self._tasks.append(task)
        with suppress(OSError):  # it has ended, which `receive` finds
            self._send(task.call)

    def fileno(self) -> int:
        return self.results.fileno()

    def _send(self, call: Call[Any]) -> None:
        if not isinstance(call, TextCall):
            self.calls.send_bytes(pickle.dumps(call, PICKLE))
            return
        place = self.room.put(call.text) if self.room else None
        self.calls.send_bytes(pickle.dumps(TextElsewhere(call.function, place), PICKLE))
        if place is None:
            self.calls.send_bytes(call.text)

    def receive(self) -> None:
        try:
            answer = self.results.recv_bytes()
        except (EOFError, OSError):  # the second one amid an answer
            self._is_lost = True
            while self._tasks:
                task = self._tasks.popleft()
                task.outcome = task.call
            return
        self._tasks.popleft().outcome = pickle.loads(answer)  # noqa: S301  from our own worker

    def end(self) -> None:
        """Ends the process, whatever it is doing."""
        self.calls.close()
        self.results.close()
        self.kill()
        if isinstance(self.process, subprocess.Popen):
            self.process.wait()
        else:
            self.process.join()

    def kill(self) -> None:
        """Kill the process; do not wait for its end."""
        self.process.kill()


def usual_jobs() -> int:
    """Number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def open_pool(workers: int, *, ahead: int = 4, helps: bool = True) -> Iterator[Pool]:
    """A pool, while the block runs; its processes end with the block, or with this process.

    Workers are copies of this process where it has one thread: that takes no time, and they have
    the modules that are imported by now. Else they start anew, and import what they need.

    Args:
        workers: number of processes besides this one; fewer are started where the system allows no
            more, and none where it is no POSIX system.
        ahead: as in `Pool`.
        helps: as in `Pool`.
    """
    start = _copy if _may_copy() else _new_process
    started: list[_Process] = []

    def kill_all() -> None:
        for process in started:
            process.kill()

    forget = signals.at_end(kill_all)
    try:
        with suppress(OSError):  # no more processes, or no more files: those that there are work
            for _ in range(workers if os.name == "posix" else 0):
                started.append(start(started, ahead))
        yield Pool(started, ahead, helps)
    finally:
        forget()
        for process in started:
            process.end()


def is_single_threaded() -> bool:
    """Whether this process surely has one thread, in Python and beneath it; Linux tells."""
    threads = Path("/proc/self/task")
    return threads.is_dir() and len(list(threads.iterdir())) == 1


def _may_copy() -> bool:
    return is_single_threaded() and not multiprocessing.current_process().daemon


def _copy(before: Sequence[_Process], ahead: int) -> _Process:
    """A worker that is a copy of this process, as those `before` may be, too."""
    ours, theirs = _pipes()
    room = Room(ahead)
    to_close = [*ours, *(end for process in before for end in (process.calls, process.results))]
    context = multiprocessing.get_context("fork")
    process = context.Process(target=serve_copy, args=(theirs, room, to_close), daemon=True)
    process.start()
    for end in theirs:
        end.close()
    return _Process(process, *ours, room)


def _new_process(_before: Sequence[_Process], _ahead: int) -> _Process:
    """A worker that runs the main module of nobody, but `_START`."""
    ours, theirs = _pipes()
    numbers = [end.fileno() for end in theirs]
    program = _START.format(path=sys.path, ends=", ".join(map(str, numbers)))
    process = subprocess.Popen(  # noqa: S603  this interpreter and the text above
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        pass_fds=numbers,
        start_new_session=True,  # Ctrl-C is its parent's
    )
    for end in theirs:
        end.close()
    return _Process(process, *ours, None)


def _pipes() -> tuple[Ends, Ends]:
    """The pipes of a worker, as wide as can be: our ends, and its ends."""
    calls, our_calls = multiprocessing.Pipe(duplex=False)
    our_results, results = multiprocessing.Pipe(duplex=False)
    for end in (calls, results):
        with suppress(ImportError, AttributeError, OSError):  # Linux can; else it takes longer
            import fcntl  # noqa: PLC0415

            fcntl.fcntl(end.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
    return (our_calls, our_results), (calls, results)
