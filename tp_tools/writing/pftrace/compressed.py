"""Packets compressed inside the file (TracePacket.compressed_packets, zlib: v52 to v58)."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from isal import isal_zlib

from tp_tools.writing.pftrace import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

_BLOCK = 1 << 20
_LEVEL = 1  # isal's; 0 to 3


def compressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same packets in compressed ones; they are compressed while the next are made.

    Args:
        blocks: whole packets.
    """
    with ThreadPoolExecutor(1) as beside:
        waiting: deque[Future[bytes]] = deque()
        for held in _megabytes(blocks):
            waiting.append(beside.submit(_packed, held))
            if len(waiting) > 1:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _megabytes(blocks: Iterable[bytes]) -> Iterator[list[bytes]]:
    """The same blocks, by about a megabyte."""
    held: list[bytes] = []
    size = 0
    for block in blocks:
        held.append(block)
        size += len(block)
        if size >= _BLOCK:
            yield held
            held, size = [], 0
    if size:
        yield held


def _packed(blocks: list[bytes]) -> bytes:
    return wire.message(1, wire.message(50, isal_zlib.compress(b"".join(blocks), _LEVEL)))
