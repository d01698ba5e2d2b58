"""Work on several ranks at a time: results in order, no more of them at once than workers."""

from __future__ import annotations

import importlib
import multiprocessing
import os
import signal
import tempfile
import threading
from collections import deque
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import forkserver
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from tp_tools.chrome.crew import is_single_threaded
from tp_tools.engine import get_ready
from tp_tools.errors import EngineOutOfMemory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from concurrent.futures import Future
    from multiprocessing.context import BaseContext

Result = TypeVar("Result")

_IMPORTED = ("tp_tools.merging.write_rank", "tp_tools.engine.loader")
"""What workers need."""


class Workers(Protocol):
    """Those who do the work.

    Attributes:
        folder: for what lies between two pieces of work; it goes when they do.
    """

    folder: Path

    def in_order(
        self, do: Callable[..., Result], calls: Iterable[tuple[tuple[Any, ...], dict[str, Any]]]
    ) -> Iterator[Result]:
        """The result of each call, in the order of the calls.

        Args:
            do: what to do; a function of a module.
            calls: its arguments, and those by name.
        """


class _Alone:
    """This process does it all."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def in_order(
        self, do: Callable[..., Result], calls: Iterable[tuple[tuple[Any, ...], dict[str, Any]]]
    ) -> Iterator[Result]:
        for arguments, named in calls:
            yield do(*arguments, **named)


class _Pool:
    """Other processes do it; a call begins when an earlier result has been taken."""

    def __init__(self, pool: ProcessPoolExecutor, jobs: int, folder: Path) -> None:
        self._pool, self._jobs, self.folder = pool, jobs, folder

    def in_order(
        self, do: Callable[..., Result], calls: Iterable[tuple[tuple[Any, ...], dict[str, Any]]]
    ) -> Iterator[Result]:
        running: deque[Future[Result]] = deque()
        try:
            for arguments, named in calls:
                running.append(self._pool.submit(do, *arguments, **named))
                if len(running) > self._jobs:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        except BrokenProcessPool as error:
            raise EngineOutOfMemory(
                "a worker was ended by the system, most likely for want of memory. "
                "Give fewer --jobs."
            ) from error
        finally:
            for future in running:
                future.cancel()


@contextmanager
def workers(jobs: int, engine: str | None = None) -> Iterator[Workers]:
    """As many workers as that, while the block runs; they get ready in the background.

    Args:
        jobs: how many; 1 is this process itself.
        engine: the TraceProcessor that they will ask; None for the default.
    """
    with tempfile.TemporaryDirectory(prefix="tp-tools-", ignore_cleanup_errors=True) as name:
        if jobs == 1:
            yield _Alone(Path(name))
            return
        with ProcessPoolExecutor(jobs, _context(), _serve) as pool:
            for _ in range(jobs):
                pool.submit(get_ready, engine)
            yield _Pool(pool, jobs, Path(name))


def _serve() -> None:
    """A worker that is told to end just does: what is to be said and removed is its parent's.

    It also ends when its parent is gone, which may have been killed.
    """
    threading.Thread(target=_end_with_parent, daemon=True).start()
    for name in ("SIGINT", "SIGTERM", "SIGHUP"):
        if number := getattr(signal, name, None):
            signal.signal(number, signal.SIG_DFL)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _context() -> BaseContext:
    """How workers come to be: with what they have to import shared, where that is possible.

    A process without threads may simply fork. Else a server does it, where there is one.
    """
    if is_single_threaded():
        for name in _IMPORTED:
            importlib.import_module(name)
        return multiprocessing.get_context("fork")
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(_IMPORTED))
    forkserver.ensure_running()
    return context
