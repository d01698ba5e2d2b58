"""Other processes that work on runs of a trace, ready by the time they are given one.

A copy of this process has what reading needs; one that starts anew imports it while this one works.
"""

from __future__ import annotations

import mmap
import multiprocessing
import os
import signal
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from multiprocessing.connection import Connection
    from multiprocessing.context import BaseContext

    from tp_tools.files.source import Source

WORTH_IT = {".gz": 2 << 20, ".zst": 2 << 20}
"""Bytes of a file, by suffix, from which a second process saves more time than it takes."""

WORTH_IT_PLAIN = 24 << 20

MOST_READERS = 4

_PIPE = 1 << 20
"""Bytes of a pipe: what most systems allow."""

IN_HAND = 4
"""How many texts a helper is given at a time: one to work on, and some to go on with."""

_PLACE = 1 << 20
"""Bytes of each of them where memory is shared: a run's."""


Work: TypeAlias = "Callable[[bytes], Any]"
"""What is done with the text of a run; other processes get to know it by its name."""


class Ended(Exception):  # noqa: N818  the name reads as the fact it states
    """A helper is no more."""


class Helper(Protocol):
    """One who works on runs of a trace."""

    def busy(self) -> int:
        """How many runs it was given that it has not done; very many if it has ended."""

    def give(self, work: Work, text: bytes) -> None:
        """Gives it the next run, and says what is to be done with it."""

    def has_more(self) -> bool:
        """Whether `take` need not wait."""

    def take(self) -> Any:  # noqa: ANN401  it is what the work gives
        """What the next run comes to, in the order in which they were given.

        Raises:
            Ended: it will not be told.
        """

    def drop(self) -> None:
        """The next run is not asked for any more."""


@dataclass(frozen=True)
class Crew:
    """Those who help; each works on some runs of a trace."""

    helpers: Sequence[Helper]

    @property
    def size(self) -> int:
        """How many there are, with this process."""
        return len(self.helpers) + 1


class _Room:
    """Memory that a process shares with its copy, for texts: a pipe takes four times as long."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, IN_HAND * _PLACE)

    def put(self, number: int, text: bytes) -> None:
        """Puts down the text of this number; the one that many places before it is gone then."""
        at = number % IN_HAND * _PLACE
        self._memory[at : at + len(text)] = text

    def get(self, number: int, size: int) -> bytes:
        """The text of this number and size."""
        at = number % IN_HAND * _PLACE
        return self._memory[at : at + size]


class _Process:
    """A helper in a process of its own."""

    def __init__(self, questions: Connection, answers: Connection, room: _Room | None) -> None:
        self._questions, self._answers, self._room = questions, answers, room
        self._said: deque[Any] = deque()
        self._given = 0
        self._busy = 0
        self._has_ended = False

    def busy(self) -> int:
        self._listen()
        return _VERY_MANY if self._has_ended else self._busy

    def give(self, work: Work, text: bytes) -> None:
        with suppress(OSError):  # it has ended, and will not answer
            if self._room and len(text) <= _PLACE and self._busy < IN_HAND:
                self._room.put(self._given, text)
                self._questions.send((work, self._given, len(text)))
            else:
                self._questions.send((work, self._given, None))
                self._questions.send_bytes(text)
        self._given += 1
        self._busy += 1

    def has_more(self) -> bool:
        self._listen()
        return bool(self._said)

    def take(self) -> Any:  # noqa: ANN401  see Helper
        if not self._said:
            self._hear()
        found = self._said.popleft()
        if found is _NOTHING:
            raise Ended
        return found

    def drop(self) -> None:
        with suppress(Ended):
            self.take()

    def _listen(self) -> None:
        while self._busy and self._answers.poll():
            self._hear()

    def _hear(self) -> None:
        try:
            self._said.append(self._answers.recv())
        except (EOFError, OSError):  # the second one amid an answer
            self._said.append(_NOTHING)
            self._has_ended = True
        self._busy -= 1


_VERY_MANY = 1 << 30
_NOTHING = object()
"""Stands for what a helper that ended does not say."""

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
    import tp_tools.chrome.parallel_reader  # noqa: F401, PLC0415  a copy has it

    context = _context()
    rooms = [_Room() if context.get_start_method() == "fork" else None for _ in range(jobs - 1)]
    pipes = [(context.Pipe(duplex=False), context.Pipe(duplex=False)) for _ in range(jobs - 1)]
    theirs = [(questions, answers) for (questions, _), (_, answers) in pipes]
    ours = [(questions, answers) for (_, questions), (answers, _) in pipes]
    ends = [*chain.from_iterable(theirs), *chain.from_iterable(ours)]
    for end in chain.from_iterable(theirs):
        _widen(end)
    processes = []
    try:
        for own, room in zip(theirs, rooms, strict=True):
            others = [end for end in ends if end not in own]
            process = context.Process(target=_help, args=(*own, room, others), daemon=True)  # type: ignore[attr-defined]
            process.start()
            processes.append(process)
        for end in chain.from_iterable(theirs):
            end.close()
        yield Crew([_Process(*own, room) for own, room in zip(ours, rooms, strict=True)])
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


def _help(
    questions: Connection, answers: Connection, room: _Room | None, others: list[Connection]
) -> None:
    """What a helper does: it works on runs until none comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()  # or who is at their other end would not see that they were closed
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

    import tp_tools.chrome.parallel_reader  # noqa: F401, PLC0415  takes a while, unless this is a copy

    # who listens has work of his own in between, and may be giving a run at the same time
    with ThreadPoolExecutor(1) as beside, suppress(EOFError, OSError):
        while True:
            work, number, size = questions.recv()
            text = (
                questions.recv_bytes() if room is None or size is None else room.get(number, size)
            )
            beside.submit(_answer, answers, work(text))


def _answer(answers: Connection, found: object) -> None:
    said = False
    try:
        answers.send(found)
        said = True
    finally:
        if not said:
            os._exit(1)  # who waits for it must not wait for ever
