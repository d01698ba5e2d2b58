"""Engines that can be stopped while they work.

WebAssembly on the main thread would hold up every signal until it ends, and an exception that a
handler raises in one of its callbacks crashes the process. So it runs on a thread of its own, for
which the main thread waits: this wait can be interrupted.

Where a signal ends the process (`tp_tools.processes.signals.ending`), that is all. In a notebook
the engine has to end and the process to go on: there the module is compiled with epoch
interruption, which makes loads slower by a tenth and queries by a fifth to a quarter.
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
        halted: whether they are to stop, now and where they would begin.
        stops: what stops each that is at work.
    """

    def __init__(self) -> None:
        self.halted = False
        self.stops: dict[object, Callable[[], bool]] = {}

    def halt(self) -> None:
        self.halted = True
        for stop in list(self.stops.values()):
            stop()


class _Here(threading.local):
    group: _Group | None = None


_here = _Here()


PATIENCE_S = 5.0
"""How long an engine works before its input is looked at for what would keep it for ever."""

_doubt: ContextVar[Callable[[], None] | None] = ContextVar("_doubt", default=None)


@contextmanager
def doubted(refuse: Callable[[], None]) -> Iterator[None]:
    """While the block runs, an engine that works for long has its input looked at meanwhile.

    Args:
        refuse: raises an error if the input is one that an engine may never be done with.
    """
    token = _doubt.set(refuse)
    try:
        yield
    finally:
        _doubt.reset(token)


def run(work: Callable[[], Result], stop: Callable[[], bool]) -> Result:
    """Does work that Python's signal handlers cannot interrupt, so that they can.

    Args:
        work: what is to be done; on the main thread's behalf another thread does it.
        stop: makes `work` end soon, from another thread, and says whether it can.

    Raises:
        BaseException: what `work` raised; or a signal handler or a doubt while this waited: then
            `work` was stopped and has ended, if it could be.
    """
    if threading.current_thread() is not threading.main_thread():
        with _stopped_with_its_group(stop):
            return work()
    outcome = Future[Result]()

    def fill() -> None:
        if not outcome.set_running_or_notify_cancel():
            return
        try:
            outcome.set_result(work())
        except BaseException as error:  # noqa: BLE001  it is raised where it is waited for
            outcome.set_exception(error)

    # not by joining the thread: before Python 3.13, one whose join is interrupted counts as ended
    try:
        threading.Thread(target=fill, name="TraceProcessor", daemon=True).start()
        refuse = _doubt.get()
        if refuse is not None and not wait([outcome], PATIENCE_S).done:
            refuse()
        wait([outcome])
    except BaseException:
        while stop() and not outcome.cancel() and not outcome.done():
            with suppress(KeyboardInterrupt):  # a second one must not leave it at work
                wait([outcome])
        raise
    return outcome.result()


def map_on_threads(
    do: Callable[[Item], Result], items: Iterable[Item], threads: int
) -> list[Result]:
    """`do` of each item, in order, on so many threads; when it fails, their engines stop.

    Raises:
        BaseException: what `do` raised first, or a signal handler meanwhile.
    """
    group = _Group()

    def do_in_group(item: Item) -> Result:
        _here.group = group
        return do(item)

    with ThreadPoolExecutor(threads) as pool:
        try:
            return list(pool.map(do_in_group, items))
        except BaseException:
            group.halt()
            raise


@contextmanager
def _stopped_with_its_group(stop: Callable[[], bool]) -> Iterator[None]:
    group = _here.group
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
