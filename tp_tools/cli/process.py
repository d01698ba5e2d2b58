"""Settings of the whole process, for `tp-tools` as a command; nothing else changes any."""

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
"""Seconds after which a thread hands over, so that those that unpack and pack wait less."""

NEW_OBJECTS = 20_000
"""Objects that are made before Python looks for circles among them: most objects here are columns,
which refer to no other ones. Measured on a trace of 240,000 events: 0.05 s of searches, with this
threshold 0.02 s."""

VARIABLES = {"OPENBLAS_NUM_THREADS": "1"}
"""Variables of the environment, where they are not set. numpy would start a thread per core for
products of matrices, of which there are none here; and a process without threads can be copied."""

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_COLUMN = 4 << 20
"""Bytes from which on memory goes back to the system at once."""

_AT_HAND = 8 << 20
"""Free bytes at the end of the heap that are kept, at most: the text of some batches."""


_hold = ContextVar("_hold", default=False)
"""Whether the settings hold."""


@contextmanager
def settings() -> Iterator[None]:
    """Apply the settings of a command while the block runs; put back what was set before it."""
    interval, threshold = sys.getswitchinterval(), gc.get_threshold()
    missing = {key: value for key, value in VARIABLES.items() if key not in os.environ}
    held = _hold.set(True)
    try:
        sys.setswitchinterval(SWITCH_S)
        gc.set_threshold(NEW_OBJECTS)
        os.environ.update(missing)
        yield
    finally:
        _hold.reset(held)
        for key in missing:
            os.environ.pop(key, None)
        gc.set_threshold(*threshold)
        sys.setswitchinterval(interval)


def end(code: int) -> NoReturn:
    """Ends the process without taking apart first what its end frees anyway.

    Measured on a trace of 240,000 events: that would take 0.05 s of the 0.9 s of a repair.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):  # who read it has left, and was told so
            stream.flush()
    os._exit(code)


def give_back_memory() -> None:
    """Has columns go back to the system when they are freed; smaller blocks are kept.

    This holds to the end of the process, so it does nothing where the settings do not hold.

    By itself glibc keeps freed columns of up to 32 MB, in pieces that later ones do not fit into,
    and gives back what the text of the next batch needs again at once (mallopt(3)).
    """
    if _hold.get() and sys.platform == "linux":
        import ctypes  # noqa: PLC0415  0.01 s

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _COLUMN)
            mallopt(_M_TRIM_THRESHOLD, _AT_HAND)
