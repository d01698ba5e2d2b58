"""Where an object in damaged text ends, or where it stops being JSON: a scan that nests nothing.

It takes more than JSON: control characters in strings, stray commas, numbers and words of any
form. Whatever it takes may still be refused by who decodes it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TOKEN = re.compile(
    rb'\s*(?:(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<word>[-+\w.()]+)|(?P<mark>[\[\]{},:]))',
    re.DOTALL,
)
_BLANK = re.compile(rb'\s*(?:"[^"\\]*(?:\\.[^"\\]*)*\\?)?\Z', re.DOTALL)
_PHASE = b'"ph"'
_FURTHEST = 1 << 16
"""Bytes that an object inside another one may go on behind a key `ph` in it."""

_KEY, _COLON, _VALUE, _COMMA = range(4)
_CLOSES = {b"}": b"{", b"]": b"["}


@dataclass(frozen=True)
class Scan:
    """What a scan came to.

    Attributes:
        end: behind the object, or of a member at the comma or brace behind it; where it is no JSON,
            the start of the token in which that shows, at the latest.
        whole: whether the object is whole.
        ran_out: whether the text ended before it.
    """

    end: int
    whole: bool = False
    ran_out: bool = False


def scan_object(text: bytes, start: int) -> Scan:
    """The extent of the object that begins at `start`."""
    return _scan(text, start, [], _VALUE)


def scan_member(text: bytes, start: int) -> Scan:
    """The extent of the member of an object whose key begins at `start`."""
    return _scan(text, start, [b"{"], _KEY)


def _scan(text: bytes, at: int, stack: list[bytes], wanted: int) -> Scan:
    """Reads tokens with a stack of brackets; in an array keys and colons are never wanted."""
    outermost = len(stack)
    before = at  # where the last string began: a quote too many makes the next string a wrong one
    inner = None  # where an object inside this one has a phase, as if it were an event
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            return Scan(before, ran_out=_BLANK.match(text, at) is not None)
        kind, token = match.lastgroup, match[match.lastgroup or 0]
        start = match.start(match.lastgroup or 0)
        if outermost and len(stack) == 1 and token in (b",", b"}") and wanted == _COMMA:
            return Scan(start, whole=True)
        follows = _follows(kind, token, wanted, stack)
        if follows is None:
            return Scan(min(before, start))
        if not stack:
            return Scan(match.end(), whole=True)
        if kind == "string" and token == _PHASE and wanted == _KEY and len(stack) > 1:
            inner = start if inner is None else inner
        if inner is not None and start > inner + _FURTHEST:
            return Scan(inner)
        before = start
        wanted, at = follows, match.end()


def _follows(kind: str | None, token: bytes, wanted: int, stack: list[bytes]) -> int | None:
    """What may come behind a token, given what may come now; None if the token may not."""
    if kind == "mark":
        return _follows_mark(token, wanted, stack)
    if kind == "string" and wanted == _KEY:
        return _COLON
    return _COMMA if wanted == _VALUE and stack else None


def _follows_mark(token: bytes, wanted: int, stack: list[bytes]) -> int | None:
    """The same for a bracket, comma or colon; brackets go onto the stack or off it."""
    if token in (b"{", b"["):
        if wanted != _VALUE:
            return None
        stack.append(token)
        return _KEY if token == b"{" else _VALUE
    if token == b":":
        return _VALUE if wanted == _COLON else None
    is_object = bool(stack) and stack[-1] == b"{"
    if wanted not in (_COMMA, _KEY if is_object else _VALUE):
        return None
    if token == b",":
        return _KEY if is_object else _VALUE
    return _COMMA if stack and stack.pop() == _CLOSES[token] else None
