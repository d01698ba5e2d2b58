"""Sanitize numbers that Perfetto refuses or misreads, without a scan of every token.

NaN, Infinity                     as text: "NaN"
integers over 63 bits             as text, or Perfetto reads -1.0
numbers too large for a double    as text, or v52 refuses the file: 1e400
decimals of too many digits       with 18 digits, or Perfetto's parser overflows

`written_as_json` takes numbers that C and Python know, and JSON does not: +3, 03, 3., .5, 0x10.
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
_ZEROS = b"0" * 19  # 2^63 = 9.2e18 has 19 digits
_LONG_NUMBER = re.compile(rb"\d{%d}" % len(_ZEROS))
_STEP, _BEHIND, _TEN = 6, 13, 10
_WORDS = (b"NaN", b"Infinity")
TOKEN = re.compile(rb"-?(?:NaN|Infinity|(\d+)(?:\.(\d+))?([eE][+-]?\d+)?)(?![\w.+-])")
HUGE = rb"-?\d+(?:\.\d+)?[eE](?:\+?\d{3,}|-\d{19,})"
"""Numbers with exponents for which `has_no_double` may be true."""
_EXPONENT = rb"(?:[eE][+-]?\d+)?"
NOT_JSON = (
    rb"[+-]?0[xX][0-9a-fA-F]+|[+-]?\.\d+"
    + _EXPONENT
    + rb"|[+-]?\d+\."
    + _EXPONENT
    + rb"|(?:\+|[+-]?0(?=\d))\d+(?:\.\d*)?"
    + _EXPONENT
)
"""Numbers that JSON does not know and that have one reading."""
_PARTS = re.compile(
    rb"(?P<sign>[+-]?)(?P<whole>\d*)\.?(?P<fraction>\d*)(?P<exponent>" + _EXPONENT + rb")"
)
_NUMBER_BYTES = frozenset(bytes([byte]) for byte in b"0123456789.")
_LONGEST = 512  # characters of a number before the digits that caught the eye
_LARGEST_POWER = 308  # of ten, in a double
_MOST_EXPONENT = 18  # digits that 63 bits always hold
_ESCAPES = re.compile(rb"\\.", re.DOTALL)
_ID_KEY = re.compile(rb'"(?:bind_)?id"\s*:\s*\Z')
_LONGEST_KEY = 64
_LONGEST_ID = 20  # digits of 2^64
_BEFORE_VALUES = (b":", b",", b"[", b"")


def sanitized_numbers(text: bytes, repairs: Counter[str], *, inside: bool, words: bool) -> bytes:
    """Repair the numbers of a block that Perfetto refuses or misreads.

    Args:
        text: a block of JSON that ends outside of any number or word.
        repairs: counts the repairs, by kind.
        inside: whether the block begins inside a string.
        words: whether to search for NaN and Infinity in addition to numbers.

    Returns:
        The text with the repaired numbers; all other bytes are unchanged.
    """
    parts, done = [], 0
    plain = b""
    for start, stop, value in _misread_numbers(text, words=words):
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
    """Rewrite NaN, Infinity or a misread number as JSON that Perfetto reads correctly.

    Args:
        token: the text of the number.
        repairs: counts the repair.
        is_id: whether the number is the value of a key `id` or `bind_id`.

    Returns:
        JSON text; for example `"NaN"` for NaN.
    """
    if not token[-1:].isdigit():
        repairs["not_a_number"] += 1
        return b'"' + token + b'"'
    if has_no_double(token):
        repairs["huge_numbers"] += 1
        return b'"' + token + b'"'
    if token.lstrip(b"-").isdigit():
        repairs["large_integers"] += 1
        is_hex = is_id and token[:1] != b"-" and len(token) <= _LONGEST_ID
        return b'"0x%x"' % int(token) if is_hex else b'"' + token + b'"'
    repairs["long_decimals"] += 1
    return shortened(token)


def written_as_json(number: bytes) -> bytes:
    """Write a number, one of `NOT_JSON` or of JSON, as JSON: 3 for +3, 3. and 03, 16 for 0x10."""
    if b"x" in number.lower():
        return b"%d" % int(number, 16)
    parts = _PARTS.fullmatch(number)
    if parts is None:
        return number
    sign, whole, fraction, exponent = parts.groups()
    decimals = b"." + fraction if fraction else b""
    return sign.strip(b"+") + (whole.lstrip(b"0") or b"0") + decimals + exponent


def is_misread(token: re.Match[bytes]) -> bool:
    """Tell whether Perfetto misreads a number, a match of whole part, fraction and exponent."""
    whole, fraction, exponent = token.groups(b"")
    if fraction or exponent:
        return timestamps.overflows(whole, fraction) or has_no_double(token[0])
    if not whole or len(whole.lstrip(b"0")) > len(_ZEROS):
        return True
    return not -_LARGEST - 1 <= int(token[0]) <= _LARGEST


def has_no_double(number: bytes) -> bool:
    """Tell whether Perfetto's parser finds no double for a number with an exponent, as for 0e400.

    It multiplies the digits by the power of ten, or divides by it, and an exponent of more than 18
    digits overflows: src/trace_processor/util/json_parser.h, v52.
    """
    digits, _, exponent = number.lower().partition(b"e")
    size = exponent.lstrip(b"+-").lstrip(b"0")
    if exponent.startswith(b"-"):
        return len(size) > _MOST_EXPONENT
    scale = int(size[:_MOST_EXPONENT] or b"0")
    return scale > _LARGEST_POWER or math.isinf(float(digits) * 10.0**scale)


def _misread_numbers(text: bytes, *, words: bool) -> Iterator[tuple[int, int, bytes]]:
    """Yield start, stop and text of each misread number in order; some lie inside strings."""
    done = 0
    for at in sorted(_candidates(text, words=words)):
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


def _candidates(text: bytes, *, words: bool) -> Iterator[int]:
    """Yield offsets at which a misread number may stand."""
    for word in _WORDS if words else ():
        yield from _offsets(text, word)
    if holds_long(text):
        yield from _offsets(text.translate(_DIGITS), _ZEROS)


def holds_long(text: bytes) -> bool:
    """Tell whether a text holds a number of 19 digits or more.

    numpy samples every sixth byte. The first sampled byte inside such a number is its sixth digit
    at the latest, so that the next 13 bytes are digits too; only these offsets are searched.
    """
    characters = np.frombuffer(text, np.uint8)
    sampled = _is_digit(characters[::_STEP])
    first = np.flatnonzero(sampled[:-2] & sampled[1:-1] & sampled[2:]) * _STEP
    first = first[first < len(text) - _BEHIND]
    for behind in range(1, _BEHIND + 1):
        first = first[_is_digit(characters[first + behind])]
    return any(
        _LONG_NUMBER.search(text, max(at - _STEP + 1, 0), at + len(_ZEROS)) for at in first.tolist()
    )


def _is_digit(characters: NDArray[np.uint8]) -> NDArray[np.bool_]:
    return characters - np.uint8(ord("0")) < _TEN  # characters below "0" wrap around


def _offsets(text: bytes, word: bytes) -> Iterator[int]:
    """Yield the offset of each occurrence of a word."""
    at = text.find(word)
    while at >= 0:
        yield at
        at = text.find(word, at + len(word))


def shortened(number: bytes) -> bytes:
    """Shorten a decimal to 18 digits: the same nanosecond, at most one bit of a double off."""
    whole, _, decimals = number.partition(b".")
    if 0 < len(whole.strip(b"-0")) < timestamps.SAFE_DECIMALS:
        exponent = decimals.lstrip(b"0123456789")
        return whole + b"." + decimals[: timestamps.SAFE_DECIMALS] + exponent
    value = Decimal(number.decode())
    digits = "".join(map(str, value.as_tuple().digits))[: timestamps.SAFE_DECIMALS]
    sign = "-" if value.is_signed() else ""
    return f"{sign}{digits[0]}.{digits[1:] or '0'}e{value.adjusted() if value else 0}".encode()
