"""Start and end the workers of a pool: processes on this machine.

Each worker has two pipes of its own whose ends no other process holds. So the parent notices at any
moment that a worker was killed, and a worker notices that its parent was. The processes of
`concurrent.futures.ProcessPoolExecutor` share one pipe of results: a worker that is killed while it
sends a large result leaves the parent waiting for ever (tried with Python 3.11).
"""

from __future__ import annotations

import os
import pickle
import sys
from collections import deque
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from tp_tools.processes import signals
from tp_tools.processes.pool import LOST, Pool
from tp_tools.processes.worker import PICKLE, TextCall, TextFollows, serve_fork

if TYPE_CHECKING:
    import subprocess
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.process import BaseProcess

    from tp_tools.processes.pool import Task
    from tp_tools.processes.worker import Call, Ends

_PIPE = 1 << 20
"""Bytes of a pipe: the most that Linux allows, so that workers go on while the parent is busy."""

_START = """
import sys
sys.path[:] = {path!r}
from tp_tools.processes.worker import serve
serve({ends})
"""
"""Program of a worker that is not a fork; it does not import the main module again."""


class _Process(Struct):
    """A worker in a process of its own.

    Attributes:
        process: the process.
        wait: waits until the process has ended.
        calls, results: the parent's ends of the pipes.
    """

    process: BaseProcess | subprocess.Popen[bytes]
    wait: Callable[[], object]
    calls: Connection
    results: Connection
    _tasks: deque[Task[Any]] = field(default_factory=deque)
    _is_lost: bool = False

    def pending_count(self) -> int:
        while self._tasks and self.results.poll():
            self.receive()
        return LOST if self._is_lost else len(self._tasks)

    def has_room(self) -> bool:
        import fcntl  # noqa: PLC0415  there are workers on POSIX only
        import termios  # noqa: PLC0415

        unread = bytearray(4)
        try:
            fcntl.ioctl(self.calls.fileno(), termios.FIONREAD, unread)
        except OSError:  # the system does not tell
            return True
        return not any(unread)

    def submit(self, task: Task[Any]) -> None:
        self._tasks.append(task)
        with suppress(OSError):  # the worker has ended; `receive` finds that out
            self._send(task.call)

    def fileno(self) -> int:
        return self.results.fileno()

    def _send(self, call: Call[Any]) -> None:
        if not isinstance(call, TextCall):
            self.calls.send_bytes(pickle.dumps(call, PICKLE))
            return
        self.calls.send_bytes(pickle.dumps(TextFollows(call.function), PICKLE))
        self.calls.send_bytes(call.text)

    def receive(self) -> None:
        try:
            answer = self.results.recv_bytes()
        except (EOFError, OSError):  # OSError: the pipe ends within an answer
            self._is_lost = True
            while self._tasks:
                task = self._tasks.popleft()
                task.outcome = task.call
            return
        self._tasks.popleft().outcome = pickle.loads(answer)  # noqa: S301  sent by our own worker

    def end(self) -> None:
        """Kill the process and wait for its end."""
        self.calls.close()
        self.results.close()
        self.kill()
        self.wait()

    def kill(self) -> None:
        """Kill the process; do not wait for its end."""
        self.process.kill()


def usual_jobs() -> int:
    """Return the number of cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


SMALL = 2 << 20
"""Bytes of traces on disk below which new interpreters take longer to start than they save: each
takes 0.35 s of CPU, and a fork 0.01 s."""


def default_jobs(size: int) -> int:
    """Return the number of processes that work on traces where the user names none.

    Args:
        size: bytes of the traces on disk.

    Returns:
        The cores; 1 for small traces where workers would be new interpreters.
    """
    return usual_jobs() if size >= SMALL or _may_fork() else 1


@contextmanager
def open_pool(workers: int, *, ahead: int = 4, helps: bool = True) -> Iterator[Pool]:
    """Open a pool while the block runs; its processes end with the block, or with this process.

    Workers are forks of this process if it has one thread: they start at once and have its imported
    modules. Else they are new interpreters.

    Args:
        workers: number of processes in addition to this one; fewer if the system refuses more, and
            none on systems other than POSIX.
        ahead: as in `Pool`.
        helps: as in `Pool`.

    Yields:
        The pool.
    """
    started: list[_Process] = []

    def kill_all() -> None:
        for process in started:
            process.kill()

    forget = signals.at_end(kill_all)
    try:
        with suppress(
            OSError
        ):  # the system refuses more processes or files: go on with those that started
            start = _fork if _may_fork() else _new_process
            for _ in range(workers if os.name == "posix" else 0):
                started.append(start(started))
        yield Pool(started, ahead, helps)
    finally:
        forget()
        for process in started:
            process.end()


def is_single_threaded() -> bool:
    """Tell whether this process has one thread, native ones included; False if not on Linux."""
    threads = Path("/proc/self/task")
    return threads.is_dir() and len(list(threads.iterdir())) == 1


def _may_fork() -> bool:
    import multiprocessing  # noqa: PLC0415  0.01 s, and only pools need it

    return is_single_threaded() and not multiprocessing.current_process().daemon


def _fork(before: Sequence[_Process]) -> _Process:
    """Start a worker that is a fork of this process and closes the pipes of those `before`."""
    import multiprocessing  # noqa: PLC0415  as above

    ours, theirs = _pipes()
    to_close = [*ours, *(end for process in before for end in (process.calls, process.results))]
    context = multiprocessing.get_context("fork")
    process = context.Process(target=serve_fork, args=(theirs, to_close), daemon=True)
    with signals.held_back():  # multiprocessing knows of the fork only at the end of `start`
        process.start()
    for end in theirs:
        end.close()
    return _Process(process, process.join, *ours)


def _new_process(_before: Sequence[_Process]) -> _Process:
    """Start a worker that is a new interpreter and runs `_START`."""
    import subprocess  # noqa: PLC0415  0.01 s, and only some pools need it

    ours, theirs = _pipes()
    numbers = [end.fileno() for end in theirs]
    program = _START.format(path=sys.path, ends=", ".join(map(str, numbers)))
    process = subprocess.Popen(  # noqa: S603  this interpreter and the text above
        [sys.executable, "-c", program],
        stdin=subprocess.DEVNULL,
        pass_fds=numbers,
        start_new_session=True,  # Ctrl-C goes to the parent only
    )
    for end in theirs:
        end.close()
    return _Process(process, process.wait, *ours)


def _pipes() -> tuple[Ends, Ends]:
    """Open the pipes of a worker with large buffers; return the parent's and the worker's ends."""
    import multiprocessing  # noqa: PLC0415  as above

    calls, our_calls = multiprocessing.Pipe(duplex=False)
    our_results, results = multiprocessing.Pipe(duplex=False)
    for end in (calls, results):
        with suppress(
            ImportError, AttributeError, OSError
        ):  # only Linux can; other systems are slower
            import fcntl  # noqa: PLC0415

            fcntl.fcntl(end.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)
    return (our_calls, our_results), (calls, results)
