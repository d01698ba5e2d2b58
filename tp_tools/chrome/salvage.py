"""Salvages the whole events of a damaged trace, so that a damaged event does not cost the others.

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

from tp_tools.chrome.batch_columns import columns_of
from tp_tools.chrome.batches import BatchText
from tp_tools.chrome.damage import Losses, event_damage, member_damage
from tp_tools.chrome.grammar import scan_object
from tp_tools.chrome.members import (
    all_sanitized,
    can_be_head,
    can_be_tail,
    is_tail,
    whole_members,
)
from tp_tools.chrome.quotes import MEMBERS, escaped
from tp_tools.chrome.schema import DECODER
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

WINDOW = 1 << 20
"""Bytes of text to look at first, whenever more is needed."""

_MOST_EVENTS = 1 << 12  # events to decode at once
_FEWER = 16
_PHASE_WITHIN = 1 << 16  # bytes of an event in which its phase must stand
_MOST_TAILS = 32  # offsets that are checked for the end of the events

_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[|[\s\S]*?"traceEvents"\s*:\s*\[')
_BOM_AND_SPACE = b"\xef\xbb\xbf \t\r\n"  # a byte order mark and blanks
_LEAD = re.compile(rb"[\s,]*")
_NULL = re.compile(rb"null(?=\s*[,\]])")
_BETWEEN = re.compile(rb"\}\s*,\s*(?=\{\s*" + MEMBERS + rb")")
_START = re.compile(rb"\{\s*" + MEMBERS)
_PHASE = re.compile(rb'"ph"\s*:')
_TAIL = re.compile(rb'\](?=\s*(?:,\s*"|\}\s*\Z|\Z))')


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
    """Reads the text as a stream; `at` is the offset in `text` up to which it is passed on."""

    def __init__(self, stream: Iterator[bytes], losses: Losses, window: int) -> None:
        self.stream, self.losses, self.window = stream, losses, window
        self.text, self.at, self.offset = b"", 0, 0
        self.ended = False
        self.is_first = True  # whether no event was passed on yet
        self.is_after_damage = False
        self.count = 1  # events to decode at once
        self.needs_sanitizing = False  # whether the last events decoded only once sanitized

    def blocks(self) -> Iterator[bytes]:
        head = self._head()
        yield head
        while self._is_before_event():
            yield from self._next()
        yield self._tail(head)

    def _grow(self, size: int) -> None:
        """Read until `size` bytes follow `at`, or the file ends."""
        if self.ended or len(self.text) - self.at >= size:
            return
        parts, available = [self.text[self.at :]], len(self.text) - self.at
        while available < size and not self.ended:
            block = next(self.stream, None)
            self.ended = block is None
            parts.append(block or b"")
            available += len(block or b"")
        self.offset += self.at
        self.text, self.at = b"".join(parts), 0

    def _grow_more(self) -> None:
        self._grow(2 * max(len(self.text) - self.at, self.window))

    def _head(self) -> bytes:
        """Return the text up to the first event, without damaged members."""
        self._grow(self.window)
        while (match := _HEAD.match(self.text)) is None and not self.ended:
            self._grow_more()
        if match is None:
            self._grow(1 << 62)
            self.at = len(self.text)
            return self.text
        head, self.at = match[0], match.end()
        if head.lstrip(_BOM_AND_SPACE) == b"[" or can_be_head(head):
            return head
        if can_be_head(all_sanitized(head, Counter())):
            return all_sanitized(head, self.losses.repairs)
        brace = head.find(b"{")
        opening = head.rindex(b'"traceEvents"')
        kept = self._whole_members(head[:opening], brace)
        kept = kept[1:] + b"," if kept else b""
        return all_sanitized(head[:brace] + b"{" + kept + head[opening:], self.losses.repairs)

    def _whole_members(self, text: bytes, start: int) -> bytes:
        """Return the whole members of an object; note the damaged ones."""
        kept = []
        for begin, stop, is_whole in whole_members(text, start):
            if is_whole:
                kept.append(text[begin:stop])
            elif member := text[begin + 1 : stop].lstrip():
                self.losses.note(
                    "damaged_members", member_damage(self.offset + stop - len(member), member)
                )
        return b"".join(kept)

    def _is_before_event(self) -> bool:
        """Tell whether more events may follow."""
        while True:
            self._grow(self.window)
            begin = self._begin()
            if begin < len(self.text):
                return self.text[begin : begin + 1] != b"]"
            if self.ended:
                return False
            self._grow_more()

    def _begin(self) -> int:
        """Return the offset behind the separator at `at`."""
        lead = _LEAD.match(self.text, self.at)
        return lead.end() if lead else self.at

    def _next(self) -> Iterator[bytes]:
        """Pass on the next events, or leave out the damaged text before them."""
        begin = self._begin()
        null = _NULL.match(self.text, begin)
        if null:
            yield from self._pass_on(begin, null.end(), b"{}")
        elif self.text[begin : begin + 1] != b"{":
            self._leave_out(self._start_behind(begin), "damaged_stretches")
        elif end := self._end_of_several(begin):
            yield from self._several(begin, end)
        else:
            yield from self._one(begin)

    def _end_of_several(self, begin: int) -> int:
        """Return the end of the next `count` events; 0 if no end is found."""
        end = 0
        matches = _BETWEEN.finditer(self.text, begin)
        for match, _ in zip(matches, range(self.count), strict=False):
            end = match.start() + 1
        return end

    def _several(self, begin: int, end: int) -> Iterator[bytes]:
        """Pass on several events if they decode; else reduce the number to decode at once."""
        events = self._decodable(self.text[begin:end], self.needs_sanitizing)
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
        self.needs_sanitizing = self._decodes(text)
        if not self.needs_sanitizing:
            return None
        self.losses.repairs.update(repairs)
        return text[1:-1]

    def _decodes(self, text: bytes) -> bool:
        """Tell whether a text is an array of events; after damage the first must have a phase."""
        try:
            events = DECODER.decode(text)
            columns_of(BatchText(text, events), 0, "")
        except (InputError, msgspec.DecodeError, RecursionError):
            return False
        return not (self.is_after_damage and events[0].ph is None)

    def _one(self, begin: int) -> Iterator[bytes]:
        """Pass on one event, as it is or sanitized, or leave it out."""
        scan = scan_object(self.text, begin)
        if scan.ran_out and not self.ended:
            self._grow_more()
            return
        event = self._decodable(self.text[begin : scan.end]) if scan.whole else None
        if event is not None:
            yield from self._pass_on(begin, scan.end, event)
            self.count = 2
        elif scan.whole:
            self._leave_out(scan.end, "damaged_events")
        elif scan.ran_out and self._find_start(begin + 1) is None:
            yield self.text[self.at :]  # the decoder reports that the text is cut short
            self.at = len(self.text)
        else:
            stop = self._start_behind(max(scan.end, begin + 1))
            yield from self._escape_quotes(stop)

    def _escape_quotes(self, stop: int) -> Iterator[bytes]:
        """Pass on the event before the offset `stop` with its quotes escaped, or leave it out."""
        begin = self._begin()
        quoted = escaped(self.text[begin:stop])
        if quoted and self.text[begin + quoted.length : stop].strip(b", \t\r\n"):
            quoted = None  # the reading ends too early
        event = self._decodable(quoted.text) if quoted else None
        if quoted is None or event is None:
            self._leave_out(stop, "damaged_events")
            return
        self.losses.repairs["unescaped_quotes"] += quoted.count
        yield from self._pass_on(begin, begin + quoted.length, event)

    def _pass_on(self, begin: int, end: int, events: bytes) -> Iterator[bytes]:
        """Pass on the events that replace the text up to `end`, with the separator before them."""
        lead = self.text[self.at : begin]
        stray = lead.count(b",") - (not self.is_first)
        if stray > 0:
            self.losses.repairs["stray_commas"] += stray
            lead = lead.replace(b",", b"", stray)
        elif not self.is_first and b"," not in lead:
            if not self.is_after_damage:
                self.losses.repairs["missing_commas"] += 1
            lead = b",\n"
        yield lead
        yield events
        self.at, self.is_first, self.is_after_damage = end, False, False

    def _leave_out(self, end: int, kind: str) -> None:
        """Skip the text up to `end`; damaged text that follows other damage is noted once."""
        begin = self._begin()
        if not self.is_after_damage:
            damage = event_damage(self.offset + begin, self.text[begin:end].rstrip(b", \t\r\n"))
            self.losses.note(kind, damage)
        self.at, self.is_after_damage = end, True

    def _start_behind(self, offset: int) -> int:
        """Return the start of the next event from `offset` on; else the end of events or of text.

        This may read more blocks and so shift offsets; the distance from `at` stays the same.
        """
        distance = offset - self.at
        while (start := self._find_start(self.at + distance)) is None and not self.ended:
            self._grow_more()
        return self._find_tail(self.at + distance) if start is None else start

    def _find_start(self, offset: int) -> int | None:
        """Find the next object that looks like an event, has a phase and is no member's value."""
        candidate: int | None = None
        for match in _START.finditer(self.text, offset):
            start = match.start()
            before = self.text[max(self.at, start - 64) : start].rstrip()[-1:]
            if before == b":":
                continue
            if candidate is not None and self._has_phase(candidate, start):
                return candidate
            candidate = start
        if candidate is not None and (self.ended or len(self.text) - candidate > _PHASE_WITHIN):
            return candidate if self._has_phase(candidate, len(self.text)) else None
        return None

    def _has_phase(self, start: int, stop: int) -> bool:
        return _PHASE.search(self.text, start, min(stop, start + _PHASE_WITHIN)) is not None

    def _find_tail(self, offset: int) -> int:
        """Find the end of the events, if no event follows `offset`; else return the text's end."""
        likely: list[int] = []
        for match in _TAIL.finditer(self.text, offset):
            if is_tail(self.text[match.start() :].rstrip(b"\0")):
                return match.start()
            likely.append(match.start())
            if len(likely) == _MOST_TAILS:
                break
        ends = [at for at in likely if self.text[max(at - 64, 0) : at].rstrip()[-1:] == b"}"]
        return ends[0] if ends else len(self.text)

    def _tail(self, head: bytes) -> bytes:
        """Return the text behind the events, without damaged members."""
        self._grow(1 << 62)
        tail = self.text[self.at :]
        self.offset += self.at
        self.text, self.at = tail, 0
        bare = tail.rstrip(b"\0")
        begin = self._begin()
        if head.lstrip(_BOM_AND_SPACE) == b"[" or bare[begin : begin + 1] != b"]":
            return tail
        stray = bare.count(b",", 0, begin)
        if stray:
            self.losses.repairs["stray_commas"] += stray
            tail = tail[:begin].replace(b",", b"") + tail[begin:]
        if can_be_tail(bare[begin:]):
            return tail
        if not can_be_tail(all_sanitized(bare[begin:], Counter())):
            tail = b"]" + self._whole_members(bare, begin + 1) + b"}"
        return all_sanitized(tail, self.losses.repairs)
