"""The text of a trace as it comes in, and what can be wrong with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec

SPACE = b" \t\r\n"
ENDED_BEFORE = "trailing characters"
"""What msgspec calls text behind the end of a value."""

_SEPARATOR = re.compile(rb"\s*,?")
_STRUCTURE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[{\]},]', re.DOTALL)
_FAULT = re.compile(r"(.*) \(byte (\d+)\)$")


class Malformed(InputError):  # noqa: N818  the name reads as the fact it states
    """The text is no JSON or holds something that is no event; it may be mended thoroughly."""


@dataclass
class TextStream:
    """The text that was read and not yet used.

    Attributes:
        blocks: what comes.
        name: of the file, for messages.
        offset: how far into the file it lies.
        ended: whether nothing comes any more.
        separated: whether a separator stands at the text's beginning, since events were taken.
    """

    blocks: Iterator[bytes]
    name: str
    offset: int = 0
    ended: bool = False
    separated: bool = False
    _held: bytes = b""
    _used: int = 0  # bytes of what is held

    @property
    def text(self) -> bytes:
        """What is there."""
        if self._used:
            self._held, self._used = self._held[self._used :], 0
        return self._held

    def grow(self, size: int) -> None:
        """Reads on until there are `size` bytes or the file ends."""
        have = len(self._held) - self._used
        parts: list[bytes | memoryview] = [memoryview(self._held)[self._used :]]
        while have < size and not self.ended:
            block = next(self.blocks, None)
            if block is None:
                self.ended = True
            else:
                parts.append(block)
                have += len(block)
        if len(parts) > 1:
            self._held, self._used = b"".join(parts), 0

    def take(self, size: int) -> bytes:
        """The next bytes, which are then used."""
        taken = self._held[self._used : self._used + size]
        self._used += size
        self.offset += size
        return taken

    def lead(self) -> int:
        """The length of the separator that the text begins with."""
        return lead_of(self.text) if self.separated else 0

    def damaged(self, at: int, why: str) -> Malformed:
        """The error for a fault at this place of the text."""
        return Malformed(f"{self.name}: is damaged at byte {self.offset + at} of its text: {why}.")


def lead_of(text: bytes) -> int:
    """The length of the separator before the first event of a text."""
    lead = _SEPARATOR.match(text)
    return lead.end() if lead else 0


def fault(error: msgspec.DecodeError) -> tuple[str, int | None]:
    """What msgspec found wrong and at which byte, from 0; None where the text ends too early."""
    place = _FAULT.match(str(error))
    if place is None:
        return str(error), None
    # of trailing characters it names the end of the first one, of all else the place itself
    return place[1], int(place[2]) - (ENDED_BEFORE in place[1])


def last_end(text: bytes, mark: bytes, *, depth: int) -> int:
    """Behind the last mark at depth 0, given the depth at which the text begins; 0 if none."""
    end = 0
    for match in _STRUCTURE.finditer(text):
        token = match[0]
        if token in b"{[":
            depth += 1
        elif token in b"}]":
            depth -= 1
        if depth == 0 and token == mark:
            end = match.end()
    return end
