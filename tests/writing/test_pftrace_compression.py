"""Packets are compressed in the same groups, whoever compresses them."""

from __future__ import annotations

import zlib
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.writing.pftrace.compression import compressed, packed

BLOCKS = st.lists(st.integers(0, 30).map(lambda size: bytes([size]) * size), max_size=30)
LEAST = 10
HEADER = b"\x92\x03"  # field 50, compressed_packets


def groups(data: bytes) -> list[bytes]:
    """Unpack the compressed packets of a file, each of fewer than 128 bytes."""
    found = []
    while data:
        size, packet, data = data[1], data[2 : 2 + data[1]], data[2 + data[1] :]
        assert size < 128
        assert packet.startswith(HEADER + bytes([size - 3]))
        found.append(zlib.decompress(packet[3:]))
    return found


@PURE
@given(BLOCKS)
def test_nothing_is_lost_and_groups_are_large(blocks: list[bytes]) -> None:
    """Blocks come out in order; what is small stands together, up to the next large block."""
    found = groups(b"".join(compressed(blocks, LEAST)))
    assert b"".join(found) == b"".join(blocks)
    assert all(len(group) < 2 * LEAST or group in blocks for group in found)
    sizes = [*map(len, found), LEAST]
    assert all(one >= LEAST or after >= LEAST for one, after in pairwise(sizes))


@PURE
@given(BLOCKS, st.sets(st.integers(0, 29)))
def test_who_compresses_does_not_show(blocks: list[bytes], elsewhere: set[int]) -> None:
    """A block that was compressed where it was made gives the same bytes; a small one is not."""
    made = [packed(it, LEAST if i in elsewhere else None) for i, it in enumerate(blocks)]
    assert [*compressed(made, LEAST)] == [*compressed(blocks, LEAST)]
