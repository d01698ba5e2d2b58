"""Decimal microseconds as int nanoseconds, exactly.

Chrome's `ts` and `dur` are decimal text in microseconds. A double holds them exactly only below
2^42 us (51 days); epoch-sized ones lose up to 244 ns. So no float is used here.
"""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LARGEST = (1 << 63) - 1
_PLAIN_DIGITS = 16  # with three decimals more they still fit a uint64
_PLAIN_DECIMALS = 3


def nanoseconds(text: bytes) -> int:
    """One JSON number, or number in quotes, from microseconds to nanoseconds.

    Digits below a nanosecond round half away from zero, as Perfetto's llround does.

    Raises:
        ValueError: the text is no number, or does not fit 64 bits.
    """
    try:
        value = Decimal(text.strip(b'" \t\r\n').decode("ascii"))
        result = int((value * 1000).to_integral_value(ROUND_HALF_UP))
    except (InvalidOperation, UnicodeDecodeError, OverflowError, ValueError) as error:
        raise ValueError(f"not a number of microseconds: {text!r}") from error
    if not -_LARGEST <= result <= _LARGEST:
        raise ValueError(f"too large for 64 bits of nanoseconds: {text!r}")
    return result


def microseconds(time: int) -> bytes:
    """A time in nanoseconds as decimal microseconds with three decimals."""
    sign, time = ("-", -time) if time < 0 else ("", time)
    return f"{sign}{time // 1000}.{time % 1000:03d}".encode()


def has_decimals(text: bytes) -> bool:
    """Whether Perfetto reads this number through a double: a point, an exponent or quotes."""
    return not text.lstrip(b"-").isdigit()


def column(texts: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """Many plain numbers at once; None where one of them needs `nanoseconds`.

    Plain is what profilers write: digits, at most one point with one to three decimals.

    Args:
        texts: the numbers as JSON text (bytes or msgspec.Raw), microseconds.

    Returns:
        Nanoseconds, and which numbers are written with a point.
    """
    if not texts:
        return np.empty(0, np.int64), np.empty(0, np.bool_)
    joined = b",".join(texts)
    if joined.translate(None, b"0123456789.,"):
        return None
    marks = np.frombuffer(joined, np.uint8)
    ends = np.append(np.flatnonzero(marks == ord(",")), len(marks))
    points = np.flatnonzero(marks == ord("."))
    owners = np.searchsorted(ends, points)
    if (np.diff(owners) == 0).any():
        return None
    decimals = np.zeros(len(texts), np.int64)
    decimals[owners] = ends[owners] - points - 1
    whole = np.diff(ends, prepend=-1) - 1
    whole[owners] -= decimals[owners] + 1
    if whole.min() < 1 or whole.max() > _PLAIN_DIGITS or decimals.max() > _PLAIN_DECIMALS:
        return None
    digits = np.fromstring(joined.replace(b".", b"").decode(), np.uint64, sep=",")
    scaled = digits * (10 ** (3 - decimals)).astype(np.uint64)
    if int(scaled.max()) > _LARGEST:
        return None
    has_point = np.zeros(len(texts), np.bool_)
    has_point[owners] = True
    return scaled.astype(np.int64), has_point
