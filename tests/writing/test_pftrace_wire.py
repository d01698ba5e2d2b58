"""Protobuf bytes, single and as matrices: each number is decoded as it was encoded."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tp_tools.writing.pftrace import wire

NATURAL = st.integers(0, 2**63 - 1)


def read_varint(data: bytes) -> tuple[int, int]:
    """Decode the varint at the start of the bytes, as protobuf's guide says: value and length."""
    value = shift = 0
    for length, byte in enumerate(data, 1):
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, length
        shift += 7
    raise AssertionError(data)


@given(st.integers(-(2**63), 2**64 - 1))
def test_a_varint_gives_its_number_back(value: int) -> None:
    """A varint decodes to its number; a negative one takes ten bytes as 64-bit two's complement."""
    data = wire.varint(value)
    assert read_varint(data) == (value % 2**64, len(data))
    assert len(data) == (10 if value < 0 else wire.width(value))


@given(st.lists(NATURAL, max_size=20), st.integers(0, 3))
def test_padded_varints_give_their_numbers_back(values: list[int], more: int) -> None:
    """Each row is one varint of the given width, however small its number."""
    size = wire.width(max(values, default=0)) + more
    matrix = wire.column(np.array(values, np.int64), size)
    assert [read_varint(row.tobytes()) for row in matrix] == [(value, size) for value in values]


@given(st.lists(NATURAL, max_size=20))
def test_fixed64_columns(values: list[int]) -> None:
    """Each row is eight bytes, the lowest first."""
    matrix = wire.fixed64_column(np.array(values, np.int64))
    assert [int.from_bytes(row.tobytes(), "little") for row in matrix] == values


def test_rows_stand_side_by_side() -> None:
    """Bytes are repeated in every row, columns are not."""
    numbers = np.array([[1], [2]], np.uint8)
    assert wire.rows(2, b"ab", numbers, b"c").tobytes() == b"ab\x01cab\x02c"


def test_no_rows() -> None:
    """A matrix without rows has no bytes."""
    assert wire.rows(0, b"ab", np.empty((0, 3), np.uint8)).tobytes() == b""


@pytest.mark.parametrize("length", [0, 1, 127, 128, 20_000])
def test_a_message_says_how_long_it_is(length: int) -> None:
    """A message is its tag, its length, then its bytes."""
    data = wire.message(3, b"x" * length)
    size, taken = read_varint(data[1:])
    assert (data[0], size, data[1 + taken :]) == (3 << 3 | 2, length, b"x" * length)
