"""Encode protobuf: single messages, or many of one shape as the rows of a matrix.

Readers accept varints that are padded with continuation bytes to a fixed width (Perfetto's own
writers rely on it for lengths). With all varints of a column equally wide, packets of one shape
are rows of one uint8 matrix. Encoding: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints

    Column: TypeAlias = "bytes | NDArray[np.uint8]"

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_MASK64 = (1 << 64) - 1
_LOW_7, _MORE = 0x7F, 0x80  # in a byte of a varint: bits of the value; flag that more bytes follow


def varint(value: int) -> bytes:
    """Encode a varint in its shortest form; a negative number as 64-bit two's complement."""
    value &= _MASK64
    out = bytearray()
    while value > _LOW_7:
        out.append(value & _LOW_7 | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(field: int, wire_type: int) -> bytes:
    """Encode the tag that precedes the value of a field."""
    return varint(field << 3 | wire_type)


def number(field: int, value: int) -> bytes:
    """Encode a field of any integer type except fixed and zigzag ones."""
    return tag(field, _VARINT) + varint(value)


def message(field: int, body: bytes) -> bytes:
    """Encode a field of type bytes or string, or a message."""
    return tag(field, _BYTES) + varint(len(body)) + body


def text(field: int, value: str) -> bytes:
    """Encode a field of type string."""
    return message(field, value.encode())


def double(field: int, value: float) -> bytes:
    """Encode a field of type double."""
    return tag(field, _FIXED64) + struct.pack("<d", value)


def fixed64(field: int, value: int) -> bytes:
    """Encode a field of type fixed64."""
    return tag(field, _FIXED64) + struct.pack("<Q", value)


def width(largest: int) -> int:
    """Return the number of bytes of the varint of a value that is not negative, at least 1."""
    return max(1, (largest.bit_length() + 6) // 7)


def column(values: Ints, size: int) -> NDArray[np.uint8]:
    """Encode values as varints of equal width.

    Args:
        values: values from 0 to 2^(7 size) - 1.
        size: bytes of each varint.

    Returns:
        uint8 array (values, size).
    """
    remaining = values.astype(np.uint64)
    out = np.empty((len(remaining), size), np.uint8)
    for i in range(size):
        out[:, i] = (remaining & np.uint64(_LOW_7)).astype(np.uint8)
        remaining >>= np.uint64(7)
    out[:, : size - 1] |= _MORE
    return out


def fixed64_column(values: Ints) -> NDArray[np.uint8]:
    """Encode values of fixed64 fields.

    Returns:
        uint8 array (values, 8).
    """
    return np.ascontiguousarray(values, "<u8").view(np.uint8).reshape(-1, 8)


def row_size(columns: Iterable[Column]) -> int:
    """Return the number of bytes of a row of these columns."""
    return sum(len(it) if isinstance(it, bytes) else it.shape[1] for it in columns)


def rows(count: int, *columns: Column) -> NDArray[np.uint8]:
    """Put columns side by side.

    Args:
        count: number of rows.
        columns: uint8 arrays (count, any width), or bytes to repeat in every row.

    Returns:
        uint8 array (count, sum of widths).
    """
    out = np.empty((count, row_size(columns)), np.uint8)
    at = 0
    for column in columns:
        values = np.frombuffer(column, np.uint8) if isinstance(column, bytes) else column
        out[:, at : at + values.shape[-1]] = values
        at += values.shape[-1]
    return out
