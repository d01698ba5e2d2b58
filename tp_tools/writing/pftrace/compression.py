"""Compress packets in groups that do not depend on who compresses them.

Field: TracePacket.compressed_packets, zlib (v52 to v58).
"""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeAlias

from isal import isal_zlib
from msgspec import Struct

from tp_tools.writing.pftrace import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from concurrent.futures import Future

LEAST = 1 << 16
"""Bytes of packets from which a block is compressed by itself; deflate looks back half as far."""

_LEVEL = 1  # isal's levels are 0 to 3


class Packed(Struct, frozen=True):
    """A block of packets that is compressed.

    Attributes:
        packet: the packet that holds the others.
    """

    packet: bytes


Block: TypeAlias = "bytes | Packed"
"""Whole packets, or those of a block that was compressed where it was made."""


def packed(packets: bytes, least: int | None) -> Block:
    """Compress a block where it is made, if `compressed` would compress it by itself.

    Args:
        packets: whole packets.
        least: as of `compressed`; None to leave them as they are.
    """
    if least is None or len(packets) < least:
        return packets
    return Packed(_compressed_packet([packets]))


def compressed(blocks: Iterable[Block], least: int = LEAST) -> Iterator[bytes]:
    """Put packets into compressed ones, in a thread, while this one makes the next packets.

    Args:
        blocks: blocks of whole packets; small ones that follow each other are joined.
        least: bytes from which a block is compressed by itself.
    """
    with ThreadPoolExecutor(1) as thread:
        waiting: deque[Packed | Future[bytes]] = deque()
        for group in _groups(blocks, least):
            if isinstance(group, Packed):
                waiting.append(group)
            else:
                waiting.append(thread.submit(_compressed_packet, group))
            if len(waiting) > 1:
                yield _packet(waiting.popleft())
        yield from map(_packet, waiting)


def _groups(blocks: Iterable[Block], least: int) -> Iterator[Packed | list[bytes]]:
    """Yield what is compressed together: one large block, or small ones that make one."""
    small: list[bytes] = []
    size = 0
    for block in blocks:
        is_large = isinstance(block, Packed) or len(block) >= least
        if small and (is_large or size >= least):
            yield small
            small, size = [], 0
        if isinstance(block, Packed):
            yield block
        elif is_large:
            yield [block]
        elif block:
            small.append(block)
            size += len(block)
    if small:
        yield small


def _packet(group: Packed | Future[bytes]) -> bytes:
    return group.packet if isinstance(group, Packed) else group.result()


def _compressed_packet(blocks: list[bytes]) -> bytes:
    return wire.message(1, wire.message(50, isal_zlib.compress(b"".join(blocks), _LEVEL)))
