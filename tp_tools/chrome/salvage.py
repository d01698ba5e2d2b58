"""Salvage the whole events of a damaged trace, so that a damaged event does not cost the others.

The reader does so last, for a text that is not a trace even once every token is sanitized. Whole
events pass byte for byte. An event with unescaped quotes is repaired if it has one reading
(`quotes`). Any other damaged event is left out, up to the start of the next event, and so are text
between events and damaged members of the object around them.

Events are decoded in bulk: their number doubles after each success and shrinks after a failure. So
the time is proportional to the length of the text, however much of it is damaged.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from tp_tools.chrome import sanitize
from tp_tools.chrome.batch_columns import columns_of
from tp_tools.chrome.batches import BatchText
from tp_tools.chrome.damage import Losses, event_damage
from tp_tools.chrome.envelope import EVENT_MEMBER
from tp_tools.chrome.event_text import EventText
from tp_tools.chrome.grammar import scan_object
from tp_tools.chrome.kept_members import whole_members
from tp_tools.chrome.members import all_sanitized, can_be_head, can_be_tail
from tp_tools.chrome.opening import find_opening
from tp_tools.chrome.quotes import escaped
from tp_tools.chrome.refused import check_accepted
from tp_tools.chrome.schema import DECODER, UNDECODABLE
from tp_tools.chrome.stream import fault, is_bad_utf8
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.chrome.opening import Opening

WINDOW = 1 << 20
"""Bytes of text to look at first, whenever more is needed."""

_MOST_EVENTS = 1 << 12  # events to decode at once
_FEWER = 16

_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[|[\s\S]*?"traceEvents"\s*:\s*\[')
_BOM_AND_SPACE = b"\xef\xbb\xbf \t\r\n"  # a byte order mark and blanks
_TAIL_START = re.compile(rb'\]\s*(?:,\s*"|\})')
_NULL = re.compile(rb"null(?=\s*[,\]])")


def salvaged(blocks: Iterator[bytes], losses: Losses, window: int = WINDOW) -> Iterator[bytes]:
    """Leave damaged events and members out of the text of a trace; sanitize tokens where needed.

    Args:
        blocks: the text of a Chrome JSON trace, cut anywhere.
        losses: counts repairs and the text that is left out.
        window: bytes of text to look at first; it decides the cost, not the result.

    Yields:
        The text that remains.
    """
    yield from _Salvage(blocks, losses, window).blocks()


class _Salvage:
    """Passes on the text of a stream; `held` is the part that is read and not passed on yet."""

    def __init__(self, stream: Iterator[bytes], losses: Losses, window: int) -> None:
        self.held, self.losses = EventText(stream, window), losses
        self.is_first = True  # whether no event was passed on yet
        self.is_after_damage = False
        self.count = 1  # events to decode at once
        self.needs_sanitizing = False  # whether the last events decoded only once sanitized

    def blocks(self) -> Iterator[bytes]:
        head = self._head()
        self.held.is_array = head.lstrip(_BOM_AND_SPACE) == b"["
        yield head
        while self.held.is_before_event():
            yield from self._next()
        yield self._tail()

    def _head(self) -> bytes:
        """Return the text up to the first event, without damaged members."""
        self.held.grow(self.held.window)
        while not (match := _HEAD.match(self.held.text)) and not self.held.ended:
            if self.held.find_start(0) is not None:
                break
            self.held.grow_more()
        if match and self._can_be_head(match[0]):
            self.held.at = match.end()
            return match[0]
        opening = find_opening(self.held)
        if opening is None:
            self.held.grow(1 << 62)
            self.held.at = len(self.held.text)
            return self.held.text
        text, self.held.at = self.held.text[: opening.events], opening.events
        if opening.key is not None and can_be_head(all_sanitized(text, Counter())):
            return all_sanitized(text, self.losses.repairs)
        head = self._without_damage(text, opening)
        return all_sanitized(head, self.losses.repairs)

    @staticmethod
    def _can_be_head(head: bytes) -> bool:
        return head.lstrip(_BOM_AND_SPACE) == b"[" or can_be_head(head)

    def _without_damage(self, text: bytes, opening: Opening) -> bytes:
        """Return a head with the whole members before the events; note what is damaged."""
        stop = opening.events if opening.key is None else opening.key
        brace = text.find(b"{", 0, stop)
        offset = self.held.offset
        kept = whole_members(text[:stop], brace, offset, self.losses) if brace >= 0 else b""
        if not self.losses.repairs:
            self.losses.repairs["damaged_heads"] += 1
        return b"{" + kept[1:] + b"," * bool(kept) + b'"traceEvents":['

    def _next(self) -> Iterator[bytes]:
        """Pass on the next events, or leave out the damaged text before them."""
        begin = self.held.begin()
        null = _NULL.match(self.held.text, begin)
        if null:
            yield from self._pass_on(begin, null.end(), b"{}")
        elif self.held.text[begin : begin + 1] != b"{":
            self._leave_out(self.held.start_behind(begin), "damaged_stretches")
        elif end := self.held.end_of_several(begin, self.count):
            yield from self._several(begin, end)
        else:
            yield from self._one(begin)

    def _several(self, begin: int, end: int) -> Iterator[bytes]:
        """Pass on several events if they decode; else reduce the number to decode at once."""
        events = self._decodable(self.held.text[begin:end], self.needs_sanitizing)
        if events is not None:
            yield from self._pass_on(begin, end, events)
            self.count = min(2 * self.count, _MOST_EVENTS)
        elif self.count > 1:
            self.count = max(self.count // _FEWER, 1)
        else:
            yield from self._one(begin)

    def _decodable(self, events: bytes, sanitize: bool = True) -> bytes | None:  # noqa: FBT001, FBT002
        """Return events that decode, as they are or sanitized if `sanitize`; else None."""
        if self._decodes(b"[" + events + b"]"):
            self.needs_sanitizing = False
            return events
        if not sanitize:
            return None
        repairs: Counter[str] = Counter()
        text = all_sanitized(b"[" + events + b"]", repairs)
        self.needs_sanitizing = self._decodes(text, sanitized=True)
        if not self.needs_sanitizing:
            return None
        self.losses.repairs.update(repairs)
        return text[1:-1]

    def _decodes(self, text: bytes, *, sanitized: bool = False) -> bool:
        """Tell whether a text is an array of events; after damage the first must have a phase."""
        if b"\\u" in text:  # keys may be others once the reader sanitizes them
            text = b"".join(sanitize.sanitized((text,), Counter()))
        try:
            events = DECODER.decode(text)
            check_accepted(text[1:-1], events, "", thorough=sanitized)
            columns_of(BatchText(text, events), 0, "")
        except (InputError, *UNDECODABLE):
            return False
        return not (self.is_after_damage and events[0].ph is None)

    def _one(self, begin: int) -> Iterator[bytes]:
        """Pass on one event, as it is or sanitized, or leave it out."""
        scan = scan_object(self.held.text, begin)
        if scan.ran_out and not self.held.ended:
            self.held.grow_more()
            return
        event = self._decodable(self.held.text[begin : scan.end]) if scan.whole else None
        if event is not None:
            yield from self._pass_on(begin, scan.end, event)
            self.count = 2
        elif scan.whole:
            self._leave_out(scan.end, "damaged_events")
        elif scan.ran_out and self._is_cut_short(begin, scan.end):
            yield self.held.text[self.held.at :]  # the decoder reports that the text is cut short
            self.held.at = len(self.held.text)
        else:
            stop = self.held.start_behind(max(scan.end, begin + 1))
            yield from self._escape_quotes(stop)

    def _is_cut_short(self, begin: int, end: int) -> bool:
        """Tell whether the text ends in the event at `begin`, rather than in a quote too many.

        Args:
            begin: offset of the event.
            end: offset of the last token before the end of the text.
        """
        if self.held.find_start(begin + 1) is not None:
            return False
        if b'"' in self.held.text[end:] and self.held.find_true_tail(end) is not None:
            return False
        try:
            DECODER.decode(b"[" + self.held.text[begin:])
        except msgspec.DecodeError as error:
            return not is_bad_utf8(error) and fault(error)[1] is None
        except UNDECODABLE:
            return False
        return True

    def _escape_quotes(self, stop: int) -> Iterator[bytes]:
        """Pass on the event before the offset `stop` with its quotes escaped, or leave it out."""
        begin = self.held.begin()
        quoted = escaped(self.held.text[begin:stop])
        if quoted and self.held.text[begin + quoted.length : stop].strip(b", \t\r\n"):
            quoted = None  # the reading ends too early
        event = self._decodable(quoted.text) if quoted else None
        if quoted is None or event is None:
            self._leave_out(stop, "damaged_events")
            return
        self.losses.repairs["unescaped_quotes"] += quoted.count
        yield from self._pass_on(begin, begin + quoted.length, event)

    def _pass_on(self, begin: int, end: int, events: bytes) -> Iterator[bytes]:
        """Pass on the events that replace the text up to `end`, with the separator before them."""
        lead = self.held.text[self.held.at : begin]
        stray = lead.count(b",") - (not self.is_first)
        if stray > 0:
            if not self.is_after_damage:
                self.losses.repairs["stray_commas"] += stray
            lead = lead.replace(b",", b"", stray)
        elif not self.is_first and b"," not in lead:
            if not self.is_after_damage:
                self.losses.repairs["missing_commas"] += 1
            lead = b",\n"
        yield lead
        yield events
        self.held.at, self.is_first, self.is_after_damage = end, False, False

    def _leave_out(self, end: int, kind: str) -> None:
        """Skip the text up to `end`; damaged text that follows other damage is noted once."""
        begin = self.held.begin()
        if not self.is_after_damage:
            damage = event_damage(
                self.held.offset + begin, self.held.text[begin:end].rstrip(b", \t\r\n")
            )
            self.losses.note(kind, damage)
        self.held.at, self.is_after_damage = end, True

    def _tail(self) -> bytes:
        """Return the text behind the events, without damaged members."""
        self.held.grow(1 << 62)
        tail = self.held.text[self.held.at :]
        self.held.offset += self.held.at
        self.held.text, self.held.at = tail, 0
        bare = tail.rstrip(b"\0")
        begin = self.held.begin()
        if self.held.is_array or bare[begin : begin + 1] != b"]":
            return tail
        stray = bare.count(b",", 0, begin)
        if stray:
            self.losses.repairs["stray_commas"] += stray
            tail = tail[:begin].replace(b",", b"") + tail[begin:]
        if can_be_tail(bare[begin:]):
            return tail
        if not can_be_tail(all_sanitized(bare[begin:], Counter())):
            true = self.held.find_true_tail(begin + 1)
            if true is not None and _is_of_event(bare, begin, true):
                self.held.at, self.is_after_damage = begin + 1, False
                self._leave_out(true, "damaged_events")
                return all_sanitized(bare[true:], self.losses.repairs)
            kept = whole_members(bare, begin + 1, self.held.offset, self.losses)
            tail = b"]" + kept + b"}"
        return all_sanitized(tail, self.losses.repairs)


def _is_of_event(text: bytes, begin: int, end: int) -> bool:
    """Tell whether the text between two brackets that may end the events is that of an event.

    It has a member that no outermost object has, begins as no rest of an object does, or holds the
    end of an object.
    """
    if EVENT_MEMBER.search(text, begin, end) or not _TAIL_START.match(text, begin):
        return True
    scan = scan_object(b'{"":[' + text[begin:end] + b"]}", 0)
    return scan.whole and scan.end <= len(b'{"":[') + end - begin
