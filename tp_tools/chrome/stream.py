"""Buffer the text of a trace as it arrives, and locates faults in it."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING

from msgspec import Struct, field

from tp_tools.errors import InputError, UsageError
from tp_tools.files.source import BATCH_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec

SPACE = b" \t\r\n"
ENDED_BEFORE = "trailing characters"
"""The message of msgspec for text behind the end of a value."""

_SEPARATOR = re.compile(rb"\s*,?")
_STRUCTURE = re.compile(rb'"[^"\\]*(?:\\.[^"\\]*)*(?:"|\\?\Z)|[\[{\]},]', re.DOTALL)
_FAULT = re.compile(r"(.*) \(byte (\d+)\)$")


LONGEST = 256
"""MiB of text that are held at most where no event ends; memory is several times as much."""

LONGEST_VARIABLE = "TP_TOOLS_LONGEST_MIB"
"""Environment variable that replaces `LONGEST`; workers inherit it."""


def longest() -> int:
    """Return the bytes of text that are held at most.

    Raises:
        UsageError: the environment variable is no number.
    """
    given = os.environ.get(LONGEST_VARIABLE, str(LONGEST))
    if not given.isdecimal():
        raise UsageError(f"{LONGEST_VARIABLE} is {given!r}, not a number of MiB.")
    return int(given) << 20


@contextmanager
def longest_event(mebibytes: int) -> Iterator[None]:
    """Hold at most so many MiB of text while the block runs, here and in workers."""
    before = os.environ.get(LONGEST_VARIABLE)
    os.environ[LONGEST_VARIABLE] = str(mebibytes)
    try:
        yield
    finally:
        if before is None:
            del os.environ[LONGEST_VARIABLE]
        else:
            os.environ[LONGEST_VARIABLE] = before


def check_length(name: str, size: int, most: int) -> None:
    """Check that text that has to be held is not too long.

    Raises:
        InputError: it is.
    """
    if size > most:
        raise InputError(
            f"{name}: no event ends in {most >> 20:,} MiB of its text. If that is no damage, give "
            f"--longest-event {most >> 19} (from Python: {LONGEST_VARIABLE}={most >> 19} in the "
            "environment), and several times as much memory."
        )


class Malformed(InputError):  # noqa: N818  the name reads as the fact it states
    """The text is invalid JSON or holds a value that is not an event; sanitizing may repair it."""


class TextStream(Struct):
    """A buffer of text that was read but not yet taken.

    Attributes:
        blocks: the blocks to read.
        name: the name of the file in messages.
        batch_bytes: approximate bytes of a batch to cut from it.
        offset: bytes of the text before the buffer.
        ended: whether all blocks are read.
        separated: whether the buffer begins with a separator, since events were taken before.
        longest: bytes that are held at most.
    """

    blocks: Iterator[bytes]
    name: str
    batch_bytes: int = BATCH_BYTES
    offset: int = 0
    ended: bool = False
    separated: bool = False
    longest: int = field(default_factory=longest)
    _held: bytes = b""
    _used: int = 0  # bytes of `_held` that were taken

    @property
    def text(self) -> bytes:
        """The buffered text."""
        if self._used:
            self._held, self._used = self._held[self._used :], 0
        return self._held

    def grow(self, size: int) -> None:
        """Read until the buffer holds `size` bytes or the file ends."""
        available = len(self._held) - self._used
        parts: list[bytes | memoryview] = [memoryview(self._held)[self._used :]]
        while available < size and not self.ended:
            block = next(self.blocks, None)
            if block is None:
                self.ended = True
            else:
                parts.append(block)
                available += len(block)
                check_length(self.name, available, self.longest)
        if len(parts) > 1:
            self._held, self._used = b"".join(parts), 0

    def take(self, size: int) -> bytes:
        """Remove the next `size` bytes from the buffer and return them."""
        taken = self._held[self._used : self._used + size]
        self._used += size
        self.offset += size
        return taken

    def lead(self) -> int:
        """Return the length of the separator that begins the buffer; 0 before the first event."""
        return lead_of(self.text) if self.separated else 0

    def damaged(self, at: int, why: str) -> Malformed:
        """Return the error for a fault at an offset of the buffer."""
        return Malformed(f"{self.name}: is damaged at byte {self.offset + at} of its text: {why}.")


def lead_of(text: bytes) -> int:
    """Return the length of the separator before the first event of a text."""
    lead = _SEPARATOR.match(text)
    return lead.end() if lead else 0


def is_bad_utf8(error: msgspec.DecodeError) -> bool:
    """Tell whether an error says that a text is no UTF-8, as that of msgspec from 0.23 on does."""
    return "UTF-8" in str(error)


def fault(error: msgspec.DecodeError) -> tuple[str, int | None]:
    """Return the reason of a decoding error and its byte, from 0; None if the text ends early.

    Raises:
        UnicodeDecodeError: a text is no UTF-8; msgspec before 0.23 raises this itself.
    """
    if is_bad_utf8(error):
        raise UnicodeDecodeError("utf-8", b"", 0, 0, str(error)) from error
    match = _FAULT.match(str(error))
    if match is None:
        return str(error), None
    # for trailing characters msgspec names the byte behind the first one
    return match[1], int(match[2]) - (ENDED_BEFORE in match[1])


def last_end(text: bytes, mark: bytes, *, depth: int) -> int:
    """Find the end of the last `mark` at depth 0.

    Args:
        text: part of a JSON text.
        mark: a bracket, brace or comma.
        depth: the depth at which the text begins.

    Returns:
        The offset behind the mark; 0 if there is none.
    """
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
