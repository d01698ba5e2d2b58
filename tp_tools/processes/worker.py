"""Run calls in a worker process of a pool, and define the messages between both sides."""

from __future__ import annotations

import os
import pickle
import queue
import signal
import threading
import traceback
from typing import TYPE_CHECKING, Generic, NoReturn, TypeAlias, TypeVar

from msgspec import Struct

from tp_tools.processes import signals
from tp_tools.processes.outcomes import Raised, Returned

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from multiprocessing.connection import Connection
    from pathlib import Path

T = TypeVar("T")
Call: TypeAlias = "Callable[[], T]"
"""A call without arguments: a `functools.partial` of a function of a module, so that it can be
pickled. A worker or the parent does it; the parent does it again if the worker is lost."""

Ends: TypeAlias = "tuple[Connection, Connection]"
"""Ends of the two pipes of a worker: of the pipe for calls, and of the pipe for results."""

PICKLE = 5
"""Version of the pickle protocol."""


class TextCall(Struct, Generic[T], frozen=True):
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


class FileCall(Struct, Generic[T], frozen=True):
    """A call on files, which a worker on another machine gets and gives back.

    Attributes:
        function: called with the paths of the files: those of `reads`, `keeps` and `returns`.
        reads: files that an earlier call has written.
        keeps: files that the call writes, and only later calls read: they stay where it was done.
        returns: files that the call writes and this process reads.
        inputs: names of the files of the user that it reads. One that a URL names is fetched once
            by the machines of a cluster.
        keeps_inputs: whether later calls read the same inputs.
    """

    function: Callable[..., T]
    reads: tuple[Path, ...] = ()
    keeps: tuple[Path, ...] = ()
    returns: tuple[Path, ...] = ()
    inputs: tuple[str, ...] = ()
    keeps_inputs: bool = False

    def __call__(self) -> T:
        """Call the function with the files of this machine."""
        return self.function(*self.reads, *self.keeps, *self.returns)


class TextFollows(Struct, frozen=True):
    """A call on a text, which follows in the pipe.

    Attributes:
        function: called with the text.
    """

    function: Callable[[bytes], object]


def serve(calls: int, results: int) -> NoReturn:
    """Do calls in a new interpreter until the parent closes its end of the pipe, or ends.

    Args:
        calls: file descriptor of the pipe from the parent.
        results: file descriptor of the pipe to the parent.
    """
    from multiprocessing.connection import Connection  # noqa: PLC0415  only workers need it

    _serve(Connection(calls, writable=False), Connection(results, readable=False))


def serve_fork(theirs: Ends, to_close: Iterable[Connection]) -> NoReturn:
    """Do calls in a fork of the parent.

    Args:
        theirs: the worker's ends of its pipes.
        to_close: all other ends that the parent has open; while a worker holds them, no worker
            notices the end of the parent.
    """
    for end in to_close:
        end.close()
    _serve(*theirs)


def _serve(calls: Connection, results: Connection) -> NoReturn:
    signals.become_worker()
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a terminal sends it to all processes; the parent ends this one
    waiting: queue.SimpleQueue[Call[object]] = queue.SimpleQueue()
    threading.Thread(target=_read_calls, args=(calls, waiting), daemon=True).start()
    try:
        while True:
            results.send_bytes(_answer(waiting.get()))
    finally:  # the parent has ended, or the answer cannot be sent and the parent does the call
        os._exit(1)


def _read_calls(calls: Connection, waiting: queue.SimpleQueue[Call[object]]) -> None:
    """Read calls ahead; end this process, even within a call, once the parent has ended."""
    try:
        while True:
            call = pickle.loads(calls.recv_bytes())  # noqa: S301  sent by our parent
            if isinstance(call, TextFollows):
                call = TextCall(call.function, calls.recv_bytes())
            waiting.put(call)
    finally:
        os._exit(1)


def _answer(call: Call[object]) -> bytes:
    """Do a call and pickle its outcome."""
    try:
        value = call()
    except Exception as error:  # noqa: BLE001  the parent handles every error
        answer = pickle.dumps(Raised(error, traceback.format_exc()), PICKLE)
        pickle.loads(answer)  # noqa: S301  checks that the parent can unpickle it
        return answer
    return pickle.dumps(Returned(value), PICKLE)
