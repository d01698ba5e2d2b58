"""Convert decimal microseconds to int nanoseconds, exactly.

Chrome's `ts` and `dur` are decimal text in microseconds. A double holds them exactly only below
2^42 us (51 days); epoch-sized times lose up to 244 ns. So floats are used here only to model how
Perfetto reads a text.
"""

from __future__ import annotations

import math
import re
from decimal import ROUND_HALF_UP, Decimal
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

_LARGEST = (1 << 63) - 1
_PLAIN_DIGITS = 16  # with three decimals more they still fit a uint64
_PLAIN_DECIMALS = 3
_NUMBER = re.compile(rb"(-?)(0|[1-9]\d*)(?:\.(\d+))?(?:[eE]([+-]?\d{1,6}))?")
_HUGE = 10**16  # 2^63 ns is 9.2e15 us
_NANO = Decimal("0.001")
_MOST_POWER = 308  # of ten, in a double
_HALF = 0.5

_EXACT_IN_DOUBLE = float(1 << 52)
_EXACT_BELOW_NS = (1 << 42) * 1000
_MOST_DECIMALS = 19
SAFE_DECIMALS = 18
"""Number of decimals that Perfetto's parser can hold, whatever the digits."""


def nanoseconds(text: bytes) -> int:
    """Convert a JSON number, in quotes or not, from microseconds to nanoseconds.

    Digits below a nanosecond round half away from zero: b"1.2345" gives 1235.

    Raises:
        ValueError: the text is not a JSON number, or does not fit 64 bits.
    """
    value = Decimal(_parts(text)[0].decode())
    if abs(value) >= _HUGE:
        raise ValueError(f"too large for 64 bits of nanoseconds: {text!r}")
    result = int(value.quantize(_NANO, ROUND_HALF_UP).scaleb(3))
    if not -_LARGEST <= result <= _LARGEST:
        raise ValueError(f"too large for 64 bits of nanoseconds: {text!r}")
    return result


def perfetto_agrees(text: bytes, time: int) -> bool:
    """Tell whether Perfetto v52 to v58 read a text in microseconds as `time` nanoseconds.

    They read integers exactly. For other numbers their parser adds whole and fraction as doubles
    and scales by the exponent (src/trace_processor/util/json_parser.h, StringToDouble); the
    double, times 1000, goes to the nearest integer.

    Raises:
        ValueError: the text is not a JSON number, in quotes or not.
    """
    _, sign, whole, fraction, exponent = _parts(text)
    if not fraction and not exponent:
        return int(sign + whole) * 1000 == time
    if overflows(whole, fraction):
        return False
    scale = int(exponent or b"0")
    power = 10.0 ** abs(scale) if abs(scale) <= _MOST_POWER else math.inf
    value = float(int(whole)) + (int(fraction) / 10.0 ** len(fraction) if fraction else 0.0)
    value = value / power if scale < 0 else value * power
    if not math.isfinite(value):
        return False
    product = value * 1000.0
    rounded = int(value) * 1000 if value.is_integer() else int(product)
    if not value.is_integer() and product - rounded >= _HALF:
        rounded += 1
    return (-rounded if sign else rounded) == time


def overflows(whole: bytes, fraction: bytes) -> bool:
    """Tell whether whole part or fraction overflow Perfetto's parser, which then misreads them.

    The parser holds both in an int64, and 10 to the power of the decimals in a uint64.
    """
    return (
        len(whole.lstrip(b"0")) > _MOST_DECIMALS
        or int(whole) > _LARGEST
        or len(fraction) > _MOST_DECIMALS
        or (len(fraction) == _MOST_DECIMALS and int(fraction) > _LARGEST)
    )


def _parts(text: bytes) -> tuple[bytes, bytes, bytes, bytes, bytes]:
    """Split a number into its text without quotes, sign, whole part, fraction and exponent."""
    quoted = text[:1] == b'"'
    match = _NUMBER.fullmatch(text[1:-1] if quoted else text)
    if match is None:
        raise ValueError(f"not a number of microseconds: {text!r}")
    sign, whole, fraction, exponent = match.groups(b"")
    return match[0], sign, whole, fraction, exponent


def microseconds(time: int) -> bytes:
    """Format nanoseconds as decimal microseconds with three decimals: 1234 gives b"1.234"."""
    text = b"%d.%03d" % divmod(abs(time), 1000)
    return b"-" + text if time < 0 else text


def has_decimals(text: bytes) -> bool:
    """Tell whether a number has a point or an exponent, so that Perfetto reads it as a double."""
    return not text.strip(b'"').lstrip(b"-").isdigit()


def column(texts: Sequence[bytes]) -> tuple[NDArray[np.int64], NDArray[np.bool_]] | None:
    """Convert many plain numbers from microseconds to nanoseconds at once.

    Profilers write plain numbers: digits, and at most one point with one to three decimals.

    Args:
        texts: the numbers as JSON text (bytes or msgspec.Raw), microseconds.

    Returns:
        Nanoseconds (int64), and a mask of the numbers with a point (bool), both of shape
        (texts,); None if one of the numbers is not plain and needs `nanoseconds`.
    """
    if not texts:
        return np.empty(0, np.int64), np.empty(0, np.bool_)
    joined = b",".join(texts)
    if joined.translate(None, b"0123456789.,"):
        return None
    characters = np.frombuffer(joined, np.uint8)
    ends = np.append(np.flatnonzero(characters == ord(",")), len(characters))
    points = np.flatnonzero(characters == ord("."))
    lengths = np.diff(ends, prepend=-1) - 1
    decimals = _decimals(ends, points)
    if decimals is None:
        return None
    has_point = decimals >= 0
    whole = lengths - 1 - decimals
    if whole.min() < 1 or whole.max() > _PLAIN_DIGITS or decimals.max() > _PLAIN_DECIMALS:
        return None
    digits = np.fromstring(joined.replace(b".", b"").decode(), np.uint64, sep=",")
    digits *= _SCALES[decimals]
    if int(digits.max()) > _LARGEST:
        return None
    return digits.astype(np.int64), has_point


_SCALES = np.array([1000, 100, 10, 1, 1000], np.uint64)
"""Factor to nanoseconds by number of decimals; the last one is for -1, no point."""


def _decimals(ends: NDArray[np.int64], points: NDArray[np.int64]) -> NDArray[np.int64] | None:
    """Count the decimals of each number.

    Args:
        ends: offset of the end of each number in the joined text.
        points: offsets of the points.

    Returns:
        Number of decimals, -1 for a number without a point; None if one has two points.
    """
    if len(points) == len(ends) and (ends[:-1] < points[1:]).all() and (points < ends).all():
        return ends - points - 1
    owners = np.searchsorted(ends, points)
    if (np.diff(owners) == 0).any():
        return None
    decimals = np.full(len(ends), -1)
    decimals[owners] = ends[owners] - points - 1
    return decimals


def as_double(time: NDArray[np.int64]) -> NDArray[np.int64]:
    """Round times as Perfetto reads them from decimal microseconds: llround(double(us) * 1000).

    Whole microseconds, and all times below 2^42 us, stay exact.

    Args:
        time: times in ns, int64, of any shape.

    Returns:
        The rounded times in ns, of the same shape.
    """
    if not len(time) or max(time.max(), -time.min()) < _EXACT_BELOW_NS:
        return time
    whole, fraction = time // 1000, time % 1000
    value = whole.astype(np.float64) + fraction / 1000.0
    is_whole = value == np.floor(value)
    product = np.where(is_whole, 0.0, value * 1000.0)  # whole ones may not fit 64 bits
    rounded = np.where(product < _EXACT_IN_DOUBLE, np.floor(product + 0.5), product)
    result: NDArray[np.int64] = np.where(
        is_whole, np.floor(value).astype(np.int64) * 1000, rounded.astype(np.int64)
    )
    return np.where(fraction == 0, time, result)
