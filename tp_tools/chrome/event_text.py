"""Hold text of a damaged trace while it is read, and find where events begin and end."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from tp_tools.chrome.grammar import scan_object
from tp_tools.chrome.members import is_tail
from tp_tools.chrome.quotes import MEMBERS
from tp_tools.chrome.schema import UNDECODABLE
from tp_tools.chrome.stream import check_length, fault, is_bad_utf8, longest

if TYPE_CHECKING:
    from collections.abc import Iterator

_PHASE_WITHIN = 1 << 16  # bytes of an event in which its phase must stand
_MOST_TAILS = 32  # offsets that are checked for the end of the events

_LEAD = re.compile(rb"[\s,]*")
_BETWEEN = re.compile(rb"\}\s*,\s*(?=\{\s*" + MEMBERS + rb")")
_START = re.compile(rb"\{\s*" + MEMBERS)
_STRAY = re.compile(rb"\]\s*,?\s*\{\s*" + MEMBERS)
_BEFORE_VALUE = re.compile(rb'"\s*:\s*\Z')
_PHASE = re.compile(rb'"ph"\s*:')
_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_TAIL = re.compile(rb'\](?=\s*(?:,\s*"|\}\s*\Z|\Z))')


class EventText:
    """The text from the next event on, as far as it is read.

    Attributes:
        text: the text that is held.
        at: the offset in `text` up to which the text is passed on.
        offset: the offset of `text` in the file.
        ended: whether the file is read to its end.
        is_array: whether the events stand in no object.
        window: bytes of text to look at first.
    """

    def __init__(self, stream: Iterator[bytes], window: int) -> None:
        self.stream, self.window = stream, window
        self.text, self.at, self.offset = b"", 0, 0
        self.ended = self.is_array = False
        self.longest = longest()

    def grow(self, size: int) -> None:
        """Read until `size` bytes follow `at`, or the file ends."""
        if self.ended or len(self.text) - self.at >= size:
            return
        parts, available = [self.text[self.at :]], len(self.text) - self.at
        while available < size and not self.ended:
            block = next(self.stream, None)
            self.ended = block is None
            parts.append(block or b"")
            available += len(block or b"")
            check_length("the text", available, self.longest)
        self.offset += self.at
        self.text, self.at = b"".join(parts), 0

    def grow_more(self) -> None:
        """Read until twice as much follows `at`, or the file ends."""
        self.grow(2 * max(len(self.text) - self.at, self.window))

    def is_before_event(self) -> bool:
        """Tell whether more events may follow."""
        while True:
            self.grow(self.window)
            begin = self.begin()
            if begin < len(self.text):
                return self.text[begin : begin + 1] != b"]" or self._is_stray(begin)
            if self.ended:
                return False
            self.grow_more()

    def _is_stray(self, bracket: int) -> bool:
        """Tell whether a bracket is damage: an event follows, but no end of the events does."""
        if _STRAY.match(self.text, bracket):
            return True
        event = self.find_start(bracket + 1)
        if event is None or self.text[bracket + 1 : event].rstrip()[-1:] not in (b",", b"}"):
            return False
        if self.is_array:
            return True
        try:
            _MEMBERS.decode(b'{"":[' + self.text[bracket:event])
        except msgspec.DecodeError as error:
            return not is_bad_utf8(error) and fault(error)[1] is not None
        except UNDECODABLE:
            return False
        return True  # the object around the events ends, and they go on behind it

    def begin(self) -> int:
        """Return the offset behind the separator at `at`."""
        lead = _LEAD.match(self.text, self.at)
        return lead.end() if lead else self.at

    def end_of_several(self, begin: int, most: int) -> int:
        """Return the end of the next `most` events; 0 if no end is found."""
        end = 0
        matches = _BETWEEN.finditer(self.text, begin)
        for match, _ in zip(matches, range(most), strict=False):
            end = match.start() + 1
        return end

    def start_behind(self, offset: int) -> int:
        """Return the start of the next event from `offset` on; else the end of events or of text.

        This may read more blocks and so shift offsets; the distance from `at` stays the same.
        """
        distance = offset - self.at
        while (start := self.find_start(self.at + distance)) is None and not self.ended:
            self.grow_more()
        return self._find_tail(self.at + distance) if start is None else start

    def find_start(self, offset: int) -> int | None:
        """Find the next object that looks like an event, has a phase and is no member's value."""
        candidate: int | None = None
        for match in _START.finditer(self.text, offset):
            start = match.start()
            if _BEFORE_VALUE.search(self.text[max(self.at, start - 64) : start]):
                continue
            if candidate is not None and self._has_phase(candidate, start):
                return candidate
            candidate = start
        if candidate is not None and (self.ended or len(self.text) - candidate > _PHASE_WITHIN):
            return candidate if self._has_phase(candidate, len(self.text)) else None
        return None

    def _has_phase(self, start: int, stop: int) -> bool:
        """Tell whether an object has a phase: of its own, or before `stop` if it is not whole."""
        scan = scan_object(self.text, start)
        if scan.whole:
            return scan.has_phase
        return _PHASE.search(self.text, start, min(stop, start + _PHASE_WITHIN)) is not None

    def find_true_tail(self, offset: int) -> int | None:
        """Find the end of the events behind an event, where it is whole; None where it is not."""
        for match, _ in zip(_TAIL.finditer(self.text, offset), range(_MOST_TAILS), strict=False):
            before = self.text[max(match.start() - 64, 0) : match.start()]
            if before.rstrip()[-1:] == b"}" and is_tail(self.text[match.start() :].rstrip(b"\0")):
                return match.start()
        return None

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
