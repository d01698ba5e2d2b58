"""Other processes that read runs of a trace, ready by the time they are given one.

Nothing heavy is imported here, so that they can start first, and import while this one does.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    from tp_tools.chrome.columns import Columns
    from tp_tools.chrome.source import Source

WORTH_IT = {".gz": 2 << 20, ".zst": 2 << 20}
"""Bytes of a file, by suffix, from which a second process saves more time than it takes."""

WORTH_IT_PLAIN = 24 << 20

MOST_READERS = 4

_PIPE = 1 << 20
"""Bytes of a pipe: a run, and what most systems allow."""


class Helper(Protocol):
    """One who reads runs of a trace."""

    def busy(self) -> int:
        """How many runs it was given that it has not read."""

    def give(self, text: bytes) -> None:
        """Gives it the next run, not the first one of a trace."""

    def has_more(self) -> bool:
        """Whether `take` need not wait."""

    def take(self) -> Columns | None:
        """What the next run says, in the order in which they were given; None as `read_run`."""

    def leave(self) -> None:
        """Nothing more is asked."""


@dataclass(frozen=True)
class Crew:
    """Those who help; each reads some runs of one trace."""

    helpers: Sequence[Helper]

    @property
    def size(self) -> int:
        """How many there are, with this process."""
        return len(self.helpers) + 1


class _Reader:
    """A helper in a process of its own; None is what it says of a run if it was ended."""

    def __init__(self, questions: Connection, answers: Connection) -> None:
        self._questions, self._answers = questions, answers
        self._said: deque[Columns | None] = deque()
        self._busy = 0

    def busy(self) -> int:
        self._listen()
        return self._busy

    def give(self, text: bytes) -> None:
        with suppress(OSError):  # it has ended, and will say None
            self._questions.send_bytes(text)
        self._busy += 1

    def has_more(self) -> bool:
        self._listen()
        return bool(self._said)

    def take(self) -> Columns | None:
        if not self._said:
            self._hear()
        return self._said.popleft()

    def leave(self) -> None:
        self._questions.close()  # at which it ends, and gives its memory back

    def _listen(self) -> None:
        while self._busy and self._answers.poll():
            self._hear()

    def _hear(self) -> None:
        try:
            self._said.append(self._answers.recv())
        except (EOFError, OSError):  # the second one amid an answer
            self._said.append(None)
        self._busy -= 1


ALONE = Crew(())
"""Nobody helps."""


def usual_jobs() -> int:
    """One process per core that this one may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def reading_jobs() -> int:
    """As many, up to where one more would hardly save time: one unpacks and cuts for all."""
    return min(usual_jobs(), MOST_READERS)


@contextmanager
def crew(source: Source, jobs: int) -> Iterator[Crew]:
    """As many processes as `jobs`, with this one, while the block runs; none for a small file."""
    least = WORTH_IT.get(source.path.suffix, WORTH_IT_PLAIN)
    if jobs == 1 or source.size() < least:
        yield ALONE
        return
    context = _context()
    pipes = [(context.Pipe(duplex=False), context.Pipe(duplex=False)) for _ in range(jobs - 1)]
    theirs = [(questions, answers) for (questions, _), (_, answers) in pipes]
    ours = [(questions, answers) for (_, questions), (answers, _) in pipes]
    ends = [*chain.from_iterable(theirs), *chain.from_iterable(ours)]
    for end in chain.from_iterable(theirs):
        _widen(end)
    processes = []
    try:
        for own in theirs:
            others = [end for end in ends if end not in own]
            process = context.Process(target=_help, args=(*own, others), daemon=True)  # type: ignore[attr-defined]
            process.start()
            processes.append(process)
        for end in chain.from_iterable(theirs):
            end.close()
        yield Crew([_Reader(*own) for own in ours])
    finally:
        for end in chain.from_iterable(ours):
            end.close()
        for process in processes:
            process.terminate()
            process.join()


def _widen(end: Connection) -> None:
    """Makes room for a run in a pipe, so that it can be given while another is read."""
    with suppress(ImportError, AttributeError, OSError):  # Linux can; elsewhere it takes longer
        import fcntl  # noqa: PLC0415

        fcntl.fcntl(end.fileno(), fcntl.F_SETPIPE_SZ, _PIPE)


def _context() -> BaseContext:
    """A process without threads may simply fork, which takes no time."""
    return multiprocessing.get_context("fork" if is_single_threaded() else "spawn")


def is_single_threaded() -> bool:
    """Whether this process surely has one thread, in Python and beneath it; Linux tells."""
    threads = Path("/proc/self/task")
    return threads.is_dir() and len(list(threads.iterdir())) == 1


def _help(questions: Connection, answers: Connection, others: list[Connection]) -> None:
    """What a helper does: it reads runs until none comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()  # or who is at their other end would not see that they were closed
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    from tp_tools.chrome.share import read_run  # noqa: PLC0415  takes a while: before the question

    # who listens has work of his own in between, and may be giving a run at the same time
    with ThreadPoolExecutor(1) as beside, suppress(EOFError, OSError):
        while True:
            beside.submit(_answer, answers, read_run(questions.recv_bytes()))


def _answer(answers: Connection, run: Columns | None) -> None:
    said = False
    try:
        answers.send(run)
        said = True
    finally:
        if not said:
            os._exit(1)  # who waits for it must not wait for ever
