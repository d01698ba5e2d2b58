"""Scan an object in damaged text up to its end, or up to its first fault; without recursion.

The scan accepts more than JSON: control characters in strings, stray commas, numbers and words of
any form. A decoder may still refuse an object that it accepts.
"""

from __future__ import annotations

import re

from msgspec import Struct

_TOKEN = re.compile(
    rb'\s*(?:(?P<string>"[^"\\]*(?:\\.[^"\\]*)*")|(?P<word>[-+\w.()]+)|(?P<mark>[\[\]{},:]))',
    re.DOTALL,
)
_BLANK = re.compile(rb'\s*(?:"[^"\\]*(?:\\.[^"\\]*)*\\?)?\Z', re.DOTALL)
_PHASE = b'"ph"'
_PHASE_WITHIN = 1 << 16
"""Bytes that a nested object may extend behind a key `ph` in it."""

_KEY, _COLON, _VALUE, _COMMA = range(4)
_CLOSES = {b"}": b"{", b"]": b"["}


class Scan(Struct, frozen=True):
    """The result of a scan.

    Attributes:
        end: offset behind the object, or of the comma or brace behind the member; at a fault, the
            start of the token that shows it at the latest.
        whole: whether the object or member is whole.
        ran_out: whether the text ends inside the object or member.
        has_phase: whether it is whole and an object with a key `ph` of its own.
    """

    end: int
    whole: bool = False
    ran_out: bool = False
    has_phase: bool = False


def scan_object(text: bytes, start: int) -> Scan:
    """Scan the object that begins at `start`."""
    return _scan(text, start, [], _VALUE)


def scan_member(text: bytes, start: int) -> Scan:
    """Scan the member of an object whose key begins at `start`."""
    return _scan(text, start, [b"{"], _KEY)


def _scan(text: bytes, at: int, stack: list[bytes], expected: int) -> Scan:
    """Read tokens with a stack of open brackets; `expected` is the kind of the next token."""
    outermost = len(stack)
    before = at  # start of the last string: a stray quote makes the string behind it wrong
    has_phase = False
    inner = None  # offset of a key `ph` in a nested object, which may be an event of its own
    while True:
        match = _TOKEN.match(text, at)
        if match is None:
            return Scan(before, ran_out=_BLANK.match(text, at) is not None)
        kind, token = match.lastgroup, match[match.lastgroup or 0]
        start = match.start(match.lastgroup or 0)
        if outermost and len(stack) == 1 and token in (b",", b"}") and expected == _COMMA:
            return Scan(start, whole=True)
        follows = _follows(kind, token, expected, stack)
        if follows is None:
            return Scan(min(before, start))
        if not stack:
            return Scan(match.end(), whole=True, has_phase=has_phase)
        if kind == "string" and token == _PHASE and expected == _KEY:
            if len(stack) > 1:
                inner = start if inner is None else inner
            else:
                has_phase = True
        if inner is not None and start > inner + _PHASE_WITHIN:
            return Scan(inner)
        before = start
        expected, at = follows, match.end()


def _follows(kind: str | None, token: bytes, expected: int, stack: list[bytes]) -> int | None:
    """Return the kind of token that follows a token; None if the token is not `expected`."""
    if kind == "mark":
        return _follows_mark(token, expected, stack)
    if kind == "string" and expected == _KEY:
        return _COLON
    return _COMMA if expected == _VALUE and stack else None


def _follows_mark(token: bytes, expected: int, stack: list[bytes]) -> int | None:
    """Return as `_follows` for a bracket, comma or colon; push or pop brackets."""
    if token in (b"{", b"["):
        if expected != _VALUE:
            return None
        stack.append(token)
        return _KEY if token == b"{" else _VALUE
    if token == b":":
        return _VALUE if expected == _COLON else None
    is_object = bool(stack) and stack[-1] == b"{"
    if expected not in (_COMMA, _KEY if is_object else _VALUE):
        return None
    if token == b",":
        return _KEY if is_object else _VALUE
    return _COMMA if stack and stack.pop() == _CLOSES[token] else None
