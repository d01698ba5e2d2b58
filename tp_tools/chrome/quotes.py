r"""Quotes that a profiler did not escape, in the text of one event, where there is no doubt.

Kineto writes names of kernels, operators and threads as they are:

    "name": "Library("ns", "IMPL")", "pid": 1

A quote ends a string only if what stands behind it can follow: of a member of the event itself a
comma and another member that events have, else a comma and any key, or a bracket that closes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MEMBERS = (
    rb'"(?:ph|cat|name|pid|tid|ts|dur|tts|tdur|args|id|id2|bp|s|cname|bind_id|flow_in|flow_out'
    rb'|scope|sf|stack|esf|estack)"\s*:'
)
"""The members that events have, as in Chrome's Trace Event Format."""

_DEEPEST = 32
_QUOTE = re.compile(rb'"')
_KEY = re.compile(rb'\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*', re.DOTALL)
_WORD = re.compile(rb"[-+\w.()]+\s*")
_BLANK = re.compile(rb"\s*")
_ENDS = {
    "event": re.compile(rb"\s*(?:,\s*" + MEMBERS + rb"|\}\s*(?:[,\]]|\Z))"),
    "object": re.compile(rb'\s*(?:,\s*"[^"\\]*"\s*:|\}\s*(?:[,\]}]|\Z))'),
    "array": re.compile(rb'\s*(?:,\s*(?:["\[{\d-]|null|true|false)|\]\s*[,\]}])'),
}


@dataclass(frozen=True)
class Escaped:
    """The text of an event whose quotes are escaped.

    Attributes:
        text: of the event.
        length: how much of the text it was made of.
        count: strings in which there were such quotes.
    """

    text: bytes
    length: int
    count: int


class _InDoubt(Exception):  # noqa: N818  a finding that ends the reading, and no error
    """The text can be read in no way, or in more than one."""


def escaped(text: bytes) -> Escaped | None:
    """The event that a text begins with; None where it is in doubt what it says.

    Args:
        text: begins with an event; ends before the next one at the latest.
    """
    reader = _Reader(text)
    try:
        reader.read_object("event", 1)
    except _InDoubt:
        return None
    return Escaped(b"".join(reader.parts), reader.at, reader.count) if reader.count else None


class _Reader:
    """Reads an event from the left."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0
        self.parts: list[bytes] = []
        self.count = 0

    def read_object(self, kind: str, depth: int) -> None:
        self._take(b"{")
        keys: set[bytes] = set()
        while not self._takes(b"}"):
            if keys:
                self._take(b",")
            key = _KEY.match(self.text, self.at)
            if key is None or key[1] in keys:  # a key twice: a string that ended too early
                raise _InDoubt
            keys.add(key[1])
            self._copy(key.end())
            self._read_value(kind, depth)

    def _read_array(self, depth: int) -> None:
        self._take(b"[")
        is_first = True
        while not self._takes(b"]"):
            if not is_first:
                self._take(b",")
            is_first = False
            self._copy_blanks()
            self._read_value("array", depth)

    def _read_value(self, kind: str, depth: int) -> None:
        mark = self.text[self.at : self.at + 1]
        if depth > _DEEPEST:
            raise _InDoubt
        if mark == b'"':
            self._read_string(kind)
        elif mark == b"{":
            self.read_object("object", depth + 1)
        elif mark == b"[":
            self._read_array(depth + 1)
        elif word := _WORD.match(self.text, self.at):
            self._copy(word.end())
        else:
            raise _InDoubt

    def _read_string(self, kind: str) -> None:
        """Takes a string up to the first quote behind which something can follow."""
        start = self.at + 1
        inner: list[int] = []
        for match in _QUOTE.finditer(self.text, start):
            quote = match.start()
            is_escaped = self._is_escaped(start, quote)
            if not is_escaped or inner:
                if self._may_end(kind, quote):
                    self._end_string(kind, start, quote, inner, is_escaped=is_escaped)
                    return
            elif self._may_end(kind, quote) and not self._ends_later(kind, quote):
                self._end_string(kind, start, quote, inner, is_escaped=True)
                return
            if not is_escaped:
                inner.append(quote)
        raise _InDoubt

    def _is_escaped(self, start: int, quote: int) -> bool:
        at = quote
        while at > start and self.text[at - 1 : at] == b"\\":
            at -= 1
        return (quote - at) % 2 == 1

    def _may_end(self, kind: str, quote: int) -> bool:
        return _ENDS[kind].match(self.text, quote + 1) is not None

    def _ends_later(self, kind: str, quote: int) -> bool:
        """Whether the next quote ends a string of which an escaped one is a part."""
        following = self.text.find(b'"', quote + 1)
        return following >= 0 and self._may_end(kind, following)

    def _end_string(
        self, kind: str, start: int, quote: int, inner: list[int], *, is_escaped: bool
    ) -> None:
        """Writes a string with the quotes in it escaped.

        Raises:
            _InDoubt: quotes of an argument come in no pairs, and it could end elsewhere as well.
        """
        if kind != "event" and len(inner) % 2:
            later = (match.start() for match in _QUOTE.finditer(self.text, quote + 1))
            if any(self._may_end(kind, other) for other in later):
                raise _InDoubt
        self.parts.append(b'"')
        for piece_start, piece_stop in zip([start, *inner], [*inner, quote], strict=True):
            self.parts.append(self.text[piece_start:piece_stop])
            if piece_stop != quote:
                self.parts.append(b"\\")
        self.parts.append(b'\\"' if is_escaped else b'"')
        self.count += bool(inner) or is_escaped
        self.at = quote + 1
        self._copy_blanks()

    def _take(self, mark: bytes) -> None:
        if not self._takes(mark):
            raise _InDoubt

    def _takes(self, mark: bytes) -> bool:
        self._copy_blanks()
        if self.text[self.at : self.at + 1] != mark:
            return False
        self._copy(self.at + 1)
        return True

    def _copy_blanks(self) -> None:
        blank = _BLANK.match(self.text, self.at)
        if blank:
            self._copy(blank.end())

    def _copy(self, end: int) -> None:
        self.parts.append(self.text[self.at : end])
        self.at = end
