"""Packets compressed inside the file (TracePacket.compressed_packets, zlib: v52 to v58)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from isal import isal_zlib

from tp_tools.rewrite.pftrace import wire

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_BLOCK = 1 << 20
_LEVEL = 1  # isal's; 0 to 3


def compressed(blocks: Iterable[bytes]) -> Iterator[bytes]:
    """The same packets in compressed ones.

    Args:
        blocks: whole packets.
    """
    held: list[bytes] = []
    size = 0
    for block in blocks:
        held.append(block)
        size += len(block)
        if size >= _BLOCK:
            yield _packed(held)
            held, size = [], 0
    if size:
        yield _packed(held)


def _packed(blocks: list[bytes]) -> bytes:
    return wire.message(1, wire.message(50, isal_zlib.compress(b"".join(blocks), _LEVEL)))
