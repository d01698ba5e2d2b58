r"""Escape quotes that a profiler did not escape, in the text of one event that has one reading.

Kineto writes names of kernels, operators and threads as they are:

    "name": "Library("ns", "IMPL")", "pid": 1

A quote ends a string only if the text behind it can follow a string: for a member of the event, a
comma and another member of events; in nested objects, a comma and any key, or a closing bracket.
"""

from __future__ import annotations

import re

from msgspec import Struct

MEMBERS = (
    rb'"(?:ph|cat|name|pid|tid|ts|dur|tts|tdur|args|id|id2|bp|s|cname|bind_id|flow_in|flow_out'
    rb'|scope|sf|stack|esf|estack)"\s*:'
)
"""The members of events in Chrome's Trace Event Format."""

_DEEPEST = 32
_QUOTE = re.compile(rb'"')
_KEY = re.compile(rb'\s*("[^"\\]*(?:\\.[^"\\]*)*")\s*:\s*', re.DOTALL)
_WORD = re.compile(rb"[-+\w.()]+\s*")
_BLANK = re.compile(rb"\s*")
_OBJECTS = re.compile(rb"(?:\[\s*)?\{")
_BEHIND_MEMBER = re.compile(rb'\s*(?:\Z|\}|,\s*(?:"[^"\\]*"\s*:|\Z))')
_ENDS = {
    "event": re.compile(rb"\s*(?:,\s*" + MEMBERS + rb"|\}\s*(?:[,\]]|\Z))"),
    "object": re.compile(rb'\s*(?:,\s*"[^"\\]*"\s*:|\}\s*(?:[,\]}]|\Z))'),
    "array": re.compile(rb'\s*(?:,\s*(?:["\[{\d-]|null|true|false)|\]\s*[,\]}])'),
}


class Escaped(Struct, frozen=True):
    """The text of an event whose quotes are escaped.

    Attributes:
        text: the repaired text of the event.
        length: bytes of the original text of the event.
        count: number of strings that held unescaped quotes.
    """

    text: bytes
    length: int
    count: int


class _Ambiguous(Exception):  # noqa: N818  a finding that ends the reading, not an error
    """The text has no reading, or more than one."""


def escaped(text: bytes) -> Escaped | None:
    """Escape the quotes of the event at the start of a text.

    Args:
        text: begins with an event and ends before the next event at the latest.

    Returns:
        The repaired event; None if the text has no reading or several, or needs no repair.
    """
    reader = _Reader(text)
    try:
        reader.read_object("event", 1)
    except _Ambiguous:
        return None
    return Escaped(b"".join(reader.parts), reader.at, reader.count) if reader.count else None


def escaped_member(text: bytes) -> Escaped | None:
    """Escape the quotes of the member of the outermost object at the start of a text.

    Args:
        text: begins with the key of the member and ends before the events, or with the object.

    Returns:
        The repaired member; None if it is no object and no array of objects, if the text has no
        reading or several, or needs no repair.
    """
    reader = _Reader(text)
    try:
        reader.read_member()
    except _Ambiguous:
        return None
    if not reader.count or not _BEHIND_MEMBER.match(text, reader.at):
        return None
    return Escaped(b"".join(reader.parts), reader.at, reader.count)


class _Reader:
    """Reads an event from left to right and copies it with its quotes escaped."""

    def __init__(self, text: bytes) -> None:
        self.text = text
        self.at = 0
        self.parts: list[bytes] = []
        self.count = 0

    def read_object(self, kind: str, depth: int) -> None:
        self._expect(b"{")
        keys: set[bytes] = set()
        while not self._accept(b"}"):
            if keys:
                self._expect(b",")
            key = _KEY.match(self.text, self.at)
            if key is None or key[1] in keys:  # a key twice: a string that ended too early
                raise _Ambiguous
            keys.add(key[1])
            self._copy(key.end())
            self._read_value(kind, depth)

    def read_member(self) -> None:
        key = _KEY.match(self.text)
        if key is None or _OBJECTS.match(self.text, key.end()) is None:
            raise _Ambiguous
        self._copy(key.end())
        self._read_value("object", 1)

    def _read_array(self, depth: int) -> None:
        self._expect(b"[")
        is_first = True
        while not self._accept(b"]"):
            if not is_first:
                self._expect(b",")
            is_first = False
            self._copy_blanks()
            self._read_value("array", depth)

    def _read_value(self, kind: str, depth: int) -> None:
        mark = self.text[self.at : self.at + 1]
        if depth > _DEEPEST:
            raise _Ambiguous
        if mark == b'"':
            self._read_string(kind)
        elif mark == b"{":
            self.read_object("object", depth + 1)
        elif mark == b"[":
            self._read_array(depth + 1)
        elif word := _WORD.match(self.text, self.at):
            self._copy(word.end())
        else:
            raise _Ambiguous

    def _read_string(self, kind: str) -> None:
        """Read a string up to the first quote that can end it."""
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
        raise _Ambiguous

    def _is_escaped(self, start: int, quote: int) -> bool:
        at = quote
        while at > start and self.text[at - 1 : at] == b"\\":
            at -= 1
        return (quote - at) % 2 == 1

    def _may_end(self, kind: str, quote: int) -> bool:
        return _ENDS[kind].match(self.text, quote + 1) is not None

    def _ends_later(self, kind: str, quote: int) -> bool:
        """Tell whether the next quote ends the string, so that this escaped quote is inside it."""
        following = self.text.find(b'"', quote + 1)
        return following >= 0 and self._may_end(kind, following)

    def _end_string(
        self, kind: str, start: int, quote: int, inner: list[int], *, is_escaped: bool
    ) -> None:
        """Write a string with its inner quotes escaped.

        Raises:
            _Ambiguous: an argument holds an odd number of quotes and could end at a later one.
        """
        if kind != "event" and len(inner) % 2:
            later = (match.start() for match in _QUOTE.finditer(self.text, quote + 1))
            if any(self._may_end(kind, other) for other in later):
                raise _Ambiguous
        self.parts.append(b'"')
        for part_start, part_stop in zip([start, *inner], [*inner, quote], strict=True):
            self.parts.append(self.text[part_start:part_stop])
            if part_stop != quote:
                self.parts.append(b"\\")
        self.parts.append(b'\\"' if is_escaped else b'"')
        self.count += bool(inner) or is_escaped
        self.at = quote + 1
        self._copy_blanks()

    def _expect(self, mark: bytes) -> None:
        if not self._accept(mark):
            raise _Ambiguous

    def _accept(self, mark: bytes) -> bool:
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
