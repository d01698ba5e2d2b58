"""How the system's allocator is used."""

from __future__ import annotations

import sys

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3  # malloc.h
_COLUMN = 4 << 20
"""Bytes from which on memory goes back at once."""

_AT_HAND = 8 << 20
"""Free bytes at the end of the heap that are kept, at most: the text of some runs."""


def give_back_memory() -> None:
    """Columns go back to the system when they are freed; what is smaller is kept for what follows.

    By itself glibc keeps freed columns of up to 32 MB, in pieces that later ones do not fit into,
    and gives back what the text of the next run needs again at once (mallopt(3)).
    """
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415

        mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # musl has none
        if mallopt is not None:
            mallopt(_M_MMAP_THRESHOLD, _COLUMN)
            mallopt(_M_TRIM_THRESHOLD, _AT_HAND)
