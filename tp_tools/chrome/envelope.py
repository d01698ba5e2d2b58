"""What stands around the events of a trace: a bare array's brackets, or the outermost object."""

from __future__ import annotations

import re

import msgspec

from tp_tools.chrome.stream import (
    ENDED_BEFORE,
    SPACE,
    Malformed,
    TextStream,
    fault,
    last_end,
)
from tp_tools.errors import InputError
from tp_tools.trace.model import Head, Tail

EVENTS = "traceEvents"

_GROWTH = 1 << 20  # bytes of text in which the events are looked for at first
_KEY = re.compile(rb'"traceEvents"\s*:\s*(?=\S)')
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_INTO_EVENTS = b'{"":['
_DELETE = b"\x7f"
_TEXTS = ("displayTimeUnit", "systemTraceEvents")
"""Members of the outermost object at which Perfetto gives up if they are no text."""


def read_head(feed: TextStream) -> Head:
    """The text up to and with the `[` of the events.

    Raises:
        InputError: there are no events, or what makes Perfetto give up.
        Malformed: the text is damaged before them.
    """
    feed.grow(1)
    while not feed.text.strip(SPACE) and not feed.ended:
        feed.grow(len(feed.text) + 1)
    start = feed.text.lstrip(SPACE)[:1]
    if not start:
        raise InputError(f"{feed.name}: holds no text. Was the profiler stopped before it wrote?")
    if start == b"[":
        return Head(feed.take(feed.text.index(b"[") + 1))
    if start != b"{":
        raise InputError(
            f"{feed.name}: is not a Chrome JSON trace: it begins with {start!r}. "
            "Give the file that the profiler wrote."
        )
    searched, size = 0, _GROWTH
    while True:
        feed.grow(size)
        for match in _KEY.finditer(feed.text, searched):
            searched = match.end()
            members = _members_before(feed, searched)
            if members is not None:
                _check_members(feed, members)
                if feed.text[searched : searched + 1] != b"[":
                    raise InputError(f"{feed.name}: its {EVENTS} is not an array.")
                return Head(feed.take(searched + 1))
        if feed.ended:
            raise _headless(feed)
        size = 2 * len(feed.text)


def _members_before(feed: TextStream, end: int) -> dict[str, msgspec.Raw] | None:
    """The members of the outermost object, if the value of one of them begins at `end`.

    Raises:
        Malformed: the text is damaged before that.
    """
    try:
        return _MEMBERS.decode(feed.text[:end] + b"null}")
    except RecursionError:
        return None
    except msgspec.DecodeError as error:
        why, at = fault(error)
        if at is not None and at < end and ENDED_BEFORE not in why:
            raise feed.damaged(at, why) from error
        return None


def _members(text: bytes) -> dict[str, msgspec.Raw] | None:
    """The members of an object; None if it is none."""
    try:
        return _MEMBERS.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return None


def _check_members(feed: TextStream, members: dict[str, msgspec.Raw]) -> None:
    """Perfetto refuses a file with other values there, or with a DEL in any of its members."""
    if any(_DELETE in key.encode() + bytes(value) for key, value in members.items()):
        raise Malformed(f"{feed.name}: has the control character DEL in its text.")
    for key in _TEXTS:
        value = bytes(members.get(key, b'""'))
        if not value.startswith(b'"'):
            shown = value.decode(errors="replace")
            raise InputError(f"{feed.name}: its {key} is {shown}, not text: Perfetto refuses it.")


def _headless(feed: TextStream) -> InputError:
    """Why no events begin anywhere in the whole text."""
    try:
        _MEMBERS.decode(feed.text)
    except msgspec.DecodeError as error:
        why, at = fault(error)
        if at is None:
            return InputError(f"{feed.name}: is cut short before its {EVENTS}.")
        if ENDED_BEFORE not in why:
            return feed.damaged(at, why)
    return InputError(
        f"{feed.name}: has no {EVENTS} array: not a Chrome JSON trace. "
        "Give the file that the profiler wrote."
    )


def read_tail(feed: TextStream, head: Head) -> Tail:
    """The text behind the events.

    Raises:
        InputError: there are other events in it, or what makes Perfetto give up.
        Malformed: it is damaged before its end.
    """
    feed.grow(1 << 62)
    text = feed.take(len(feed.text))
    is_array = head.text.lstrip(SPACE)[:1] == b"["
    return _tail_of_array(text) if is_array else _tail_of_object(feed, text)


def _tail_of_array(text: bytes) -> Tail:
    if not text.startswith(b"]"):
        return _cut_short(b"]", text)
    behind = text[1:].strip(SPACE)
    return Tail(b"]", lost=len(behind)) if behind else Tail(text)


def _cut_short(kept: bytes, left_out: bytes) -> Tail:
    return Tail(kept, cut_short=True, lost=len(left_out.strip(SPACE + b",")))


def _tail_of_object(feed: TextStream, text: bytes) -> Tail:
    """The rest of the outermost object; raises as `read_tail`."""
    if not text.startswith(b"]"):
        return _cut_short(b"]}", text)
    try:
        members = _MEMBERS.decode(_INTO_EVENTS + text)
    except RecursionError as error:
        raise InputError(f"{feed.name}: is nested too deeply behind its events.") from error
    except msgspec.DecodeError as error:
        why, at = fault(error)
        at = len(text) if at is None else at - len(_INTO_EVENTS)
        if ENDED_BEFORE in why:
            end = text.rindex(b"}", 0, at) + 1
            tail = _tail_of_object(feed, text[:end])
            return Tail(tail.text, lost=len(text[end:].strip(SPACE)))
        if at < len(text):
            raise feed.damaged(at - len(text), why) from error
        return _tail_cut_short(text)
    if EVENTS in members:
        raise InputError(f"{feed.name}: has two arrays named {EVENTS}. Give one trace.")
    _check_members(feed, members)
    return Tail(text)


def _tail_cut_short(text: bytes) -> Tail:
    """Up to the last member that is certainly whole; a number may have lost digits."""
    if text.rstrip(SPACE)[-1:] in (b"]", b"}", b'"') and _members(_INTO_EVENTS + text + b"}"):
        return Tail(text + b"}", cut_short=True)
    end = last_end(text, b",", depth=1)
    kept = text[: end - 1] if end else b"]"
    return _cut_short(kept + b"}", text[len(kept) :])
