"""The text around the events of a damaged trace: which of its members are whole."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tp_tools.chrome.envelope import read_head, read_tail
from tp_tools.chrome.grammar import scan_member
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.stream import Malformed, TextStream
from tp_tools.errors import InputError
from tp_tools.trace.model import Head

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_START = re.compile(rb'[,{]\s*(?="[^"\\\x00-\x1f]{1,100}"\s*:)')
_COMMA = re.compile(rb"[,{]\s*")


def whole_members(text: bytes, start: int) -> Iterator[tuple[int, int, bool]]:
    """Start and stop of each member, the comma or brace before it included, and if it is whole.

    Args:
        text: of the outermost object.
        start: where the comma or brace before the first of these members stands.
    """
    at: int | None = start
    while at is not None:
        comma = _COMMA.match(text, at)
        if comma is None:
            return
        scan = scan_member(text, comma.end())
        if scan.whole and _is_sound(text[comma.end() : scan.end]):
            yield at, scan.end, True
            at = scan.end
            continue
        following = _START.search(text, max(at + 1, scan.end))
        stop = following.start() if following else len(text)
        yield at, stop, False
        at = following.start() if following else None


def _is_sound(member: bytes) -> bool:
    try:
        _MEMBERS.decode(all_mended(b"{" + member + b"}", Counter()))
    except (msgspec.DecodeError, RecursionError):
        return False
    return True


def all_mended(text: bytes, repairs: Counter[str]) -> bytes:
    """A text with every token of it mended, which is counted."""
    return b"".join(sanitized((text,), repairs, thorough=True))


def can_be_head(head: bytes) -> bool:
    """Whether a text can stand before the events."""
    try:
        read_head(TextStream(iter((head.removeprefix(codecs.BOM_UTF8),)), ""))
    except Malformed:
        return False
    except InputError:
        pass  # who reads the whole trace says what is wrong
    return True


def can_be_tail(tail: bytes) -> bool:
    """Whether a text can stand behind the events of an object, cut short or with more behind it."""
    try:
        read_tail(TextStream(iter((tail,)), ""), Head(b"{"))
    except Malformed:
        return False
    except InputError:
        pass  # who reads the whole trace says what is wrong
    return True


def is_tail(tail: bytes) -> bool:
    """Whether a text is exactly what is left of an object, or of an array, behind the events."""
    if not tail[1:].strip():
        return True
    try:
        _MEMBERS.decode(all_mended(b'{"":[' + tail, Counter()))
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
