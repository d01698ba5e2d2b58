"""Run calls in a worker process of a pool, and define the messages between both sides."""

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
from typing import TYPE_CHECKING, Generic, NoReturn, TypeAlias, TypeVar

from tp_tools.processes import signals

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.connection import Connection

T = TypeVar("T")
Call: TypeAlias = "Callable[[], T]"
"""A call without arguments: a `functools.partial` of a function of a module, so that it can be
pickled. A worker or the parent does it; the parent does it again if the worker is lost."""

Ends: TypeAlias = "tuple[Connection, Connection]"
"""Ends of the two pipes of a worker: of the pipe for calls, and of the pipe for results."""

PICKLE = 5
"""Version of the pickle protocol."""

_TEXT_BYTES = 1 << 20
"""Most bytes of a text in shared memory: those of a batch."""


@dataclass(frozen=True)
class TextCall(Generic[T]):
    """A call on a text that is sent unpickled; pickling takes a third of the transfer time.

    Attributes:
        function: called with the text; can be pickled.
        text: the text of a batch.
    """

    function: Callable[[bytes], T]
    text: bytes

    def __call__(self) -> T:
        """Call the function with the text."""
        return self.function(self.text)


@dataclass(frozen=True)
class SharedTextCall:
    """A call on a text in shared memory.

    Attributes:
        function: called with the text.
        extent: start and stop of the text in the memory; None if the text follows in the pipe.
    """

    function: Callable[[bytes], object]
    extent: tuple[int, int] | None


class SharedTexts:
    """Memory that a worker shares with its parent, for the texts of its pending calls.

    A text of 1 MiB takes 0.1 ms through this memory and 1.5 ms through a pipe: a difference of
    0.05 s in the 0.9 s that the repair of a trace of 240,000 events takes.
    """

    def __init__(self, texts: int) -> None:
        self._texts, self._count = texts, 0
        self._memory = mmap.mmap(-1, texts * _TEXT_BYTES)

    def put(self, text: bytes) -> tuple[int, int] | None:
        """Copy a text over the text that came `texts` texts before.

        Returns:
            Start and stop of the text in the memory; None if the text is too long.
        """
        if len(text) > _TEXT_BYTES:
            return None
        start = self._count % self._texts * _TEXT_BYTES
        self._count += 1
        self._memory[start : start + len(text)] = text
        return start, start + len(text)

    def call(self, function: Callable[[bytes], object], start: int, stop: int) -> object:
        """Call a function with the text from `start` to `stop`."""
        return function(self._memory[start:stop])


def serve(calls: int, results: int) -> NoReturn:
    """Do calls in a new interpreter until the parent closes its end of the pipe, or ends.

    Args:
        calls: file descriptor of the pipe from the parent.
        results: file descriptor of the pipe to the parent.
    """
    from multiprocessing.connection import Connection  # noqa: PLC0415  only workers need it

    _serve(Connection(calls, writable=False), Connection(results, readable=False), None)


def serve_fork(theirs: Ends, shared: SharedTexts, to_close: Iterable[Connection]) -> NoReturn:
    """Do calls in a fork of the parent.

    Args:
        theirs: the worker's ends of its pipes.
        shared: memory shared with the parent.
        to_close: all other ends that the parent has open; while a worker holds them, no worker
            notices the end of the parent.
    """
    for end in to_close:
        end.close()
    _serve(*theirs, shared)


def _serve(calls: Connection, results: Connection, shared: SharedTexts | None) -> NoReturn:
    signals.become_worker()
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a terminal sends it to all processes; the parent ends this one
    waiting: queue.SimpleQueue[Call[object]] = queue.SimpleQueue()
    threading.Thread(target=_read_calls, args=(calls, shared, waiting), daemon=True).start()
    try:
        while True:
            results.send_bytes(_answer(waiting.get()))
    finally:  # the parent has ended, or the answer cannot be sent and the parent does the call
        os._exit(1)


def _read_calls(
    calls: Connection, shared: SharedTexts | None, waiting: queue.SimpleQueue[Call[object]]
) -> None:
    """Read calls ahead; end this process, even within a call, once the parent has ended."""
    try:
        while True:
            call = pickle.loads(calls.recv_bytes())  # noqa: S301  sent by our parent
            if isinstance(call, SharedTextCall):
                call = _with_text(call, calls, shared)
            waiting.put(call)
    finally:
        os._exit(1)


def _with_text(call: SharedTextCall, calls: Connection, shared: SharedTexts | None) -> Call[object]:
    """Return a call that takes its text from the shared memory, or from the pipe."""
    if call.extent is None:
        return TextCall(call.function, calls.recv_bytes())
    assert shared is not None
    return partial(shared.call, call.function, *call.extent)


def _answer(call: Call[object]) -> bytes:
    """Do a call and pickle its outcome."""
    try:
        value = call()
    except Exception as error:  # noqa: BLE001  the parent handles every error
        answer = pickle.dumps(_Raised(error, traceback.format_exc()), PICKLE)
        pickle.loads(answer)  # noqa: S301  checks that the parent can unpickle it
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
    traceback: str

    def __call__(self) -> NoReturn:
        raise self.error from _RemoteTraceback(self.traceback)


class _RemoteTraceback(Exception):  # noqa: N818  never raised itself: the cause of an error
    """The traceback of an error in a worker."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"
