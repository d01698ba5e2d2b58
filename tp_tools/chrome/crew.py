"""Other processes that read a part of a trace, ready by the time they are asked.

Nothing heavy is imported here, so that they can start first, and import while this one does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    from tp_tools.chrome.source import Source

WORTH_IT = {".gz": 2 << 20, ".zst": 2 << 20}
"""Bytes of a file, by suffix, from which a second process saves more time than it takes."""

WORTH_IT_PLAIN = 24 << 20

MOST_READERS = 4


class Crew:
    """Those who help; each does one part of one trace.

    Attributes:
        size: how many there are, with this process.
    """

    def __init__(self, helpers: list[Connection]) -> None:
        """Takes the connections to them."""
        self._helpers = helpers
        self.size = len(helpers) + 1

    def ask(self, source: Source) -> list[Helper]:
        """Sets all of them to work on a trace, and gives them to be listened to."""
        for part, helper in enumerate(self._helpers, start=1):
            with suppress(BrokenPipeError, ConnectionResetError):  # what it says ends at once
                helper.send((source.path, source.name, part, self.size))
        return [_Process(helper) for helper in self._helpers]


class Helper(Protocol):
    """One who helps, at work."""

    def has_more(self) -> bool:
        """Whether `take` need not wait."""

    def take(self) -> Any:  # noqa: ANN401  what is pickled there
        """The next piece of its part; None behind the last, and if it was ended from outside."""


class _Process:
    """A helper in a process of its own."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def has_more(self) -> bool:
        return self._connection.poll()

    def take(self) -> Any:  # noqa: ANN401
        try:
            return self._connection.recv()
        except (EOFError, ConnectionResetError):
            return None


ALONE = Crew([])
"""Nobody helps."""


def usual_jobs() -> int:
    """One process per core that this one may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reading_jobs() -> int:
    """As many, up to where one more would hardly save time: each cuts the whole text."""
    return min(usual_jobs(), MOST_READERS)


@contextmanager
def crew(source: Source, jobs: int) -> Iterator[Crew]:
    """As many processes as `jobs`, with this one, while the block runs; none for a small file."""
    least = WORTH_IT.get(source.path.suffix, WORTH_IT_PLAIN)
    if jobs == 1 or source.size() < least:
        yield ALONE
        return
    context = _context()
    pipes = [multiprocessing.Pipe() for _ in range(jobs - 1)]
    ours, theirs = [here for here, _ in pipes], [end for _, end in pipes]
    processes = []
    try:
        for own in theirs:
            others = [*ours, *(end for end in theirs if end is not own)]
            process = context.Process(target=_help, args=(own, others), daemon=True)  # type: ignore[attr-defined]
            process.start()
            processes.append(process)
        for end in theirs:
            end.close()
        yield Crew(ours)
    finally:
        for here in ours:
            here.close()
        for process in processes:
            process.terminate()
            process.join()


def _context() -> BaseContext:
    """A process without threads may simply fork, which takes no time."""
    return multiprocessing.get_context("fork" if is_single_threaded() else "spawn")


def is_single_threaded() -> bool:
    """Whether this process surely has one thread, in Python and beneath it; Linux tells."""
    threads = Path("/proc/self/task")
    return threads.is_dir() and len(list(threads.iterdir())) == 1


def _help(connection: Connection, others: list[Connection]) -> None:
    """What a helper does: its part of one trace, if it is asked."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()  # or who is at their other end would not see that they were closed
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from tp_tools.chrome.share import share  # noqa: PLC0415  takes a while: before the question

    path: Path
    try:
        path, name, part, parts = connection.recv()
    except (EOFError, ConnectionResetError):
        return  # nobody wants it
    with ThreadPoolExecutor(1) as beside:  # who listens has work of his own in between
        for piece in share(path, name, part=part, parts=parts):
            beside.submit(connection.send, piece)
        beside.submit(connection.send, None)
