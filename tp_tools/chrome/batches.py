"""Cuts the text of a trace into its head, runs of whole events, and its tail, as it streams past.

A run of events is found by decoding it: a cut behind a `}` that a `,` and a `{` follow is at the
level of `traceEvents` exactly if everything before it is a whole JSON array when closed there.
So each byte is scanned once, by msgspec, and the cut is proved and not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import msgspec

from tp_tools.chrome.envelope import read_head, read_tail
from tp_tools.chrome.stream import (
    ENDED_BEFORE,
    SPACE,
    Malformed,
    TextStream,
    fault,
    last_end,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.trace.model import Head, Tail

RUN = 1 << 20
"""Bytes of text in a run of events, about; a longer event makes a longer run."""

_WIDEST_SEPARATOR = 256  # characters between two events where a run may end

Event = TypeVar("Event")
_Decoder: TypeAlias = "msgspec.json.Decoder[list[Event]]"
_Found: TypeAlias = "tuple[BatchText[Event], bool]"


@dataclass(frozen=True)
class BatchText(Generic[Event]):
    """Whole events, each with the separator before it; the last run ends before the `]`."""

    text: bytes
    events: list[Event]


def split_text(
    blocks: Iterator[bytes], decoder: _Decoder[Event], name: str
) -> Iterator[Head | BatchText[Event] | Tail]:
    """Head, runs of events, tail.

    Their texts joined are the text that was read, but for what the tail says was cut off.

    Args:
        blocks: the text of a Chrome JSON trace, cut anywhere.
        decoder: decodes an array of events.
        name: what error messages call the file.

    Raises:
        InputError: the text is no Chrome JSON trace.
        Malformed: it is damaged before its end.
    """
    feed = TextStream(blocks, name)
    head = read_head(feed)
    yield head
    ended = False
    while not ended:
        run, ended = _run(feed, decoder)
        feed.separated = True
        yield run
    yield read_tail(feed, head)


def likely_cut(feed: TextStream) -> int | None:
    """Where the next run most likely ends; None if only the file's end ends it."""
    size = RUN
    while True:
        feed.grow(size)
        cut = next(_cuts(feed.text, size), None)
        if cut is not None or len(feed.text) < size:
            return cut
        size *= 2


def _run(feed: TextStream, decoder: _Decoder[Event]) -> _Found[Event]:
    """The next run, and whether the events end behind it.

    Raises:
        Malformed: the text is damaged here, or events are nested too deeply to be read.
    """
    size = RUN
    try:
        while True:
            feed.grow(size)
            for cut in _cuts(feed.text, size):  # where blocks end makes no difference
                found = _decode(feed, cut, decoder)
                if found is not None:
                    return found
            if len(feed.text) < size:
                return last_batch(feed, decoder), True
            size *= 2
    except RecursionError as error:
        raise Malformed(
            f"{feed.name}: behind byte {feed.offset} of its text an event is nested too deeply."
        ) from error


def _cuts(text: bytes, size: int) -> Iterator[int]:
    """Where events may end in the first bytes, from the back: behind a `}` that `,` and `{` follow.

    Steps double, so that a long list of objects inside one event costs a few tries only.
    """
    at, wanted, seen = min(size, len(text)), 1, 0
    while (at := text.rfind(b"{", 0, at)) > 0:
        before = text[max(0, at - _WIDEST_SEPARATOR) : at].rstrip(SPACE)
        if not before.endswith(b","):
            continue
        before = before[:-1].rstrip(SPACE)
        if before.endswith(b"}"):
            seen += 1
            if seen == wanted:
                wanted *= 2
                yield max(0, at - _WIDEST_SEPARATOR) + len(before)


def _decode(feed: TextStream, cut: int, decoder: _Decoder[Event]) -> _Found[Event] | None:
    """The run up to `cut`, or up to the array's end before it; None if `cut` is inside an event."""
    lead = feed.lead()
    try:
        events = decoder.decode(b"".join((b"[", memoryview(feed.text)[lead:cut], b"]")))
    except msgspec.DecodeError as error:
        why, at = _event_fault(feed, lead, error)
        if ENDED_BEFORE in why:
            return _decode_to_end(feed, at, decoder), True
        if at >= cut:
            return None
        raise feed.damaged(at, why) from error
    return BatchText(feed.take(cut), events), False


def _decode_to_end(feed: TextStream, behind: int, decoder: _Decoder[Event]) -> BatchText[Event]:
    """The last run, given the place of the first character behind the array."""
    end = feed.text.rindex(b"]", 0, behind)
    events = decoder.decode(b"[" + feed.text[feed.lead() : end + 1])
    return BatchText(feed.take(end), events)


def last_batch(feed: TextStream, decoder: _Decoder[Event]) -> BatchText[Event]:
    """The rest of the file as one run: whole, or cut short behind its last whole event.

    Raises:
        Malformed: the text is damaged here.
    """
    lead = feed.lead()
    try:
        events = decoder.decode(b"[" + feed.text[lead:])
    except msgspec.DecodeError as error:
        why, at = _event_fault(feed, lead, error)
        if ENDED_BEFORE in why:
            return _decode_to_end(feed, at, decoder)
        if at < len(feed.text):
            raise feed.damaged(at, why) from error
        end = last_end(feed.text, b"}", depth=0)
        events = decoder.decode(b"[" + feed.text[lead:end] + b"]") if end else []
        return BatchText(feed.take(end), events)
    return BatchText(feed.take(feed.text.rindex(b"]")), events)


def _event_fault(feed: TextStream, lead: int, error: msgspec.DecodeError) -> tuple[str, int]:
    """What is wrong with events and where in the text of `feed`, of which `lead` was left out.

    Raises:
        Malformed: it is JSON, but no event.
    """
    if isinstance(error, msgspec.ValidationError):
        raise Malformed(
            f"{feed.name}: behind byte {feed.offset} of its text an event is not as Chrome's "
            f"trace format wants: {error}."
        ) from error
    why, at = fault(error)
    return why, len(feed.text) if at is None else lead + at - 1
