"""Read the text around the events: the brackets of an array, or the outermost object."""

from __future__ import annotations

import difflib
import json
import re
import string
from itertools import takewhile

import msgspec

from tp_tools.chrome.quotes import MEMBERS
from tp_tools.chrome.schema import UNDECODABLE
from tp_tools.chrome.stream import (
    ENDED_BEFORE,
    SPACE,
    Malformed,
    TextStream,
    fault,
    is_bad_utf8,
    last_end,
)
from tp_tools.errors import InputError
from tp_tools.trace.model import Head, Tail

EVENTS = "traceEvents"

EVENT_MEMBER = re.compile(rb'"(?:ph|cat|pid|tid|ts|dur|args)"\s*:')
"""A member of an event that no outermost object has."""

_ENDS_AGAIN = re.compile(rb"\s*\]\s*[,}\]]?")
_CLOSES_AGAIN = re.compile(rb'\s*\]\s*(?:,\s*"|\}\s*\Z)')
_EVENT = re.compile(rb"\{\s*" + MEMBERS)
_KEY = re.compile(rb'"traceEvents"\s*:\s*(?=\S)')
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ALIKE = 0.75  # of a misspelt key, from 0 to 1
_NEAR = 64  # bytes before an event in which the mark before it stands
_LEAST_END = len("Events")  # letters at the end of a key that was joined to another
_NO_LETTERS = string.punctuation + string.whitespace + "\0\ufffd"
_INTO_EVENTS = b'{"":['
_DELETE = b"\x7f"
_TEXTS = ("displayTimeUnit", "systemTraceEvents")
"""Members of the outermost object that Perfetto refuses unless they are text."""


def read_head(stream: TextStream) -> Head:
    """Take the text up to the `[` of the events, inclusive.

    Raises:
        InputError: there are no events, or Perfetto refuses a member before them.
        Malformed: the text is damaged or cut short before the events, or its key is misspelt.
    """
    stream.grow(1)
    while not stream.text.strip(SPACE) and not stream.ended:
        stream.grow(2 * len(stream.text))
    start = stream.text.lstrip(SPACE)[:1]
    if not start:
        raise InputError(f"{stream.name}: holds no text. Was the profiler stopped before it wrote?")
    if start == b"[":
        return Head(stream.take(stream.text.index(b"[") + 1))
    if start != b"{":
        kind = Malformed if _KEY.search(stream.text) else InputError  # perhaps behind a log
        byte = stream.offset + len(stream.text) - len(stream.text.lstrip(SPACE))
        raise kind(
            f"{stream.name}: is not a Chrome JSON trace: it begins with {start!r}, at byte "
            f"{byte:,} of its text. Give the file that the profiler wrote."
        )
    searched, size = 0, stream.batch_bytes
    while True:
        stream.grow(size)
        for match in _KEY.finditer(stream.text, searched):
            searched = match.end()
            members = _members_before(stream, searched)
            if members is not None and EVENTS in members:  # not as the end of another key
                _check_members(stream, members, stream.text[:searched] + b"null}")
                if stream.text[searched : searched + 1] != b"[":
                    raise Malformed(f"{stream.name}: its {EVENTS} is not an array.")
                return Head(stream.take(searched + 1))
        if stream.ended:
            raise _headless(stream)
        size = 2 * len(stream.text)


def _members_before(stream: TextStream, end: int) -> dict[str, msgspec.Raw] | None:
    """Decode the members of the outermost object before `end`.

    Returns:
        The members; None if no value of a member begins at `end`.

    Raises:
        Malformed: the text is damaged before `end`.
    """
    try:
        return _decoded(stream, stream.text[:end] + b"null}")
    except RecursionError:
        return None
    except msgspec.DecodeError as error:
        why, at = fault(error)
        if at is not None and at < end and ENDED_BEFORE not in why:
            raise stream.damaged(at, why) from error
        return None


def _members(text: bytes) -> dict[str, msgspec.Raw] | None:
    """Decode the members of an object; return None if the text is not a whole object."""
    try:
        return _MEMBERS.decode(text)
    except UNDECODABLE:
        return None


def _decoded(stream: TextStream, text: bytes) -> dict[str, msgspec.Raw]:
    """Decode the members of an object.

    Raises:
        Malformed: a key is no UTF-8.
    """
    try:
        return _MEMBERS.decode(text)
    except (UnicodeDecodeError, msgspec.DecodeError) as error:
        if isinstance(error, msgspec.DecodeError) and not is_bad_utf8(error):
            raise
        raise Malformed(f"{stream.name}: a key in it is no UTF-8.") from error


def _check_members(stream: TextStream, members: dict[str, msgspec.Raw], text: bytes) -> None:
    """Raise if Perfetto refuses a member: one of `_TEXTS` that is not text, or any with a DEL.

    Args:
        stream: names the file.
        members: of the outermost object, the last of each key.
        text: the object that they were decoded from.
    """
    if any(_DELETE in key.encode() + bytes(value) for key, value in members.items()):
        raise Malformed(f"{stream.name}: has the control character DEL in its text.")
    for key in _TEXTS:
        for value in _values(members, text, key):
            if not value.startswith(b'"'):
                shown = value.decode(errors="replace")
                raise InputError(
                    f"{stream.name}: its {key} is {shown}, not text: Perfetto refuses it."
                )


def _values(members: dict[str, msgspec.Raw], text: bytes, key: str) -> list[bytes]:
    """Return the values of a key of the outermost object, which may have it several times."""
    if text.count(b'"%s"' % key.encode()) < 2:  # noqa: PLR2004  it is there once
        return [bytes(members[key])] if key in members else []
    pairs: list[tuple[str, object]] = json.loads(text, object_pairs_hook=list)
    return [json.dumps(value).encode() for name, value in pairs if name == key]


def _headless(stream: TextStream) -> InputError:
    """Return the error for a text in which no events begin; Malformed if they may be salvaged."""
    try:
        members = _decoded(stream, stream.text)
    except RecursionError:
        members = {}
    except msgspec.DecodeError as error:
        why, at = fault(error)
        if at is None:
            end = stream.offset + len(stream.text)
            return Malformed(
                f"{stream.name}: is cut short at byte {end:,} of its text, before its {EVENTS}."
            )
        if ENDED_BEFORE not in why:
            return stream.damaged(at, why)
        members = {EVENTS: msgspec.Raw()}  # perhaps behind the bracket that is too many
    kind = Malformed if any(map(_is_damaged_key, members)) else InputError
    return kind(
        f"{stream.name}: has no {EVENTS} array: not a Chrome JSON trace. "
        "Give the file that the profiler wrote."
    )


def _is_damaged_key(key: str) -> bool:
    """Tell whether a key of the outermost object is what damage left of the key of the events.

    Either most of it is left, or the beginning and the end, with no letter between them.
    """
    if EVENTS in key or key.endswith(EVENTS[-_LEAST_END:]):
        return True
    begin = sum(takewhile(bool, map(str.__eq__, EVENTS, key)))
    rest = key[begin:].lstrip(_NO_LETTERS)
    if EVENTS.endswith(rest) and (begin or rest):
        return True
    return bool(difflib.get_close_matches(EVENTS, [key], 1, _ALIKE))


def read_tail(stream: TextStream, head: Head) -> Tail:
    """Take the text behind the events.

    Raises:
        InputError: the text holds a second array of events, or Perfetto refuses a member.
        Malformed: the text is damaged before its end.
    """
    stream.grow(1 << 62)
    text = stream.take(len(stream.text))
    is_array = head.text.lstrip(SPACE)[:1] == b"["
    return _tail_of_array(stream, text) if is_array else _tail_of_object(stream, text)


def _tail_of_array(stream: TextStream, text: bytes) -> Tail:
    """Check the text behind the events of an array; raise as `read_tail` does."""
    if not text.startswith(b"]"):
        return _cut_short(b"]", text)
    if again := _event_again(text, 0):
        raise stream.damaged(again - len(text), "events go on behind their end")
    behind = text[1:].strip(SPACE)
    return Tail(b"]", lost=len(behind)) if behind else Tail(text)


def _event_again(text: bytes, end: int) -> int:
    """Return the offset of an event that goes on behind an end of the events; 0 if none does.

    In a second array it would follow a bracket, and as a value of a member a colon.
    """
    for match in _EVENT.finditer(text, end):
        before = text[max(match.start() - _NEAR, 0) : match.start()].rstrip()[-1:]
        if before != b":":
            return match.start() if before in (b",", b"}") else 0
    return 0


def _cut_short(kept: bytes, left_out: bytes) -> Tail:
    return Tail(kept, cut_short=True, lost=len(left_out.strip(SPACE + b",")))


def _tail_of_object(stream: TextStream, text: bytes) -> Tail:
    """Check the rest of the outermost object; raise as `read_tail` does."""
    if not text.startswith(b"]"):
        return _cut_short(b"]}", text)
    try:
        members = _decoded(stream, _INTO_EVENTS + text)
    except RecursionError as error:
        raise InputError(f"{stream.name}: is nested too deeply behind its events.") from error
    except msgspec.DecodeError as error:
        why, at = fault(error)
        at = len(text) if at is None else at - len(_INTO_EVENTS)
        if ENDED_BEFORE in why:
            end = text.rindex(b"}", 0, at) + 1
            if _is_early_end(text, end):
                raise stream.damaged(end - len(text), "the events end twice") from error
            tail = _tail_of_object(stream, text[:end])
            return Tail(tail.text, lost=len(text[end:].strip(SPACE)))
        if at < len(text):
            raise stream.damaged(at - len(text), why) from error
        tail = _tail_cut_short(text)
        kept = _INTO_EVENTS + tail.text
        _check_members(stream, _members(kept) or {}, kept)
        return tail
    if EVENTS in members:
        raise InputError(f"{stream.name}: has two arrays named {EVENTS}. Give one trace.")
    _check_members(stream, members, _INTO_EVENTS + text)
    return Tail(text)


def _is_early_end(text: bytes, end: int) -> bool:
    """Tell whether an object that ends at `end` does so since an event in it is damaged."""
    if _ENDS_AGAIN.match(text, end) and EVENT_MEMBER.search(text, 0, end):
        return True
    return bool(_CLOSES_AGAIN.match(text, end) or _event_again(text, end))


def _tail_cut_short(text: bytes) -> Tail:
    """Keep the members that are certainly whole; a number at the end may have lost digits."""
    if text.rstrip(SPACE)[-1:] in (b"]", b"}", b'"') and _members(_INTO_EVENTS + text + b"}"):
        return Tail(text + b"}", cut_short=True)
    end = last_end(text, b",", depth=1)
    kept = text[: end - 1] if end else b"]"
    return _cut_short(kept + b"}", text[len(kept) :])
