"""Events rewritten in the text of a run; every other byte of it is copied.

What changes is told in JSON text, so that any process can do it: none of this knows the trace.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec
import numpy as np

from tp_tools.chrome.sanitize import encoded
from tp_tools.files.gzip_parts import deflate_text
from tp_tools.writing.json.members import event_bounds

if TYPE_CHECKING:
    from tp_tools.files.gzip_parts import GzipPart
    from tp_tools.trace.model import Ints

_IDS = {
    key: (member, re.compile(member + rb'\s*:\s*("[^"\\]*"|-?\d[\d.eE+-]*)\s*[,}]'))
    for key, member in (("pid", b'"pid"'), ("tid", b'"tid"'))
}
"""A key that stands once in an event that has one is the event's own: no string holds it, and in
mended text no key is written with escapes."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class MemberEdit(NamedTuple):
    """A member that an event gets, or that changes; that it has one now is sure if `is_there`."""

    key: str
    value: bytes
    is_there: bool = False


class ArgsEdit(NamedTuple):
    """Members that the event's args get; the last one is its `dur` so far, if that is missing."""

    members: bytes
    dur_behind: bool = False


Change: TypeAlias = "tuple[MemberEdit | ArgsEdit, ...]"


@dataclass(frozen=True)
class BatchEdits:
    """What changes in a run.

    Attributes:
        count: how many events it has.
        places: which of them change, ascending.
        which: how each of these does: index into `changes`.
        changes: what is done, one after the other; None leaves the event out.
    """

    count: int
    places: Ints
    which: Ints
    changes: list[Change | None]


def write_batch(
    text: bytes, *, edits: BatchEdits | None, is_first: bool, packed: bool
) -> GzipPart | None:
    """A run as it is written; None if it does not hold as many events as it should.

    Args:
        text: of the run, with the separator before it.
        edits: what changes; None if nothing does.
        is_first: whether no event is written before it.
        packed: whether it is compressed.
    """
    if edits is not None:
        found = apply_edits(text, edits)
        if found is None:
            return None
        text = found
    if is_first:
        text = _without_comma(text)
    return deflate_text(text) if packed else text


def _without_comma(text: bytes) -> bytes:
    """A run's text without a comma before its first event: what stood there was left out."""
    return text.replace(b",", b"", text.count(b",", 0, text.find(b"{")))


def apply_edits(text: bytes, edits: BatchEdits) -> bytes | None:
    """A run's text with its edits; None if it does not hold as many events as it should.

    Args:
        text: of the run.
        edits: what changes; something does.
    """
    found = event_bounds(text, edits.count)
    return None if found is None else b"".join(_edited(text, edits, *found))


def _edited(text: bytes, edits: BatchEdits, starts: Ints, stops: Ints) -> list[bytes]:
    """The text with touched events rewritten, and some left out with the commas before them."""
    where = edits.places
    before = np.where(where > 0, stops[where - 1], 0)
    columns = (edits.which, starts[where], stops[where], before)
    ids = [_Ids.only(change) for change in edits.changes]
    made, copied = [], 0
    for which, start, stop, behind in zip(*(column.tolist() for column in columns), strict=True):
        change, only_ids = edits.changes[which], ids[which]
        if change is None:
            made.append(text[copied : max(copied, behind)])
            copied = stop
        elif only_ids and (spot := only_ids.spot(text, start, stop)):
            at, end, new = spot
            made += (text[copied:at], new)
            copied = end
        else:
            made += (text[copied:start], _changed(text[start:stop], change))
            copied = stop
    made.append(text[copied:])
    return made


class _Ids:
    """Ids that events get, of which nothing else changes; they mostly stand as in the last one."""

    def __init__(self, puts: list[MemberEdit]) -> None:
        self._puts = {put.key: put for put in puts}.values()  # the last one of a key holds
        self._members = [_IDS[put.key][0] for put in self._puts]
        self._old = self._new = b""

    @classmethod
    def only(cls, change: Change | None) -> _Ids | None:
        """The ids of a change, if it is nothing but that."""
        puts = [
            step
            for step in change or ()
            if isinstance(step, MemberEdit) and step.is_there and step.key in _IDS
        ]
        return cls(puts) if change and len(puts) == len(change) else None

    def spot(self, text: bytes, start: int, stop: int) -> tuple[int, int, bytes] | None:
        """Where they stand in the text of an event, and what goes there; None if not for sure."""
        for member in self._members:
            if text.count(member, start, stop) != 1:
                return None
        at = text.find(self._old, start, stop) if self._old else -1
        if at < 0:
            at = self._learned(text, start, stop)
            if at < 0:
                return None
        return at, at + len(self._old), self._new

    def _learned(self, text: bytes, start: int, stop: int) -> int:
        """Where they begin in this event, once it is known how they stand; -1 if it is not."""
        found = []
        for put in self._puts:
            match = _IDS[put.key][1].search(text, start, stop)
            if match is None:
                return -1
            found.append((match.start(), match.span(1), match.end(), put.value))
        found.sort()
        first, last = found[0][0], found[-1][2]
        self._old, self._new, copied = text[first:last], b"", first
        for _, (at, end), _, value in found:
            self._new += text[copied:at] + value
            copied = end
        self._new += text[copied:last]
        return first


def _changed(event: bytes, change: Change) -> bytes:
    fields = _FIELDS.decode(event)
    for step in change:
        if isinstance(step, MemberEdit):
            fields[step.key] = msgspec.Raw(step.value)
        else:
            dur = bytes(fields.get("dur", b"null")) if step.dur_behind else b""
            args = bytes(fields.get("args", b"{}"))
            fields["args"] = msgspec.Raw(noted(args, step.members + dur))
    return encoded(fields)


def noted(args: bytes, note: bytes) -> bytes:
    """The text of an event's args with more members."""
    args = args.strip()
    if not args.startswith(b"{"):
        args = b'{"args": ' + args + b"}"
    inner = args[1:-1].rstrip()
    return b"{" + inner + (b", " if inner.strip() else b"") + note + b"}"
