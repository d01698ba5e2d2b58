"""Read blocks ahead of their consumer, on a thread."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from concurrent.futures import Future

_MAX_BYTES = 8 << 20
_MAX_BLOCKS = 8
"""Blocks that wait at most. Several, because the consumer's time per block varies."""


def read_ahead(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress the next blocks on a thread while the consumer works on one.

    Args:
        blocks: the blocks, read on the thread only.

    Returns:
        The same blocks in order. An error of a block is raised in place of it.
    """
    waiting: deque[Future[bytes | None]] = deque()
    following = partial(copy_context().run, next, blocks, None)
    with ThreadPoolExecutor(1) as thread:
        waiting.append(thread.submit(following))
        while (block := waiting.popleft().result()) is not None:
            # as many as fit into _MAX_BYTES if the next ones are as large as this one
            count = min(_MAX_BYTES // max(len(block), 1) + 1, _MAX_BLOCKS)
            while len(waiting) < count:
                waiting.append(thread.submit(following))
            yield block
