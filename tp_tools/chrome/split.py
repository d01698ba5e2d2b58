"""Cuts the text of a trace into its head, runs of whole events, and its tail, as it streams past.

A run of events is found by decoding it: a cut behind a `}` that a `,` and a `{` follow is at the
level of `traceEvents` exactly if everything before it is a whole JSON array when closed there.
So each byte is scanned once, by msgspec, and the cut is proved and not guessed.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import msgspec

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = 4 << 20
"""Bytes of text in a run of events, about; a longer event makes a longer run."""

_ARRAY = re.compile(rb'"traceEvents"\s*:\s*\[')
_SEPARATOR = re.compile(rb"\s*,?")
_WIDEST_SEPARATOR = 256  # characters between two events where a run may end
_FAULT = re.compile(r"\(byte (\d+)\)$")
_ARRAY_ENDED = "trailing characters"
_SPACE = b" \t\r\n"
_HEAD_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])

Event = TypeVar("Event")
_Decoder: TypeAlias = "msgspec.json.Decoder[list[Event]]"
_Found: TypeAlias = "tuple[Run[Event], bool]"


@dataclass(frozen=True)
class Head:
    """The text up to and including the `[` of the events."""

    text: bytes


@dataclass(frozen=True)
class Run(Generic[Event]):
    """Whole events, each with the separator before it; the last run ends before the `]`."""

    text: bytes
    events: list[Event]


@dataclass(frozen=True)
class Tail:
    """The text from the `]` of the events to the end.

    Attributes:
        text: as read, or, where the file was cut short, with what was missing to end it.
        cut_short: whether the file ended too early.
        lost: bytes of text that were left out because the file ended inside them.
    """

    text: bytes
    cut_short: bool = False
    lost: int = 0


@dataclass
class _Feed:
    """The text that was read and not yet used, and how far into the file it lies."""

    blocks: Iterator[bytes]
    name: str
    text: bytes = b""
    offset: int = 0
    ended: bool = False

    def grow(self, size: int) -> None:
        """Reads on until there are `size` bytes or the file ends."""
        parts, have = [self.text], len(self.text)
        while have < size and not self.ended:
            block = next(self.blocks, None)
            if block is None:
                self.ended = True
            else:
                parts.append(block)
                have += len(block)
        self.text = b"".join(parts)

    def take(self, size: int) -> bytes:
        taken, self.text = self.text[:size], self.text[size:]
        self.offset += size
        return taken


def split(
    blocks: Iterator[bytes], decoder: _Decoder[Event], name: str
) -> Iterator[Head | Run[Event] | Tail]:
    """Head, runs of events, tail; their texts joined are the text that was read.

    Args:
        blocks: the text of a Chrome JSON trace, cut anywhere.
        decoder: decodes an array of events.
        name: what error messages call the file.

    Raises:
        InputError: the text is no Chrome JSON trace, or is damaged before its end.
    """
    feed = _Feed(blocks, name)
    head = _head(feed)
    yield head
    while True:
        run, ended = _run(feed, decoder)
        yield run
        if ended:
            break
    yield _tail(feed, closing=b"]" if head.text.lstrip(_SPACE)[:1] == b"[" else b"]}")


def _head(feed: _Feed) -> Head:
    feed.grow(1)
    while not feed.text.strip(_SPACE) and not feed.ended:
        feed.grow(len(feed.text) + 1)
    start = feed.text.lstrip(_SPACE)[:1]
    if start == b"[":
        return Head(feed.take(feed.text.index(b"[") + 1))
    if start != b"{":
        raise InputError(f"{feed.name}: is not a Chrome JSON trace: it begins with {start!r}.")
    searched, size = 0, RUN
    while True:
        feed.grow(size)
        for match in _ARRAY.finditer(feed.text, searched):
            if _closes(feed.text[: match.end()]):
                return Head(feed.take(match.end()))
            searched = match.end()
        if feed.ended:
            raise InputError(
                f"{feed.name}: has no traceEvents array: not a Chrome JSON trace, or cut short."
            )
        size = 2 * len(feed.text)


def _closes(head: bytes) -> bool:
    """Whether the array that the text ends with opening is a value of the outermost object."""
    try:
        _HEAD_DECODER.decode(head + b"]}")
    except msgspec.DecodeError:
        return False
    return True


def _run(feed: _Feed, decoder: _Decoder[Event]) -> _Found[Event]:
    """The next run, and whether the events end behind it."""
    size = RUN
    while True:
        feed.grow(size)
        for cut in _cuts(feed.text):
            found = _decode(feed, cut, decoder)
            if found is not None:
                return found
        if feed.ended:
            return _last_run(feed, decoder)
        size = 2 * len(feed.text)


def _cuts(text: bytes) -> Iterator[int]:
    """Where events may end, from the back: behind a `}` that `,` and `{` follow.

    Steps double, so that a long list of objects inside one event costs a few tries only.
    """
    at, wanted, seen = len(text), 1, 0
    while (at := text.rfind(b"{", 0, at)) > 0:
        before = text[max(0, at - _WIDEST_SEPARATOR) : at].rstrip(_SPACE)
        if not before.endswith(b","):
            continue
        before = before[:-1].rstrip(_SPACE)
        if before.endswith(b"}"):
            seen += 1
            if seen == wanted:
                wanted *= 2
                yield max(0, at - _WIDEST_SEPARATOR) + len(before)


def _decode(feed: _Feed, cut: int, decoder: _Decoder[Event]) -> _Found[Event] | None:
    """The run up to `cut`, or up to the array's end before it; None if `cut` is inside an event."""
    lead = _lead(feed.text)
    try:
        events = decoder.decode(b"[" + feed.text[lead:cut] + b"]")
    except msgspec.DecodeError as error:
        at = _fault(feed, lead, error)
        if _ARRAY_ENDED in str(error):
            return _decode_to_end(feed, at, decoder)
        if at >= cut:
            return None
        raise _damaged(feed, at, error) from error
    return Run(feed.take(cut), events), False


def _decode_to_end(feed: _Feed, behind: int, decoder: _Decoder[Event]) -> _Found[Event]:
    """The last run, given the place of the first character behind the array."""
    end = feed.text.rindex(b"]", 0, behind)
    events = decoder.decode(b"[" + feed.text[_lead(feed.text) : end + 1])
    return Run(feed.take(end), events), True


def _last_run(feed: _Feed, decoder: _Decoder[Event]) -> _Found[Event]:
    """The rest of the file as one run: whole, or cut short behind its last whole event."""
    lead = _lead(feed.text)
    try:
        events = decoder.decode(b"[" + feed.text[lead:])
    except msgspec.DecodeError as error:
        at = _fault(feed, lead, error)
        if _ARRAY_ENDED in str(error):
            return _decode_to_end(feed, at, decoder)
        if at < len(feed.text):
            raise _damaged(feed, at, error) from error
        return _truncated_run(feed, decoder), True
    return Run(feed.take(feed.text.rindex(b"]")), events), True


def _truncated_run(feed: _Feed, decoder: _Decoder[Event]) -> Run[Event]:
    """What is left when the file ends inside the events: at most one whole one, then a piece."""
    end, lead = len(feed.text), _lead(feed.text)
    while (end := feed.text.rfind(b"}", 0, end)) > 0:
        try:
            events = decoder.decode(b"[" + feed.text[lead : end + 1] + b"]")
        except msgspec.DecodeError:
            continue
        return Run(feed.take(end + 1), events)
    return Run(b"", [])


def _lead(text: bytes) -> int:
    """The length of the separator that the text begins with."""
    lead = _SEPARATOR.match(text)
    return lead.end() if lead else 0


def _fault(feed: _Feed, lead: int, error: msgspec.DecodeError) -> int:
    """Where in the text of `feed`, of which `lead` bytes were left out, msgspec met the fault.

    Raises:
        InputError: JSON, but no event.
    """
    if isinstance(error, msgspec.ValidationError):
        raise InputError(
            f"{feed.name}: behind byte {feed.offset} of its text an event is not as Chrome's "
            f"trace format wants: {error}."
        ) from error
    place = _FAULT.search(str(error))
    return lead + int(place[1]) - 1 if place else len(feed.text)


def _damaged(feed: _Feed, at: int, error: msgspec.DecodeError) -> InputError:
    return InputError(f"{feed.name}: is damaged at byte {feed.offset + at} of its text: {error}.")


def _tail(feed: _Feed, closing: bytes) -> Tail:
    feed.grow(1 << 62)
    text = feed.take(len(feed.text))
    if not text.startswith(b"]"):
        return Tail(closing, cut_short=True, lost=len(text.strip(_SPACE + b",")))
    if closing == b"]":
        return Tail(text)
    end = len(text)
    if _closes_object(text):
        return Tail(text)
    while (end := text.rfind(b",", 0, end)) > 0:
        if _closes_object(text[:end] + b"}"):
            return Tail(text[:end] + b"}", cut_short=True, lost=len(text) - end)
    return Tail(b"]}", cut_short=True, lost=len(text) - 1)


def _closes_object(tail: bytes) -> bool:
    try:
        _HEAD_DECODER.decode(b'{"":[' + tail)
    except msgspec.DecodeError:
        return False
    return True
