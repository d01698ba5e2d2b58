"""A damaged trace without its damage: one damaged event does not cost the others.

It comes last, for a text that is no trace even if every token of it is mended. What is sound passes
byte for byte. An event is mended where it has quotes that were not escaped and there is no doubt
what it says (`quotes`); else it is left out, up to where the next event begins, and so is any text
between events, and any damaged member of the object around them.

Sound events are found in bulk: as many as were found so far are tried at once, and fewer if they
are not sound. So a text takes time in proportion to its length, however much of it is damaged.
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
    all_mended,
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

_WINDOW = 1 << 20
_MOST = 1 << 12  # events that are tried at once
_FEWER = 16
_FURTHEST = 1 << 16  # bytes of an event in which its phase stands
_TAILS = 32  # places that are tried for the end of the events

_HEAD = re.compile(rb'(?:\xef\xbb\xbf)?\s*\[|[\s\S]*?"traceEvents"\s*:\s*\[')
_MARKS = b"\xef\xbb\xbf \t\r\n"  # a byte order mark and blanks
_LEAD = re.compile(rb"[\s,]*")
_NULL = re.compile(rb"null(?=\s*[,\]])")
_BETWEEN = re.compile(rb"\}\s*,\s*(?=\{\s*" + MEMBERS + rb")")
_START = re.compile(rb"\{\s*" + MEMBERS)
_PHASE = re.compile(rb'"ph"\s*:')
_TAIL = re.compile(rb'\](?=\s*(?:,\s*"|\}\s*\Z|\Z))')


def salvaged(blocks: Iterator[bytes], losses: Losses) -> Iterator[bytes]:
    """The text of a trace without what is damaged in it, every token of it mended where need be.

    Args:
        blocks: the text of a Chrome JSON trace, cut anywhere.
        losses: counts what is mended or left out.
    """
    yield from _Salvage(blocks, losses).blocks()


class _Salvage:
    """Reads on through the text; `at` is how far what was read has been dealt with."""

    def __init__(self, stream: Iterator[bytes], losses: Losses) -> None:
        self.stream, self.losses = stream, losses
        self.text, self.at, self.offset = b"", 0, 0
        self.ended = False
        self.is_first = True  # whether no event has been passed on
        self.is_after_damage = False
        self.tried = 1  # events to try at once
        self.is_odd = False  # whether the last events could be read only when they were mended

    def blocks(self) -> Iterator[bytes]:
        head = self._head()
        yield head
        while self._is_before_event():
            yield from self._next()
        yield self._tail(head)

    def _grow(self, size: int) -> None:
        """Reads on until so many bytes are there, or all."""
        if self.ended or len(self.text) - self.at >= size:
            return
        parts, have = [self.text[self.at :]], len(self.text) - self.at
        while have < size and not self.ended:
            block = next(self.stream, None)
            self.ended = block is None
            parts.append(block or b"")
            have += len(block or b"")
        self.offset += self.at
        self.text, self.at = b"".join(parts), 0

    def _grow_more(self) -> None:
        self._grow(2 * max(len(self.text) - self.at, _WINDOW))

    def _head(self) -> bytes:
        """The text up to the first event, without members that are damaged."""
        self._grow(_WINDOW)
        while (found := _HEAD.match(self.text)) is None and not self.ended:
            self._grow_more()
        if found is None:
            self._grow(1 << 62)
            self.at = len(self.text)
            return self.text
        head, self.at = found[0], found.end()
        if head.lstrip(_MARKS) == b"[" or can_be_head(head):
            return head
        if can_be_head(all_mended(head, Counter())):
            return all_mended(head, self.losses.repairs)
        brace = head.find(b"{")
        opening = head.rindex(b'"traceEvents"')
        kept = self._whole(head[:opening], brace)
        kept = kept[1:] + b"," if kept else b""
        return all_mended(head[:brace] + b"{" + kept + head[opening:], self.losses.repairs)

    def _whole(self, text: bytes, start: int) -> bytes:
        """The members that are whole; those that are not are noted."""
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
        """Whether more events may come."""
        while True:
            self._grow(_WINDOW)
            begin = self._begin()
            if begin < len(self.text):
                return self.text[begin : begin + 1] != b"]"
            if self.ended:
                return False
            self._grow_more()

    def _begin(self) -> int:
        """Where the next event begins, or whatever stands there."""
        lead = _LEAD.match(self.text, self.at)
        return lead.end() if lead else self.at

    def _next(self) -> Iterator[bytes]:
        """Passes on the next events, or leaves out what stands there."""
        begin = self._begin()
        null = _NULL.match(self.text, begin)
        if null:
            yield from self._pass_on(begin, null.end(), b"{}")
        elif self.text[begin : begin + 1] != b"{":
            self._leave_out(self._start_behind(begin), "damaged_stretches")
        elif end := self._end_of_some(begin):
            yield from self._several(begin, end)
        else:
            yield from self._one(begin)

    def _end_of_some(self, begin: int) -> int:
        """The end of as many events as are to be tried; 0 if there is none to be seen."""
        end = 0
        matches = _BETWEEN.finditer(self.text, begin)
        for match, _ in zip(matches, range(self.tried), strict=False):
            end = match.start() + 1
        return end

    def _several(self, begin: int, end: int) -> Iterator[bytes]:
        """Passes on events if they are sound; else fewer of them are to be tried."""
        found = self._sound(self.text[begin:end], self.is_odd)
        if found is not None:
            yield from self._pass_on(begin, end, found)
            self.tried = min(2 * self.tried, _MOST)
        elif self.tried > 1:
            self.tried = max(self.tried // _FEWER, 1)
        else:
            yield from self._one(begin)

    def _sound(self, events: bytes, is_odd: bool = True) -> bytes | None:  # noqa: FBT001, FBT002
        """Events that can be read, as they are or with their tokens mended; else None."""
        if self._can_be_read(b"[" + events + b"]"):
            self.is_odd = False
            return events
        if not is_odd:
            return None
        repairs: Counter[str] = Counter()
        text = all_mended(b"[" + events + b"]", repairs)
        self.is_odd = self._can_be_read(text)
        if not self.is_odd:
            return None
        self.losses.repairs.update(repairs)
        return text[1:-1]

    def _can_be_read(self, text: bytes) -> bool:
        """Whether a text is an array of events; after damage the first must have a phase."""
        try:
            events = DECODER.decode(text)
            columns_of(BatchText(text, events), 0, "")
        except (InputError, msgspec.DecodeError, RecursionError):
            return False
        return not (self.is_after_damage and events[0].ph is None)

    def _one(self, begin: int) -> Iterator[bytes]:
        """Passes on one event as it is or mended, or leaves it out."""
        scan = scan_object(self.text, begin)
        if scan.ran_out and not self.ended:
            self._grow_more()
            return
        event = self._sound(self.text[begin : scan.end]) if scan.whole else None
        if event is not None:
            yield from self._pass_on(begin, scan.end, event)
            self.tried = 2
        elif scan.whole:
            self._leave_out(scan.end, "damaged_events")
        elif scan.ran_out and self._place_of_start(begin + 1) is None:
            yield self.text[self.at :]  # cut short: who reads it says so
            self.at = len(self.text)
        else:
            behind = self._start_behind(max(scan.end, begin + 1))
            yield from self._unquoted(behind)

    def _unquoted(self, behind: int) -> Iterator[bytes]:
        """Passes on the event before a place with its quotes escaped, or leaves it out."""
        begin = self._begin()
        quoted = escaped(self.text[begin:behind])
        if quoted and self.text[begin + quoted.length : behind].strip(b", \t\r\n"):
            quoted = None  # it ended too early
        event = self._sound(quoted.text) if quoted else None
        if quoted is None or event is None:
            self._leave_out(behind, "damaged_events")
            return
        self.losses.repairs["unescaped_quotes"] += quoted.count
        yield from self._pass_on(begin, begin + quoted.length, event)

    def _pass_on(self, begin: int, end: int, events: bytes) -> Iterator[bytes]:
        """Passes on what the text up to `end` became, with the separator before it."""
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
        """Goes on behind some text; what follows damage without being an event belongs to it."""
        begin = self._begin()
        if not self.is_after_damage:
            damage = event_damage(self.offset + begin, self.text[begin:end].rstrip(b", \t\r\n"))
            self.losses.note(kind, damage)
        self.at, self.is_after_damage = end, True

    def _start_behind(self, place: int) -> int:
        """Where the next event begins from here on; else where the events end, or the text does.

        More may be read for that: `at` stays the same text, and so does the distance from it.
        """
        distance = place - self.at
        while (start := self._place_of_start(self.at + distance)) is None and not self.ended:
            self._grow_more()
        return self._place_of_tail(self.at + distance) if start is None else start

    def _place_of_start(self, place: int) -> int | None:
        """The next object that begins as events do, has a phase, and is no member's value."""
        found: int | None = None
        for match in _START.finditer(self.text, place):
            start = match.start()
            before = self.text[max(self.at, start - 64) : start].rstrip()[-1:]
            if before == b":":
                continue
            if found is not None and self._has_phase(found, start):
                return found
            found = start
        if found is not None and (self.ended or len(self.text) - found > _FURTHEST):
            return found if self._has_phase(found, len(self.text)) else None
        return None

    def _has_phase(self, start: int, stop: int) -> bool:
        return _PHASE.search(self.text, start, min(stop, start + _FURTHEST)) is not None

    def _place_of_tail(self, place: int) -> int:
        """Where the events end, if all behind a place is damaged; the text's end if they do not."""
        likely: list[int] = []
        for match in _TAIL.finditer(self.text, place):
            if is_tail(self.text[match.start() :].rstrip(b"\0")):
                return match.start()
            likely.append(match.start())
            if len(likely) == _TAILS:
                break
        ends = [at for at in likely if self.text[max(at - 64, 0) : at].rstrip()[-1:] == b"}"]
        return ends[0] if ends else len(self.text)

    def _tail(self, head: bytes) -> bytes:
        """The text behind the events, without members that are damaged."""
        self._grow(1 << 62)
        tail = self.text[self.at :]
        self.offset += self.at
        self.text, self.at = tail, 0
        bare = tail.rstrip(b"\0")
        begin = self._begin()
        if head.lstrip(_MARKS) == b"[" or bare[begin : begin + 1] != b"]":
            return tail
        stray = bare.count(b",", 0, begin)
        if stray:
            self.losses.repairs["stray_commas"] += stray
            tail = tail[:begin].replace(b",", b"") + tail[begin:]
        if can_be_tail(bare[begin:]):
            return tail
        if not can_be_tail(all_mended(bare[begin:], Counter())):
            tail = b"]" + self._whole(bare, begin + 1) + b"}"
        return all_mended(tail, self.losses.repairs)
