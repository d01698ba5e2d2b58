r"""Repairs of the text itself, before it is read as JSON.

What Perfetto refuses or misreads is put right block by block, as it streams past:

    byte order mark      dropped
    NaN, Infinity        as text: "NaN"
    integers over 63 bit as text, or Perfetto reads -1.0
    \u escapes           as UTF-8: v52 shows them as they are, v53+ refuses surrogates
    lone surrogates      U+FFFD
    a string ending in a backslash ("...\\"): \u005c, since v52 reads on past the quote
    invalid UTF-8        U+FFFD

Everything else passes byte for byte. Mended text needs no mending: doing it twice changes nothing.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Iterable, Iterator

_BOM = b"\xef\xbb\xbf"
_REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
_DIGITS = bytes(ord("0") if ord("0") <= b <= ord("9") else b for b in range(256))
_LONG = b"0" * 19  # 2^63 = 9.2e18 has 19 digits
_LARGEST = (1 << 63) - 1

_STRING = rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)'
_TOKEN = re.compile(_STRING + rb"|-?Infinity|NaN|(?<![\d.eE+-])-?\d{19,}(?![\d.eE])", re.DOTALL)
_INTEGER = re.compile(rb"\d+")
_STRING_END = re.compile(rb'(?:[^"\\]|\\.)*"', re.DOTALL)
_ESCAPE = re.compile(
    rb'\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}|\\\\"?|\\.',
    re.DOTALL,
)


def mended(blocks: Iterable[bytes], repairs: Counter[str]) -> Iterator[bytes]:
    """The same text, mended; blocks may be cut elsewhere.

    Args:
        blocks: the text of a JSON file, cut anywhere.
        repairs: counts what was mended, by kind.
    """
    inside = False  # whether the block at hand begins inside a string
    held = b""
    first = True
    for block in blocks:
        text = held + block
        if first and len(text) >= len(_BOM):
            first = False
            if text.startswith(_BOM):
                text = text[len(_BOM) :]
                repairs["byte_order_marks"] += 1
        # No token and no escape that is mended here contains a comma: a cut behind one is safe.
        cut = text.rfind(b",") + 1
        held = text[cut:]
        if cut:
            part, inside = _mend(text[:cut], repairs, inside=inside)
            yield part
    if held:
        yield _mend(held, repairs, inside=inside)[0]


def _mend(text: bytes, repairs: Counter[str], *, inside: bool) -> tuple[bytes, bool]:
    """A block that ends outside of any token, and whether the next one begins inside a string."""
    if not text.isascii():
        text = _valid_utf8(text, repairs)
    has_escapes = b"\\" in text
    ends_inside = _ends_inside(text, inside=inside, has_escapes=has_escapes)
    if _has_suspect(text):
        text = _mend_tokens(text, repairs, inside=inside)
    if has_escapes:
        text = _mend_escapes(text, repairs)
    return text, ends_inside


def _ends_inside(text: bytes, *, inside: bool, has_escapes: bool) -> bool:
    if has_escapes:
        text = _ESCAPE.sub(lambda m: b'"' if m[0] == b'\\\\"' else b"", text)
    return inside ^ bool(text.count(b'"') & 1)


def _valid_utf8(text: bytes, repairs: Counter[str]) -> bytes:
    try:
        text.decode()
    except UnicodeDecodeError:
        repairs["invalid_utf8"] += 1
        return text.decode(errors="replace").encode()
    return text


def _has_suspect(text: bytes) -> bool:
    """Whether a token that wants mending may be in the text: quick, and its no is certain."""
    patterns = ((text, b"NaN"), (text, b"Infinity"), (text.translate(_DIGITS), _LONG))
    for searched, pattern in patterns:
        at = -1
        while (at := searched.find(pattern, at + 1)) >= 0:
            before = text[max(0, at - 2) : at].rstrip(b"- \t\r\n")[-1:]
            if before in (b":", b",", b"[", b"") and not _fits(text, at):
                return True
    return False


def _fits(text: bytes, at: int) -> bool:
    """Whether what stands there is an integer that Perfetto reads right."""
    digits = _INTEGER.match(text, at)
    return digits is not None and int(digits[0]) <= _LARGEST


def _mend_tokens(text: bytes, repairs: Counter[str], *, inside: bool) -> bytes:
    """NaN, Infinity and too large integers outside of strings become strings."""

    def mend(match: re.Match[bytes]) -> bytes:
        token = match[0]
        if token.startswith(b'"'):
            return token
        if token[-1:].isdigit():
            if -_LARGEST - 1 <= int(token) <= _LARGEST:
                return token
            repairs["large_integers"] += 1
        else:
            repairs["not_a_number"] += 1
        return b'"' + token + b'"'

    start = 0
    if inside:
        end = _STRING_END.match(text)
        start = end.end() if end else len(text)
    return text[:start] + _TOKEN.sub(mend, text[start:])


def _mend_escapes(text: bytes, repairs: Counter[str]) -> bytes:
    """Backslashes occur in strings only, so that a scan from the left reads every escape right."""

    def mend(match: re.Match[bytes]) -> bytes:
        escape = match[0]
        if escape == b'\\\\"':
            repairs["trailing_backslashes"] += 1
            return b'\\u005c"'
        if not escape.startswith(b"\\u"):
            return escape
        character = escape.decode().encode().decode("unicode_escape")
        if character < " " or character in '"\\':
            return escape  # JSON wants these escaped
        whole = character.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        repairs["lone_surrogates" if whole == _REPLACEMENT else "escapes"] += 1
        return whole.encode()

    return _ESCAPE.sub(mend, text)
