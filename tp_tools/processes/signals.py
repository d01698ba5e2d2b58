"""Ends this process when a signal asks for that: at once, with one line, and nothing left.

The handler removes what was registered with `at_end`, writes the line and exits; it raises nothing.
So it makes no difference what the main thread was doing: no exception comes out of a callback, none
is swallowed by a destructor, and no thread is waited for. A handler runs between two bytecodes of
the main thread, so code that could keep this thread for long (the embedded engine, a compilation)
runs on a thread of its own, and the main thread waits for it (`tp_tools.engine.stopping`).
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType

ENDINGS = {"SIGINT": "interrupted", "SIGTERM": "terminated", "SIGHUP": "hung up", "SIGQUIT": "quit"}
"""The signals that end a process, and how the line calls that."""

_NOTHING_LEFT = "nothing was left behind."


class _Ending:
    """Whether signals end this process, and what has to be done before it goes.

    Attributes:
        owner: id of the process that ends by signals; 0 for none. A forked child has another one.
        removers: what is to be done, newest last.
        held: how many blocks wait for their end before a signal is obeyed.
        pending: exit code and line of an end that waits for them.
    """

    def __init__(self) -> None:
        self.owner = 0
        self.removers: dict[object, Callable[[], None]] = {}
        self.held = 0
        self.pending: tuple[int, str] | None = None
        self.lock = threading.Lock()


_ending = _Ending()


@contextmanager
def ending() -> Iterator[None]:
    """While the block runs, signals end this process. Handlers found are put back behind it.

    A signal that is ignored stays ignored (`nohup`, jobs in the background of a script), and so
    does a handler of someone else.
    """
    before: dict[int, Any] = {}
    owner, _ending.owner = _ending.owner, os.getpid()
    for name in ENDINGS:
        number = getattr(signal, name, None)  # Windows has two of them
        if number is not None:
            found = signal.getsignal(number)
            if found in {signal.SIG_DFL, signal.default_int_handler}:
                before[number] = signal.signal(number, _on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _ending.owner = owner


def is_ending() -> bool:
    """Whether a signal ends this process, so that nothing in it has to be stopped by itself."""
    return _ending.owner != 0


def become_worker() -> None:
    """Has a signal end this process, which works for another one: that one says and removes all.

    Without a core file, which SIGQUIT leaves by itself.
    """
    _ending.owner = -1
    for name in ENDINGS:
        if number := getattr(signal, name, None):
            quietly = name == "SIGQUIT"
            signal.signal(number, _on_signal if quietly else signal.SIG_DFL)


@contextmanager
def interruptible() -> Iterator[None]:
    """While the block runs, Ctrl-C raises KeyboardInterrupt: it is the usual way to end it."""
    before = signal.getsignal(signal.SIGINT)
    if before is not _on_signal:
        yield
        return
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """While the block runs, it may take so long; then this process ends with exit code 4.

    In a process that signals do not end by this module (`cli.main` called from Python), and on the
    main thread, TimeLimitReached is raised instead.
    """
    from tp_tools.errors import TimeLimitReached  # noqa: PLC0415  not before the handlers are set

    said = f"gave up after {seconds:g} s, as --timeout says"

    def give_up(_number: int = 0, _frame: FrameType | None = None) -> None:
        if _ending.owner == os.getpid():
            _end(TimeLimitReached.exit_code, said)
        raise TimeLimitReached(f"{said}; {_NOTHING_LEFT}")

    if not hasattr(signal, "setitimer"):  # Windows
        timer = threading.Timer(seconds, give_up)
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        return
    before = signal.signal(signal.SIGALRM, give_up)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def at_end(do: Callable[[], None]) -> Callable[[], None]:
    """Registers what has to be done if a signal ends this process.

    Args:
        do: removes a file, ends a process, cleans the terminal. What it raises is passed over.

    Returns:
        A function that takes the registration back.
    """
    key = object()
    _ending.removers[key] = do
    return lambda: _ending.removers.pop(key, None) and None


@contextmanager
def held_back() -> Iterator[None]:
    """A signal that comes while the block runs is obeyed behind it: for a few system calls.

    So nothing lies between making a file and registering its removal.
    """
    with _ending.lock:
        _ending.held += 1
    try:
        yield
    finally:
        with _ending.lock:
            _ending.held -= 1
        if _ending.pending is not None and not _ending.held:
            _end(*_ending.pending)


def _on_signal(number: int, _frame: FrameType | None) -> None:
    if os.getpid() != _ending.owner:  # a forked worker: its parent has the signal, too
        os._exit(128 + number)
    _end(128 + number, ENDINGS[signal.Signals(number).name])


def _end(code: int, said: str) -> None:
    """Ends this process, or has `held_back` do so."""
    if _ending.held:
        _ending.pending = code, said
        return
    _leave(code, said)


def _leave(code: int, said: str) -> NoReturn:
    if threading.current_thread() is threading.main_thread():
        for name in ENDINGS:
            if number := getattr(signal, name, None):
                signal.signal(number, signal.SIG_IGN)  # one is enough
    _kill_workers()
    for remove in reversed(list(_ending.removers.values())):
        with suppress(Exception):  # one that fails must not keep the others from their work
            remove()
    _say(f"tp-tools: {said}; {_NOTHING_LEFT}\n")
    os._exit(code)


def _kill_workers() -> None:
    """Ends the processes of pools, which write to files that are to go."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is None:  # nobody imported it, so there is none
        return
    with suppress(Exception):  # as above
        children = processes.active_children()
        for child in children:
            child.kill()
        for child in children:
            child.join(0.2)


def _say(line: str) -> None:
    """Writes to stderr whatever state its buffer is in; whoever read it may have left."""
    with suppress(OSError):
        os.write(2, line.encode())
