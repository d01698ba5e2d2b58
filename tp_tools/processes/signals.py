"""End this process at a signal: at once, with one line, and without files left behind.

The handler runs the functions registered with `at_end`, writes the line and exits; it raises
nothing. So the state of the main thread does not matter: no exception leaves a callback, no
destructor swallows one, and no thread is waited for. A handler runs between two bytecodes of the
main thread. So code that could keep this thread for long (the embedded engine, a compilation) runs
on a thread of its own, and the main thread waits for it (`tp_tools.engine.stopping`).
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
"""The signals that end a process, and the word for each in the line that is written."""

_NOTHING_LEFT = "nothing was left behind."


class _Ending:
    """Whether signals end this process, and the clean-up before its end.

    Attributes:
        owner: id of the process that signals end; 0 for none. A forked child has another id.
        removers: clean-up functions, the newest last.
        held: number of running `held_back` blocks.
        pending: exit code and line of an end that waits for these blocks.
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
    """Have signals end this process while the block runs; restore the handlers after it.

    An ignored signal stays ignored (`nohup`, background jobs of a script), and a handler that other
    code installed stays installed.
    """
    before: dict[int, Any] = {}
    owner, _ending.owner = _ending.owner, os.getpid()
    for name in ENDINGS:
        number = getattr(signal, name, None)  # Windows has only two of these signals
        if number is not None:
            handler = signal.getsignal(number)
            if handler in {signal.SIG_DFL, signal.default_int_handler}:
                before[number] = signal.signal(number, _on_signal)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        _ending.owner = owner


def is_ending() -> bool:
    """Tell whether a signal ends this process, so that its threads need not be stopped before."""
    return _ending.owner != 0


def become_worker() -> None:
    """Have a signal end this worker without a line or clean-up, which are left to its parent.

    SIGQUIT would leave a core file by default; here it does not.
    """
    _ending.owner = -1
    for name in ENDINGS:
        if number := getattr(signal, name, None):
            quietly = name == "SIGQUIT"
            signal.signal(number, _on_signal if quietly else signal.SIG_DFL)


@contextmanager
def interruptible() -> Iterator[None]:
    """Have Ctrl-C raise KeyboardInterrupt while the block runs, as the usual way to end it."""
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
    """End this process with exit code 4 if the block runs longer than a number of seconds.

    If signals do not end the process through this module (`cli.main` called from Python), the main
    thread raises TimeLimitReached instead.

    Raises:
        TimeLimitReached: see above.
    """
    from tp_tools.errors import TimeLimitReached  # noqa: PLC0415  imported once the handlers are set

    line = f"gave up after {seconds:g} s, as --timeout says"

    def give_up(_number: int = 0, _frame: FrameType | None = None) -> None:
        if _ending.owner == os.getpid():
            _end(TimeLimitReached.exit_code, line)
        raise TimeLimitReached(f"{line}; {_NOTHING_LEFT}")

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
    """Register a function to run if a signal ends this process.

    Args:
        do: removes a file, ends a process or resets the terminal. Its errors are ignored.

    Returns:
        A function that removes the registration.
    """
    key = object()
    _ending.removers[key] = do
    return lambda: _ending.removers.pop(key, None) and None


@contextmanager
def held_back() -> Iterator[None]:
    """Hold signals back while the block runs, for a few system calls.

    So no signal comes between the creation of a file and the registration of its removal.
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
    if os.getpid() != _ending.owner:  # a forked worker: its parent gets the signal too
        os._exit(128 + number)
    _end(128 + number, ENDINGS[signal.Signals(number).name])


def _end(code: int, line: str) -> None:
    """End this process, or leave that to the end of `held_back`."""
    if _ending.held:
        _ending.pending = code, line
        return
    _leave(code, line)


def _leave(code: int, line: str) -> NoReturn:
    """Kill workers, clean up, write the line and exit."""
    if threading.current_thread() is threading.main_thread():
        for name in ENDINGS:
            if number := getattr(signal, name, None):
                signal.signal(number, signal.SIG_IGN)  # ignore further signals
    _kill_workers()
    for remove in reversed(list(_ending.removers.values())):
        with suppress(Exception):  # a failure must not prevent the others
            remove()
    _write_line(f"tp-tools: {line}; {_NOTHING_LEFT}\n")
    os._exit(code)


def _kill_workers() -> None:
    """Kill the processes of pools, which write to files that are removed next."""
    processes = sys.modules.get("multiprocessing.process")
    if processes is None:  # not imported, so there are no pools
        return
    with suppress(Exception):  # as above
        children = processes.active_children()
        for child in children:
            child.kill()
        for child in children:
            child.join(0.2)


def _write_line(line: str) -> None:
    """Write to stderr past its buffer; ignore a closed pipe."""
    with suppress(OSError):
        os.write(2, line.encode())
