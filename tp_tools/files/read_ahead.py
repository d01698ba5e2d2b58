"""Blocks read ahead: while one is worked on, the next are unpacked on a thread of their own."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

_BYTES = 8 << 20
_MOST = 8  # blocks: some take long to work on, and some no time


def ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks; what goes wrong with one is raised when its turn comes."""
    coming: deque[Future[bytes | None]] = deque()
    with ThreadPoolExecutor(1) as beside:
        coming.append(beside.submit(next, blocks, None))
        while (block := coming.popleft().result()) is not None:
            wanted = min(_BYTES // max(len(block), 1) + 1, _MOST)  # if the next ones are as large
            while len(coming) < wanted:
                coming.append(beside.submit(next, blocks, None))
            yield block
