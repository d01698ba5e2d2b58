"""Blocks read ahead: while one is worked on, the next is unpacked on a thread of its own."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator


def ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """The same blocks; what goes wrong with one is raised when its turn comes."""
    with ThreadPoolExecutor(1) as beside:
        coming = beside.submit(next, blocks, None)
        while (block := coming.result()) is not None:
            coming = beside.submit(next, blocks, None)
            yield block
