"""The other side of a pool: what a worker process does, and how it is told."""

from __future__ import annotations

import mmap
import os
import pickle
import queue
import signal
import threading
import traceback
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Generic, NoReturn, TypeAlias, TypeVar

from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

T = TypeVar("T")
Call: TypeAlias = "Callable[[], T]"
"""Work without arguments: a `functools.partial` of a function of a module, so that it can be
pickled. A worker may do it, or the parent, or first one and then the other."""

Ends: TypeAlias = "tuple[Connection, Connection]"
"""Ends of the two pipes of a worker: of that for calls, of that for results."""

PICKLE = 5
_TEXT = 1 << 20
"""Bytes of a text that a room is made for: a batch's."""


@dataclass(frozen=True)
class TextCall(Generic[T]):
    """A call on a text, which is not pickled: that alone would take a third of the way.

    Attributes:
        function: what is called with the text; can be pickled.
        text: of a batch.
    """

    function: Callable[[bytes], T]
    text: bytes

    def __call__(self) -> T:
        """Calls it."""
        return self.function(self.text)


@dataclass(frozen=True)
class TextElsewhere:
    """A call whose text lies in a room, from `start` to `stop`; without a place, in the pipe."""

    function: Callable[[bytes], object]
    place: tuple[int, int] | None


class Room:
    """Memory that a worker shares with its parent, for the texts that it has in hand.

    A text of 1 MiB takes 0.1 ms by this way, and 1.5 ms through a pipe: of the 0.9 s of a repair
    of a trace of 240,000 events that is 0.05 s.
    """

    def __init__(self, texts: int) -> None:
        self._texts, self._count = texts, 0
        self._memory = mmap.mmap(-1, texts * _TEXT)

    def put(self, text: bytes) -> tuple[int, int] | None:
        """Where the text lies, over the one that came `texts` texts before; None: too long."""
        if len(text) > _TEXT:
            return None
        start = self._count % self._texts * _TEXT
        self._count += 1
        self._memory[start : start + len(text)] = text
        return start, start + len(text)

    def call(self, function: Callable[[bytes], object], start: int, stop: int) -> object:
        """Calls a function with the text that lies there."""
        return function(self._memory[start:stop])


def serve(calls: int, results: int) -> NoReturn:
    """Does calls until the parent closes its end of the pipe, or has ended.

    Args:
        calls: number of the open end of the pipe from the parent.
        results: of the pipe to the parent.
    """
    _serve(Connection(calls, writable=False), Connection(results, readable=False), None)


def serve_copy(theirs: Ends, room: Room, to_close: Iterable[Connection]) -> NoReturn:
    """Does calls, in a copy of the parent.

    Args:
        theirs: the worker's ends of its pipes.
        room: shared with the parent.
        to_close: all other ends that the parent has open; else neither this worker nor the others
            would see that the parent has ended.
    """
    for end in to_close:
        end.close()
    _serve(*theirs, room)


def _serve(calls: Connection, results: Connection, room: Room | None) -> NoReturn:
    signals.become_worker()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a terminal sends it to all; the parent ends us
    waiting: queue.SimpleQueue[Call[object]] = queue.SimpleQueue()
    threading.Thread(target=_read_calls, args=(calls, room, waiting), daemon=True).start()
    try:
        while True:
            results.send_bytes(_answer(waiting.get()))
    finally:  # the parent has ended; or the answer cannot be sent, and the parent does the call
        os._exit(1)


def _read_calls(
    calls: Connection, room: Room | None, waiting: queue.SimpleQueue[Call[object]]
) -> None:
    """Reads ahead; ends the process, whatever it is doing, when its parent has ended."""
    try:
        while True:
            call = pickle.loads(calls.recv_bytes())  # noqa: S301  from our parent
            if isinstance(call, TextElsewhere):
                call = _with_text(call, calls, room)
            waiting.put(call)
    finally:
        os._exit(1)


def _with_text(call: TextElsewhere, calls: Connection, room: Room | None) -> Call[object]:
    if call.place is None:
        return TextCall(call.function, calls.recv_bytes())
    assert room is not None
    return partial(room.call, call.function, *call.place)


def _answer(call: Call[object]) -> bytes:
    """The outcome of a call, pickled."""
    try:
        value = call()
    except Exception as error:  # noqa: BLE001  every error is the parent's to handle
        answer = pickle.dumps(_Raised(error, traceback.format_exc()), PICKLE)
        pickle.loads(answer)  # noqa: S301  the parent must be able to do that
        return answer
    return pickle.dumps(_Returned(value), PICKLE)


@dataclass(frozen=True)
class _Returned(Generic[T]):
    """The outcome of a call that returned."""

    value: T

    def __call__(self) -> T:
        return self.value


@dataclass(frozen=True)
class _Raised:
    """The outcome of a call that raised an error."""

    error: Exception
    where: str

    def __call__(self) -> NoReturn:
        raise self.error from _RemoteTraceback(self.where)


class _RemoteTraceback(Exception):  # noqa: N818  never raised: it is the cause of an error
    """Where in a worker an error was raised."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"
