r"""Sanitize the text of a trace before the JSON decoder reads it.

It repairs text that Perfetto refuses or misreads, block by block, as the stream arrives:

    byte order mark      dropped
    zero bytes at the end    dropped: a crash leaves them in a file
    "meta" as first key  gets a key in front, or Perfetto takes the file for a Firefox profile
    \u escapes           as UTF-8: v52 shows them as they are, v53+ refuses surrogates
    lone surrogates      U+FFFD
    unknown escapes      C:\dir as C:\\dir: JSON does not know the escape
    a string ending in a backslash ("...\\"): \u005c, since v52 reads on past the quote
    invalid UTF-8        U+FFFD
    numbers              see `sanitize_numbers`
    other tokens         see `sanitize_tokens`, if the caller asks for a thorough repair

All other text passes byte for byte. Sanitizing is idempotent: a second pass changes nothing.
"""

from __future__ import annotations

import codecs
import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome import sanitize_numbers
from tp_tools.chrome.replacing import replaced
from tp_tools.chrome.stream import check_length, longest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tp_tools.chrome.sanitize_tokens import TokenSanitizer

_REPLACEMENT = "\N{REPLACEMENT CHARACTER}".encode()
_NEVER_LAST = b", \t\r\n\\"
"""Bytes that end only the last block of a file, so that no cut splits a token or an escape."""

_OTHER_FORMAT = re.compile(rb'\s*\{(?=\s*"(?:meta|libs|perfetto_manifest)")')
_FIRST_KEY = b'"tpt_first": "or Perfetto takes this file for another format",'

_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|\\u[0-9a-fA-F]{4}"
    rb'|\\u[0-9a-fA-F]{0,3}|\\\\"?|\\.',
    re.DOTALL,
)
_ZEROS = 1 << 20  # zero bytes in a block
_QUOTE = ord('"')
_ESCAPED_QUOTE = b'\\"'
_ESCAPABLE = frozenset(b'"\\/bfnrt')
_UNICODE_LENGTH = len(b"\\u0000")


def sanitized(
    blocks: Iterable[bytes],
    repairs: Counter[str],
    *,
    thorough: bool = False,
    words: bool = True,
    name: str = "the text",
) -> Iterator[bytes]:
    """Sanitize the text of a JSON file.

    Args:
        blocks: the text, cut anywhere.
        repairs: counts the repairs, by kind.
        thorough: whether to check every token, for text that is invalid JSON otherwise.
        words: whether to search for NaN and Infinity; False if a JSON decoder reads the result,
            since it refuses these words itself.
        name: the name of the file in messages.

    Yields:
        The sanitized text; its blocks may be cut at other bytes than the input.

    Raises:
        InputError: the text has no comma where more of it would have to be held than is allowed.
    """
    tokens = _token_sanitizer(repairs) if thorough else None
    inside = False  # whether the block begins inside a string
    first = True
    for block, last in _token_blocks(blocks, repairs, name):
        text = _guard_first_key(block, repairs) if first else block
        first = False
        if not text.isascii():
            text = _valid_utf8(text, repairs, last=last)
        has_escapes = b"\\" in text
        begins_inside, inside = inside, _ends_inside(text, inside=inside, has_escapes=has_escapes)
        if tokens is not None:
            text = tokens.sanitized(text, inside=begins_inside)
        else:
            text = sanitize_numbers.sanitized_numbers(
                text, repairs, inside=begins_inside, words=words
            )
        yield _sanitize_escapes(text, repairs, last=last) if has_escapes else text


def _token_sanitizer(repairs: Counter[str]) -> TokenSanitizer:
    from tp_tools.chrome.sanitize_tokens import TokenSanitizer  # noqa: PLC0415  large patterns

    return TokenSanitizer(repairs)


def encoded(value: object) -> bytes:
    r"""Encode a value that tp-tools writes as JSON text that Perfetto reads correctly.

    Example: Perfetto v52 would read on past the closing quote of a process named "C:\". Text
    without a backslash or a DEL, which is most text, is read correctly as it is.
    """
    text = msgspec.json.encode(value)
    if b"\\" not in text and b"\x7f" not in text:
        return text
    return b"".join(sanitized((text,), Counter(), thorough=True))


def _token_blocks(
    blocks: Iterable[bytes], repairs: Counter[str], name: str
) -> Iterator[tuple[bytes, bool]]:
    """Drop the byte order mark and cut before commas; yield (block, whether it is the last)."""
    held: list[bytes] = []
    size, most = 0, longest()
    for block in _without_zeros(_without_bom(blocks, repairs), repairs):
        comma = block.rfind(b",")
        held.append(block)
        size += len(block)
        if comma >= 0:
            text = b"".join(held)
            end = len(text) - len(block) + comma
            cut = len(text[:end].rstrip(_NEVER_LAST))
            if cut:
                yield text[:cut], False
            held = [text[cut:]]
            size = len(text) - cut
        check_length(name, size, most)
    if text := b"".join(held):
        yield text, True


def _without_zeros(blocks: Iterable[bytes], repairs: Counter[str]) -> Iterator[bytes]:
    """Drop zero bytes at the end, of which a file may have more than memory holds."""
    zeros = 0
    for block in blocks:
        text = block.rstrip(b"\0")
        if text:
            for at in range(0, zeros, _ZEROS):
                yield bytes(min(zeros - at, _ZEROS))
            yield text
            zeros = 0
        zeros += len(block) - len(text)
    if zeros:
        repairs["zero_bytes"] += 1


def _without_bom(blocks: Iterable[bytes], repairs: Counter[str]) -> Iterator[bytes]:
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


def _guard_first_key(text: bytes, repairs: Counter[str]) -> bytes:
    """Put a key in front of a first key by which Perfetto recognizes another format.

    Such first keys mark Firefox profiles (util/trace_type.cc) and, since v57, lists of traces.
    """
    match = _OTHER_FORMAT.match(text)
    if match is None:
        return text
    repairs["first_keys"] += 1
    return match[0] + _FIRST_KEY + text[match.end() :]


def _ends_inside(text: bytes, *, inside: bool, has_escapes: bool) -> bool:
    """Tell whether a block ends inside a string, given whether it begins inside one."""
    quotes = int(np.count_nonzero(np.frombuffer(text, np.uint8) == _QUOTE))
    if has_escapes:
        quotes -= sum(match[0] == _ESCAPED_QUOTE for match in _ESCAPE.finditer(text))
    return inside ^ bool(quotes & 1)


def _valid_utf8(text: bytes, repairs: Counter[str], *, last: bool) -> bytes:
    """Replace invalid sequences by U+FFFD; keep a sequence that the end of the file cuts off."""
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


def _sanitize_escapes(text: bytes, repairs: Counter[str], *, last: bool) -> bytes:
    """Repair escapes in a scan from the left; backslashes occur in strings only."""

    def repair(match: re.Match[bytes]) -> bytes:
        escape = match[0]
        if escape == b'\\\\"':
            repairs["trailing_backslashes"] += 1
            return b'\\u005c"'
        if len(escape) == _UNICODE_LENGTH or len(escape) == 2 * _UNICODE_LENGTH:
            return _decode_unicode(escape, repairs)
        if escape[1] in _ESCAPABLE or (last and escape[1:2] == b"u" and match.end() == len(text)):
            return escape  # the end of the file may cut off a \u escape before its fourth digit
        repairs["unknown_escapes"] += 1
        return b"\\" + escape

    return replaced(_ESCAPE, text, repair)


def _decode_unicode(escape: bytes, repairs: Counter[str]) -> bytes:
    r"""Decode a \u escape, or a pair of surrogates, to UTF-8."""
    character = escape.decode("unicode_escape")
    if character < " " or character in '"\\\x7f':
        return escape  # JSON requires these escaped
    if len(character) == 1 and "\ud800" <= character <= "\udfff":
        repairs["lone_surrogates"] += 1
        return _REPLACEMENT
    repairs["escapes"] += 1
    return character.encode("utf-16", "surrogatepass").decode("utf-16").encode()
