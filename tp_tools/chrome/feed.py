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
class Feed:
    """The text that was read and not yet used.

    Attributes:
        blocks: what comes.
        name: of the file, for messages.
        text: what is there.
        offset: how far into the file it lies.
        ended: whether nothing comes any more.
        separated: whether a separator stands at the text's beginning, since events were taken.
    """

    blocks: Iterator[bytes]
    name: str
    text: bytes = b""
    offset: int = 0
    ended: bool = False
    separated: bool = False

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
        """The next bytes, which are then used."""
        taken = self.text[:size]
        self.skip(size)
        return taken

    def skip(self, size: int) -> None:
        """Leaves out the next bytes."""
        self.text = self.text[size:]
        self.offset += size

    def lead(self) -> int:
        """The length of the separator that the text begins with."""
        lead = _SEPARATOR.match(self.text) if self.separated else None
        return lead.end() if lead else 0

    def damaged(self, at: int, why: str) -> Malformed:
        """The error for a fault at this place of the text."""
        return Malformed(f"{self.name}: is damaged at byte {self.offset + at} of its text: {why}.")


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
