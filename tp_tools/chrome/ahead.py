"""Blocks read ahead: while one is worked on, the next are unpacked on a thread of their own."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH = 8  # some blocks take long, and some none: nobody waits while both take as long


def ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks; what goes wrong with one is raised when its turn comes."""
    with ThreadPoolExecutor(1) as beside:
        coming = deque(beside.submit(next, blocks, None) for _ in range(_DEPTH))
        while (block := coming.popleft().result()) is not None:
            coming.append(beside.submit(next, blocks, None))
            yield block
