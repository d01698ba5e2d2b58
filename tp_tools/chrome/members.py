"""Find the members in the text around the events of a damaged trace."""

from __future__ import annotations

import codecs
import re
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from tp_tools.chrome.envelope import EVENTS, read_head, read_tail
from tp_tools.chrome.grammar import scan_member
from tp_tools.chrome.quotes import escaped_member
from tp_tools.chrome.sanitize import sanitized
from tp_tools.chrome.schema import UNDECODABLE
from tp_tools.chrome.stream import Malformed, TextStream
from tp_tools.errors import InputError
from tp_tools.trace.model import Head

if TYPE_CHECKING:
    from collections.abc import Iterator

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_KEYS = (
    b"schemaVersion|deviceProperties|distributedInfo|record_shapes|profile_memory|with_stack"
    b"|with_modules|with_flops|trace_id|displayTimeUnit|baseTimeNanoseconds|traceName|host_name"
)
"""Members of the outermost object that Kineto writes: none of them stands in another one."""
_START = re.compile(rb'[,{]\s*(?="[^"\\\x00-\x1f]{1,100}"\s*:)')
_COMMA = re.compile(rb"[,{]\s*")
_END = re.compile(rb"[\s},]*\Z")
_LIKELY_END = re.compile(rb'\}(?=\s*,\s*"(?:' + _KEYS + rb')"\s*:|\s*\}\s*\Z)')
_MOST_ENDS = 8  # ends of a damaged member that are tried
_LONGEST = 1 << 20  # bytes of a damaged member that is read again


class Member(NamedTuple):
    """A stretch of the text of an object.

    Attributes:
        start: offset of the comma or brace before the member.
        stop: offset behind the member.
        text: the member, with its quotes escaped; empty if it is damaged.
        quoted: number of strings that held unescaped quotes.
    """

    start: int
    stop: int
    text: bytes
    quoted: int = 0


def members(text: bytes, start: int) -> Iterator[Member]:
    """Find the members of an object, whole and damaged ones.

    Args:
        text: the text of the outermost object.
        start: offset of the comma or brace before the first member.
    """
    at: int | None = start
    while at is not None:
        comma = _COMMA.match(text, at)
        if comma is None and _END.match(text, at):
            return
        member = _member(text, at, comma.end()) if comma else None
        if member is not None:
            yield member
            at = member.stop
            continue
        behind = max(at + 1, scan_member(text, comma.end()).end) if comma else at
        following = _START.search(text, behind)
        stop = following.start() if following else len(text)
        yield Member(at if comma else at - 1, stop, b"")
        at = stop if following else None


def _member(text: bytes, start: int, key: int) -> Member | None:
    """Return the member whose key is at an offset, repaired if it has one reading; else None."""
    scan = scan_member(text, key)
    if scan.whole and _decodes(text[key : scan.end]):
        return Member(start, scan.end, text[key : scan.end])
    near = text[key : key + _LONGEST]
    ends = [
        match.end() for match, _ in zip(_LIKELY_END.finditer(near), range(_MOST_ENDS), strict=False)
    ]
    for stretch in (near, *(near[:end] for end in ends)):
        quoted = escaped_member(stretch)
        if quoted and _decodes(quoted.text):
            return Member(start, key + quoted.length, quoted.text, quoted.count)
    return None


def _decodes(member: bytes) -> bool:
    """Tell whether a member decodes once it is sanitized."""
    try:
        _MEMBERS.decode(all_sanitized(b"{" + member + b"}", Counter()))
    except UNDECODABLE:
        return False
    return True


def all_sanitized(text: bytes, repairs: Counter[str]) -> bytes:
    """Sanitize every token of a text and count the repairs."""
    return b"".join(sanitized((text,), repairs, thorough=True))


def can_be_head(head: bytes) -> bool:
    """Tell whether a text can stand before the events."""
    try:
        read_head(TextStream(iter((head.removeprefix(codecs.BOM_UTF8),)), ""))
    except (Malformed, UnicodeDecodeError):
        return False
    except InputError:
        return _opens_events(head)  # the reader of the whole trace reports the error
    return True


def _opens_events(head: bytes) -> bool:
    """Tell whether a text ends behind the bracket of the events, whose key may be part of one."""
    try:
        return EVENTS in _MEMBERS.decode(head + b"]}")
    except UNDECODABLE:
        return False


def can_be_tail(tail: bytes) -> bool:
    """Tell whether a text, whole, cut short or followed by more, can stand behind the events."""
    try:
        read_tail(TextStream(iter((tail,)), ""), Head(b"{"))
    except (Malformed, UnicodeDecodeError):
        return False
    except InputError:
        pass  # the reader of the whole trace reports the error
    return True


def is_tail(tail: bytes) -> bool:
    """Tell whether a text is exactly the rest of an object, or of an array, behind the events."""
    if not tail[1:].strip():
        return True
    try:
        _MEMBERS.decode(all_sanitized(b'{"":[' + tail, Counter()))
    except UNDECODABLE:
        return False
    return True
