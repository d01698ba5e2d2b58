"""How the system's allocator is used."""

from __future__ import annotations

import sys

_M_MMAP_THRESHOLD = -3  # malloc.h
_COLUMN = 4 << 20


def give_back_memory() -> None:
    """Columns go back to the system when they are freed.

    Once one of up to 32 MB was, glibc keeps the next ones of that size for later, in pieces that
    fit nothing (mallopt(3), M_MMAP_THRESHOLD).
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _COLUMN)
