"""Run engines on threads, so that they can be stopped while they work.

WebAssembly on the main thread would delay every signal until its end, and an exception that a
handler raises in one of its callbacks crashes the process. So it runs on a thread of its own, and
the main thread waits for this thread; this wait can be interrupted.

If a signal ends the process (`tp_tools.processes.signals.ending`), no more is needed. In a notebook
the engine must end and the process go on: there the module is compiled with epoch interruption,
which makes loads slower by a tenth and queries by a fifth to a quarter.
"""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")


class _Group:
    """Engines that work on several threads for one caller.

    Attributes:
        halted: whether the engines must stop and no engine may start.
        stops: the function that stops each working engine.
    """

    def __init__(self) -> None:
        self.halted = False
        self.stops: dict[object, Callable[[], bool]] = {}

    def halt(self) -> None:
        self.halted = True
        for stop in list(self.stops.values()):
            stop()


class _ThreadState(threading.local):
    """The group of the engines of this thread."""

    group: _Group | None = None


_thread_state = _ThreadState()


PATIENCE_S = 5.0
"""Seconds that an engine works before its input is checked for text that takes for ever."""

_doubt: ContextVar[tuple[Callable[[], None], float] | None] = ContextVar("_doubt", default=None)
"""The check of the input, and the seconds of work before it."""


@contextmanager
def doubted(refuse: Callable[[], None], patience_s: float = PATIENCE_S) -> Iterator[None]:
    """Have the input of an engine that works for long checked, while the block runs.

    Args:
        refuse: raises an error if the engine may never finish with the input.
        patience_s: seconds of work before `refuse` is called.
    """
    token = _doubt.set((refuse, patience_s))
    try:
        yield
    finally:
        _doubt.reset(token)


def run(work: Callable[[], Result], stop: Callable[[], bool]) -> Result:
    """Run native code so that Python's signal handlers can interrupt the wait for its end.

    Args:
        work: the code to run; another thread runs it if this is the main thread.
        stop: called from another thread; makes `work` end soon and returns whether it can.

    Returns:
        The result of `work`.

    Raises:
        BaseException: the error of `work`; or that of a signal handler or of `refuse` (`doubted`)
            during the wait: then `work` was stopped, if possible, and has ended.
    """
    if threading.current_thread() is not threading.main_thread():
        with _stopped_with_its_group(stop):
            return work()
    outcome = Future[Result]()

    def set_outcome() -> None:
        if not outcome.set_running_or_notify_cancel():
            return
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  raised by the waiting thread
            outcome.set_exception(error)

    # do not join the thread: before Python 3.13, an interrupted join marks it as ended
    try:
        threading.Thread(target=set_outcome, name="TraceProcessor", daemon=True).start()
        doubt = _doubt.get()
        if doubt is not None:
            refuse, patience_s = doubt
            if not wait([outcome], patience_s).done:
                refuse()
        wait([outcome])
    except BaseException:
        while stop() and not outcome.cancel() and not outcome.done():
            with suppress(KeyboardInterrupt):  # a second Ctrl-C must not leave it working
                wait([outcome])
        raise
    return outcome.result()


def map_on_threads(
    do: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> list[Result]:
    """Map a function over items on threads; at the first error, stop the engines of all threads.

    Args:
        do: called with each item; may use engines.
        items: the items.
        threads: number of threads.

    Returns:
        The results in the order of the items.

    Raises:
        BaseException: the first error of `do`, or of a signal handler.
    """
    group = _Group()

    def do_in_group(item: Item) -> Result:
        _thread_state.group = group
        return do(item)

    with ThreadPoolExecutor(threads) as pool:
        try:
            return list(pool.map(do_in_group, items))
        except BaseException:
            group.halt()
            raise


@contextmanager
def _stopped_with_its_group(stop: Callable[[], bool]) -> Iterator[None]:
    """Register `stop` with the group of this thread while the block runs."""
    group = _thread_state.group
    if group is None:
        yield
        return
    key = object()
    group.stops[key] = stop
    try:
        if group.halted:
            stop()
        yield
    finally:
        del group.stops[key]
