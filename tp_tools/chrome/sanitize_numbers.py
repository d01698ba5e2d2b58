"""Repairs of the few numbers in a text that Perfetto refuses or misreads, found without a scan.

NaN, Infinity                     as text: "NaN"
integers over 63 bits             as text, or Perfetto reads -1.0
numbers too large for a double    as text, or v52 refuses the file: 1e400
decimals of too many digits       with 18 digits, or Perfetto's parser overflows
"""

from __future__ import annotations

import math
import re
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome import timestamps

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterator

    from numpy.typing import NDArray

_LARGEST = (1 << 63) - 1
_DIGITS = bytes(ord("0") if ord("0") <= b <= ord("9") else b for b in range(256))
_LONG = b"0" * 19  # 2^63 = 9.2e18 has 19 digits
_ROW = re.compile(rb"\d{%d}" % len(_LONG))
_STEP, _BEHIND, _TEN = 6, 13, 10
_WORDS = (b"NaN", b"Infinity")
TOKEN = re.compile(rb"-?(?:NaN|Infinity|(\d+)(?:\.(\d+))?([eE][+-]?\d+)?)(?![\w.+-])")
_NUMBER_BYTES = frozenset(bytes([byte]) for byte in b"0123456789.")
_LONGEST = 512  # characters of a number before the digits that caught the eye
_LARGEST_POWER = 308  # of ten, in a double
_MOST_EXPONENT = 9  # characters; no double has more
_ESCAPES = re.compile(rb"\\.", re.DOTALL)
_ID_KEY = re.compile(rb'"(?:bind_)?id"\s*:\s*\Z')
_LONGEST_KEY = 64
_BEFORE_VALUES = (b":", b",", b"[", b"")


def sanitized_numbers(text: bytes, repairs: Counter[str], *, inside: bool, words: bool) -> bytes:
    """The text with these numbers put right.

    Args:
        text: a piece of JSON that ends outside of any number or word.
        repairs: counts what was mended, by kind.
        inside: whether the piece begins inside a string.
        words: whether to look for NaN and Infinity, and not for numbers alone.
    """
    parts, done = [], 0
    plain = b""
    for start, stop, value in _found(text, words=words):
        plain = plain or _ESCAPES.sub(b"__", text)
        inside ^= bool(plain.count(b'"', done, start) & 1)
        if not inside:
            is_id = _ID_KEY.search(text, max(0, start - _LONGEST_KEY), start) is not None
            parts += [text[done:start], sanitized_token(value, repairs, is_id=is_id)]
        else:
            parts.append(text[done:stop])
        done = stop
    return b"".join([*parts, text[done:]]) if parts else text


def sanitized_token(token: bytes, repairs: Counter[str], *, is_id: bool) -> bytes:
    """NaN, Infinity or a number that Perfetto misreads, as JSON that it reads right.

    Args:
        token: the number.
        repairs: counts it.
        is_id: whether it is the value of a key `id` or `bind_id`.
    """
    if not token[-1:].isdigit():
        repairs["not_a_number"] += 1
        return b'"' + token + b'"'
    if is_huge(token):
        repairs["huge_numbers"] += 1
        return b'"' + token + b'"'
    if token.lstrip(b"-").isdigit():
        repairs["large_integers"] += 1
        return b'"0x%x"' % int(token) if is_id and int(token) > 0 else b'"' + token + b'"'
    repairs["long_decimals"] += 1
    return shortened(token)


def is_misread(token: re.Match[bytes]) -> bool:
    """Whether Perfetto refuses or misreads a number, given its whole part, fraction, exponent."""
    whole, fraction, exponent = token.groups(b"")
    if fraction or exponent:
        return timestamps.overflows(whole, fraction) or is_huge(token[0])
    return not whole or not -_LARGEST - 1 <= int(token[0]) <= _LARGEST


def is_huge(number: bytes) -> bool:
    """Whether Perfetto's parser finds no double for a number with an exponent, not even for 0e400.

    It multiplies the digits by the power of ten: src/trace_processor/util/json_parser.h, v52.
    """
    digits, _, exponent = number.lower().partition(b"e")
    if not exponent or exponent.startswith(b"-"):
        return False
    scale = int(exponent[:_MOST_EXPONENT])
    return scale > _LARGEST_POWER or math.isinf(float(digits) * 10.0**scale)


def _found(text: bytes, *, words: bool) -> Iterator[tuple[int, int, bytes]]:
    """Start, stop and text of each of these numbers, some of them in strings, in order."""
    done = 0
    for at in sorted(_places(text, words=words)):
        if at < done:
            continue
        start = at
        while start > at - _LONGEST and text[start - 1 : start] in _NUMBER_BYTES:
            start -= 1
        start -= text[start - 1 : start] == b"-"
        token = TOKEN.match(text, start)
        before = text[max(0, start - 2) : start].rstrip(b" \t\r\n")[-1:]
        if token and before in _BEFORE_VALUES and is_misread(token):
            done = token.end()
            yield start, done, token[0]


def _places(text: bytes, *, words: bool) -> Iterator[int]:
    for word in _WORDS if words else ():
        yield from _all(text, word)
    if holds_long(text):
        yield from _all(text.translate(_DIGITS), _LONG)


def holds_long(text: bytes) -> bool:
    """Whether there are 19 digits in a row.

    Every sixth byte is looked at. Of the first three such bytes in the row the first stands at its
    sixth digit at the latest, so that the 13 bytes behind that one are digits too.
    """
    marks = np.frombuffer(text, np.uint8)
    sampled = _is_digit(marks[::_STEP])
    first = np.flatnonzero(sampled[:-2] & sampled[1:-1] & sampled[2:]) * _STEP
    first = first[first < len(text) - _BEHIND]
    for behind in range(1, _BEHIND + 1):
        first = first[_is_digit(marks[first + behind])]
    return any(_ROW.search(text, max(at - _STEP + 1, 0), at + len(_LONG)) for at in first.tolist())


def _is_digit(marks: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return marks - np.uint8(ord("0")) < _TEN  # what is smaller than "0" wraps around


def _all(text: bytes, word: bytes) -> Iterator[int]:
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))


def shortened(number: bytes) -> bytes:
    """A decimal of too many digits with 18 of them: the same nanosecond, a bit of a double off."""
    whole, _, rest = number.partition(b".")
    if 0 < len(whole.strip(b"-0")) < timestamps.SAFE_DECIMALS:
        exponent = rest.lstrip(b"0123456789")
        return whole + b"." + rest[: timestamps.SAFE_DECIMALS] + exponent
    value = Decimal(number.decode())
    digits = "".join(map(str, value.as_tuple().digits))[: timestamps.SAFE_DECIMALS]
    sign = "-" if value.is_signed() else ""
    return f"{sign}{digits[0]}.{digits[1:] or '0'}e{value.adjusted() if value else 0}".encode()
