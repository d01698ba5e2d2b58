"""Cuts the text of a trace into its head, runs of whole events, and its tail, as it streams past.

A run of events is found by decoding it: a cut behind a `}` that a `,` and a `{` follow is at the
level of `traceEvents` exactly if everything before it is a whole JSON array when closed there.
So each byte is scanned once, by msgspec, and the cut is proved and not guessed.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import count
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

import msgspec

from tp_tools.chrome.feed import ENDED_BEFORE, SPACE, Feed, Malformed, fault, last_end
from tp_tools.chrome.outer import Head, Tail, read_head, read_tail
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

RUN = 1 << 20
"""Bytes of text in a run of events, about; a longer event makes a longer run."""

HEAD_START = 6
"""Runs that helpers are ahead; they take about as long as it takes to start an engine."""

_WIDEST_SEPARATOR = 256  # characters between two events where a run may end

Event = TypeVar("Event")
_Decoder: TypeAlias = "msgspec.json.Decoder[list[Event]]"
_Found: TypeAlias = "tuple[Run[Event], bool]"


@dataclass(frozen=True)
class Run(Generic[Event]):
    """Whole events, each with the separator before it; the last run ends before the `]`."""

    text: bytes
    events: list[Event]


def split(
    blocks: Iterator[bytes], decoder: _Decoder[Event], name: str
) -> Iterator[Head | Run[Event] | Tail]:
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
    feed = Feed(blocks, name)
    head = read_head(feed)
    yield head
    ended = False
    while not ended:
        run, ended = _run(feed, decoder)
        feed.separated = True
        yield run
    yield read_tail(feed, head)


def dealt(
    blocks: Iterator[bytes], decoder: _Decoder[Event], name: str, *, part: int, parts: int
) -> Iterator[Head | Run[Event] | Tail]:
    """Head, the runs that are this part's, and the tail if it is behind one of these.

    The others are cut off where they most likely end, and not decoded. So what is given counts
    only if all runs before it were decoded by those who were dealt them; behind the events it is
    whatever stands there.

    Args:
        blocks: the text of a Chrome JSON trace, cut anywhere.
        decoder: decodes an array of events.
        name: what error messages call the file.
        part: which part's runs are decoded, from 0.
        parts: how many parts there are; see `dealt_to`.

    Raises:
        InputError: as `split`, and where a run does not end where it most likely does.
    """
    feed = Feed(blocks, name)
    head = read_head(feed)
    yield head
    for number in count():
        cut, is_own = _likely_cut(feed), dealt_to(number, parts) == part
        if is_own:
            run, ended = _own(feed, cut, decoder)
            yield run
            if ended:
                yield read_tail(feed, head)
                return
        elif cut is None:
            return
        else:
            feed.skip(cut)
        feed.separated = True


def dealt_to(number: int, parts: int) -> int:
    """Whose a run is: everybody's in turn, but none of the first ones is part 0's.

    Part 0 is read by the process that has other things to prepare as well.
    """
    if parts > 1 and number < HEAD_START:
        return 1 + number % (parts - 1)
    return number % parts


def _likely_cut(feed: Feed) -> int | None:
    """Where the next run most likely ends; None if only the file's end ends it."""
    size = RUN
    while True:
        feed.grow(size)
        cut = next(_cuts(feed.text, size), None)
        if cut is not None or len(feed.text) < size:
            return cut
        size *= 2


def _own(feed: Feed, cut: int | None, decoder: _Decoder[Event]) -> _Found[Event]:
    """The run that ends there, and whether the events end behind it; raises as `dealt`."""
    try:
        found = _last_run(feed, decoder) if cut is None else _decode(feed, cut, decoder)
    except RecursionError:
        found = None
    if found is None:
        raise feed.damaged(0, "no run of events is seen to end here")
    return found


def _run(feed: Feed, decoder: _Decoder[Event]) -> _Found[Event]:
    """The next run, and whether the events end behind it.

    Raises:
        InputError: events are nested too deeply to be read.
        Malformed: the text is damaged here.
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
                return _last_run(feed, decoder)
            size *= 2
    except RecursionError as error:
        raise InputError(
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


def _decode(feed: Feed, cut: int, decoder: _Decoder[Event]) -> _Found[Event] | None:
    """The run up to `cut`, or up to the array's end before it; None if `cut` is inside an event."""
    lead = feed.lead()
    try:
        events = decoder.decode(b"".join((b"[", memoryview(feed.text)[lead:cut], b"]")))
    except msgspec.DecodeError as error:
        why, at = _event_fault(feed, lead, error)
        if ENDED_BEFORE in why:
            return _decode_to_end(feed, at, decoder)
        if at >= cut:
            return None
        raise feed.damaged(at, why) from error
    return Run(feed.take(cut), events), False


def _decode_to_end(feed: Feed, behind: int, decoder: _Decoder[Event]) -> _Found[Event]:
    """The last run, given the place of the first character behind the array."""
    end = feed.text.rindex(b"]", 0, behind)
    events = decoder.decode(b"[" + feed.text[feed.lead() : end + 1])
    return Run(feed.take(end), events), True


def _last_run(feed: Feed, decoder: _Decoder[Event]) -> _Found[Event]:
    """The rest of the file as one run: whole, or cut short behind its last whole event."""
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
        return Run(feed.take(end), events), True
    return Run(feed.take(feed.text.rindex(b"]")), events), True


def _event_fault(feed: Feed, lead: int, error: msgspec.DecodeError) -> tuple[str, int]:
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
