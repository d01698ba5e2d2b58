"""Change settings of the whole process, for `tp-tools` as a command; no other module does."""

from __future__ import annotations

import gc
import os
import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

SWITCH_S = 0.0005
"""Seconds after which a thread hands over, so that those that compress wait less."""

NEW_OBJECTS = 20_000
"""New objects before Python searches them for reference cycles: most objects here are columns,
which refer to no other objects. Measured on a trace of 240,000 events: 0.05 s of searches, with
this threshold 0.02 s."""

VARIABLES = {"OPENBLAS_NUM_THREADS": "1"}
"""Environment variables to set where they are not set. OpenBLAS would start a thread per core for
products of large matrices, which do not occur here; a process without threads can be forked."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_COLUMN = 4 << 20
"""Bytes of a block from which on memory returns to the system at once."""

_KEPT = 8 << 20
"""Most free bytes kept at the end of the heap: the text of some batches."""


_in_effect = ContextVar("_in_effect", default=False)
"""Whether the settings are in effect."""


@contextmanager
def settings() -> Iterator[None]:
    """Apply the settings of a command while the block runs; restore the previous ones after."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    missing = {key: value for key, value in VARIABLES.items() if key not in os.environ}
    token = _in_effect.set(True)
    try:
        sys.setswitchinterval(SWITCH_S)
        gc.set_threshold(NEW_OBJECTS)
        os.environ.update(missing)
        yield
    finally:
        _in_effect.reset(token)
        for key in missing:
            os.environ.pop(key, None)
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)


def end(code: int) -> NoReturn:
    """End the process without freeing its objects first.

    Measured on a trace of 240,000 events: freeing takes 0.05 s of the 0.9 s of a repair.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):  # the reader has left; `main` handled that
            stream.flush()
    os._exit(code)


def give_back_memory() -> None:
    """Have freed columns return to the system, and keep smaller blocks.

    The change lasts to the end of the process, so it is made only while the settings are in effect.

    Without it glibc keeps freed columns of up to 32 MB, in blocks that later columns do not fit
    into, and returns memory that the text of the next batch needs again (mallopt(3)).
    """
    if _in_effect.get() and sys.platform == "linux":
        import ctypes  # noqa: PLC0415  0.01 s

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _COLUMN)
            mallopt(_M_TRIM_THRESHOLD, _KEPT)
