"""Change settings of the whole process, for `tp-tools` as a command; no other module does.

`python -m benchmarks.settings` measures what each of them gains.
"""

from __future__ import annotations

import os
import sys
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

VARIABLES = {"OPENBLAS_NUM_THREADS": "1"}
"""Environment variables to set where they are not set. OpenBLAS would start a thread per core for
products of large matrices, which do not occur here; a process without threads can be forked.
Measured on a trace of 240,000 events: a repair takes 22 % more CPU without it."""

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
    missing = {key: value for key, value in VARIABLES.items() if key not in os.environ}
    token = _in_effect.set(True)
    try:
        os.environ.update(missing)
        yield
    finally:
        _in_effect.reset(token)
        for key in missing:
            os.environ.pop(key, None)


def end(code: int) -> NoReturn:
    """End the process without freeing its objects first.

    Measured on a trace of 240,000 events: with freeing a repair takes 6 % more CPU.
    """
    for stream in filter(None, (sys.stdout, sys.stderr)):
        with suppress(OSError, ValueError):  # the reader has left; `main` handled that
            stream.flush()
    os._exit(code)


def give_back_memory() -> None:
    """Have freed columns return to the system, and keep smaller blocks.

    The change lasts to the end of the process, so it is made only while the settings are in effect.

    Without it glibc keeps freed columns of up to 32 MB, in blocks that later columns do not fit
    into, and returns memory that the text of the next batch needs again (mallopt(3)). Measured on a
    trace of 1 million events: a repair takes 8 % more CPU and 10 % more memory without it.
    """
    if _in_effect.get() and sys.platform == "linux":
        import ctypes  # noqa: PLC0415  0.01 s

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _COLUMN)
            mallopt(_M_TRIM_THRESHOLD, _KEPT)
