"""Protobuf bytes: single messages, and many of one shape at once as rows of a matrix.

Readers accept varints that are padded with continuation bytes to a fixed width (Perfetto's own
writers rely on it for lengths). With every varint of a column equally wide, packets of one shape
are rows of one uint8 matrix. Encoding: protobuf.dev/programming-guides/encoding.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_MASK64 = (1 << 64) - 1
_LOW_7, _MORE = 0x7F, 0x80  # of a varint's byte: its bits of the value, and that others follow


def varint(value: int) -> bytes:
    """The shortest form; negative numbers as 64-bit two's complement."""
    value &= _MASK64
    out = bytearray()
    while value > _LOW_7:
        out.append(value & _LOW_7 | _MORE)
        value >>= 7
    out.append(value)
    return bytes(out)


def tag(field: int, wire_type: int) -> bytes:
    """What stands before a field's value."""
    return varint(field << 3 | wire_type)


def number(field: int, value: int) -> bytes:
    """A field of any integer type but the fixed and zigzag ones."""
    return tag(field, _VARINT) + varint(value)


def message(field: int, body: bytes) -> bytes:
    """A field of bytes, text or a message."""
    return tag(field, _BYTES) + varint(len(body)) + body


def text(field: int, value: str) -> bytes:
    """A field of text."""
    return message(field, value.encode())


def double(field: int, value: float) -> bytes:
    """A field of a double."""
    return tag(field, _FIXED64) + struct.pack("<d", value)


def fixed64(field: int, value: int) -> bytes:
    """A field of a fixed64."""
    return tag(field, _FIXED64) + struct.pack("<Q", value)


def width(largest: int) -> int:
    """Bytes that a varint of this size takes, at least 1."""
    return max(1, (largest.bit_length() + 6) // 7)


def column(values: Ints, size: int) -> NDArray[np.uint8]:
    """Varints of `size` bytes each, a row per value.

    Args:
        values: not negative, below 2^(7 size).
        size: bytes.
    """
    rest = values.astype(np.uint64)
    out = np.empty((len(rest), size), np.uint8)
    for i in range(size):
        out[:, i] = (rest & np.uint64(_LOW_7)).astype(np.uint8)
        rest >>= np.uint64(7)
    out[:, : size - 1] |= _MORE
    return out


def fixed64_column(values: Ints) -> NDArray[np.uint8]:
    """Values of fixed64 fields, a row of 8 bytes each."""
    return np.ascontiguousarray(values, "<u8").view(np.uint8).reshape(-1, 8)


def rows(count: int, *parts: bytes | NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Columns side by side; bytes are the same in every row.

    Args:
        count: rows.
        parts: columns of `count` rows, or bytes.
    """
    columns = [
        np.broadcast_to(np.frombuffer(part, np.uint8), (count, len(part)))
        if isinstance(part, bytes)
        else part
        for part in parts
    ]
    return np.hstack(columns)
