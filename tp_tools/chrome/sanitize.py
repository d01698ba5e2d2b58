r"""Repairs of the text itself, before it is read as JSON.

What Perfetto refuses or misreads is put right block by block, as it streams past:

    byte order mark      dropped
    zero bytes at the end    dropped: what a crash leaves of a file
    "meta" as first key  behind another one, or Perfetto takes the file for a Firefox profile
    \u escapes           as UTF-8: v52 shows them as they are, v53+ refuses surrogates
    lone surrogates      U+FFFD
    unknown escapes      C:\dir as C:\\dir: no JSON
    a string ending in a backslash ("...\\"): \u005c, since v52 reads on past the quote
    invalid UTF-8        U+FFFD
    numbers              see `suspects`
    all else             see `tokens`, where it is asked for

Everything else passes byte for byte. Mended text needs no mending: doing it twice changes nothing.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome import sanitize_numbers
from tp_tools.chrome.sanitize_tokens import TokenSanitizer

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_BETWEEN = b", \t\r\n\\"
"""What a piece never ends with but at the end of the file: no token is cut then, nor an escape."""

_MISTAKEN = re.compile(rb'\s*\{(?=\s*"(?:meta|libs|perfetto_manifest)")')
_FIRST_KEY = b'"tpt_first": "or Perfetto takes this file for another format",'

_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}"
    rb'|\\u[0-9a-fA-F]{0,3}|\\\\"?|\\.',
    re.DOTALL,
)
_QUOTE = ord('"')
_KNOWN = frozenset(b'"\\/bfnrt')
_UNICODE = len(b"\\u0000")


def sanitized(
    blocks: Iterable[bytes],
    repairs: Counter[str],
    *,
    thorough: bool = False,
    words: bool = True,
) -> Iterator[bytes]:
    """The same text, mended; blocks may be cut elsewhere.

    Args:
        blocks: the text of a JSON file, cut anywhere.
        repairs: counts what was mended, by kind.
        thorough: whether to look at every token, for a text that is no JSON without it.
        words: whether to look for NaN and Infinity; who reads a text as JSON finds them himself.
    """
    tokens = TokenSanitizer(repairs)
    inside = False  # whether the piece at hand begins inside a string
    first = True
    for piece, last in _pieces(blocks, repairs):
        text = _first_key(piece, repairs) if first else piece
        first = False
        if not text.isascii():
            text = _valid_utf8(text, repairs, last=last)
        has_escapes = b"\\" in text
        begins_inside, inside = inside, _ends_inside(text, inside=inside, has_escapes=has_escapes)
        if thorough:
            text = tokens.mended(text, inside=begins_inside)
        else:
            text = sanitize_numbers.sanitized_numbers(
                text, repairs, inside=begins_inside, words=words
            )
        yield _mend_escapes(text, repairs, last=last) if has_escapes else text


def encoded(value: object) -> bytes:
    r"""Encode a value as JSON text that Perfetto reads right: for text that the tool itself writes.

    A name may have been an id: the process "C:\" would make v52 read on past the quote. Text
    without a backslash or a DEL is read right as it is: most text.
    """
    text = msgspec.json.encode(value)
    if b"\\" not in text and b"\x7f" not in text:
        return text
    return b"".join(sanitized((text,), Counter(), thorough=True))


def _pieces(blocks: Iterable[bytes], repairs: Counter[str]) -> Iterator[tuple[bytes, bool]]:
    """The text without a byte order mark, cut before commas, and whether a piece is the last."""
    held: list[bytes] = []
    for block in _without_mark(blocks, repairs):
        comma = block.rfind(b",")
        held.append(block)
        if comma >= 0:
            text = b"".join(held)
            end = len(text) - len(block) + comma
            cut = len(text[:end].rstrip(_BETWEEN))
            if cut:
                yield text[:cut], False
            held = [text[cut:]]
    text = b"".join(held)
    rest = text.rstrip(b"\0")
    if rest != text:
        repairs["zero_bytes"] += 1
    if rest:
        yield rest, True


def _without_mark(blocks: Iterable[bytes], repairs: Counter[str]) -> Iterator[bytes]:
    start = b""
    stream = iter(blocks)
    for block in stream:
        start += block
        if len(start) >= len(codecs.BOM_UTF8):
            break
    if start.startswith(codecs.BOM_UTF8):
        repairs["byte_order_marks"] += 1
    yield start.removeprefix(codecs.BOM_UTF8)
    yield from stream


def _first_key(text: bytes, repairs: Counter[str]) -> bytes:
    """The beginning of a file, with a key in front of one that stands for another format.

    Firefox profiles begin so (util/trace_type.cc), and since v57 lists of traces.
    """
    mistaken = _MISTAKEN.match(text)
    if mistaken is None:
        return text
    repairs["first_keys"] += 1
    return mistaken[0] + _FIRST_KEY + text[mistaken.end() :]


def _ends_inside(text: bytes, *, inside: bool, has_escapes: bool) -> bool:
    if has_escapes:
        text = _ESCAPE.sub(lambda m: b'"' if m[0] == b'\\\\"' else b"", text)
    quotes = np.count_nonzero(np.frombuffer(text, np.uint8) == _QUOTE)
    return inside ^ bool(quotes & 1)


def _valid_utf8(text: bytes, repairs: Counter[str], *, last: bool) -> bytes:
    """Each invalid sequence replaced; one that the file's end cuts off is left as it is."""
    try:
        text.decode()
    except UnicodeDecodeError:
        decoder = codecs.getincrementaldecoder("utf-8")("replace")
        decoded = decoder.decode(text, final=not last)
        repaired = decoded.encode() + decoder.getstate()[0]
        bad = repaired.count(_REPLACEMENT) - text.count(_REPLACEMENT)
        if bad:
            repairs["invalid_utf8"] += bad
        return repaired
    return text


def _mend_escapes(text: bytes, repairs: Counter[str], *, last: bool) -> bytes:
    """Backslashes occur in strings only, so that a scan from the left reads every escape right."""

    def mend(match: re.Match[bytes]) -> bytes:
        escape = match[0]
        if escape == b'\\\\"':
            repairs["trailing_backslashes"] += 1
            return b'\\u005c"'
        if len(escape) == _UNICODE or len(escape) == 2 * _UNICODE:
            return _mend_unicode(escape, repairs)
        if escape[1] in _KNOWN or (last and escape[1:2] == b"u" and match.end() == len(text)):
            return escape  # a \u without four digits may be cut off by the file's end
        repairs["unknown_escapes"] += 1
        return b"\\" + escape

    return _ESCAPE.sub(mend, text)


def _mend_unicode(escape: bytes, repairs: Counter[str]) -> bytes:
    r"""A \u escape, or a pair of surrogates, as UTF-8."""
    character = escape.decode("unicode_escape")
    if character < " " or character in '"\\\x7f':
        return escape  # JSON wants these escaped
    if len(character) == 1 and "\ud800" <= character <= "\udfff":
        repairs["lone_surrogates"] += 1
        return _REPLACEMENT
    repairs["escapes"] += 1
    return character.encode("utf-16", "surrogatepass").decode("utf-16").encode()
