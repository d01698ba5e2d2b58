"""Apply edits to the text of a batch: rewrite the edited events, copy every other byte.

Edits hold JSON text and no columns of the trace, so that any process can apply them.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import msgspec
import numpy as np
from msgspec import Struct

from tp_tools.chrome.sanitize import encoded
from tp_tools.files.gzip_parts import deflate_text
from tp_tools.trace.renaming import FULL_NAME
from tp_tools.writing.json.members import event_bounds
from tp_tools.writing.json.strict import check_events

if TYPE_CHECKING:
    from tp_tools.files.gzip_parts import GzipPart
    from tp_tools.trace.model import Ints
    from tp_tools.writing.json.few_args import FewArgs

_IDS = {
    key: (member, re.compile(member + rb'\s*:\s*("[^"\\]*"|-?\d[\d.eE+-]*)\s*[,}]'))
    for key, member in (("pid", b'"pid"'), ("tid", b'"tid"'))
}
"""Ids by key. A key that occurs once in an event is the event's own: no string holds it, and
sanitized text writes no key with escapes."""

_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


class MemberEdit(NamedTuple):
    """Sets a member of an event.

    Attributes:
        key: the member.
        value: its JSON text.
        is_there: whether the event certainly has the member already.
    """

    key: str
    value: bytes
    is_there: bool = False


class ArgsEdit(NamedTuple):
    """Adds members to the args of an event.

    Attributes:
        members: their JSON text.
        dur_behind: whether `members` ends in a key whose value is the event's `dur` so far.
    """

    members: bytes
    dur_behind: bool = False


class NameArgEdit(NamedTuple):
    """Sets the name in the args of a metadata event; they keep the recorded one.

    Attributes:
        name: its JSON text.
    """

    name: bytes


Edit: TypeAlias = "MemberEdit | ArgsEdit | NameArgEdit"
Change: TypeAlias = "tuple[Edit, ...]"


class BatchEdits(Struct, frozen=True):
    """The edits of a batch.

    Attributes:
        count: number of its events.
        places: int (n,), indices of the events that change, ascending.
        which: int (n,), the change of each: index into `changes`.
        changes: edits to apply one after the other; None leaves the event out.
    """

    count: int
    places: Ints
    which: Ints
    changes: list[Change | None]


def write_batch(
    text: bytes,
    *,
    edits: BatchEdits | None,
    is_first: bool,
    packed: bool,
    few_args: FewArgs | None = None,
) -> GzipPart | None:
    """Apply the edits to a batch, and compress it if asked to.

    Args:
        text: text of the batch, with the separator before it.
        edits: its edits; None for none.
        is_first: whether no event is written before the batch.
        packed: whether to compress the text.
        few_args: drops args that nobody reads; None to keep all.

    Returns:
        The written batch; None if the text does not hold the expected number of events.
    """
    if edits is not None:
        edited = apply_edits(text, edits)
        if edited is None:
            return None
        text = edited
    if few_args is not None:
        text = few_args.of(text)
    if is_first:
        text = _without_comma(text)
    return deflate_text(text) if packed else text


def _without_comma(text: bytes) -> bytes:
    """Drop the comma before the first event: the events before it were left out."""
    return text.replace(b",", b"", text.count(b",", 0, text.find(b"{")))


def apply_edits(text: bytes, edits: BatchEdits) -> bytes | None:
    """Apply the edits to the text of a batch.

    Args:
        text: text of the batch.
        edits: its edits, at least one.

    Returns:
        The new text; None if the text does not hold the expected number of events.
    """
    bounds = event_bounds(text, edits.count)
    return None if bounds is None else b"".join(_edited_blocks(text, edits, *bounds))


def _edited_blocks(text: bytes, edits: BatchEdits, starts: Ints, stops: Ints) -> list[bytes]:
    """Rewrite edited events, and drop events to leave out with the commas before them.

    Args:
        text: text of the batch.
        edits: its edits.
        starts: int (events,), byte offset of each event in the text.
        stops: int (events,), byte offset behind each event.

    Returns:
        The new text in blocks.

    Raises:
        VerificationError: Perfetto would refuse an edited event.
    """
    places = edits.places
    previous_stops = np.where(places > 0, stops[places - 1], 0)
    columns = (edits.which, starts[places], stops[places], previous_stops)
    ids = [_Ids.only(change) for change in edits.changes]
    blocks, copied = [], 0
    new_events = [only_ids.as_event() for only_ids in ids if only_ids]
    for which, start, stop, previous_stop in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        change, only_ids = edits.changes[which], ids[which]
        if change is None:
            blocks.append(text[copied : max(copied, previous_stop)])
            copied = stop
        elif only_ids and (spot := only_ids.spot(text, start, stop)):
            at, end, new = spot
            blocks += (text[copied:at], new)
            copied = end
        else:
            new_events.append(_edited_event(text[start:stop], change))
            blocks += (text[copied:start], new_events[-1])
            copied = stop
    blocks.append(text[copied:])
    check_events(new_events)
    return blocks


class _Ids:
    """Sets only the ids of events; their text is mostly that of the event before."""

    def __init__(self, id_edits: list[MemberEdit]) -> None:
        self._edits = {edit.key: edit for edit in id_edits}.values()  # the last one of a key holds
        self._members = [_IDS[edit.key][0] for edit in self._edits]
        self._old = self._new = b""

    @classmethod
    def only(cls, change: Change | None) -> _Ids | None:
        """Return the ids of a change that sets nothing else; None for any other change."""
        id_edits = [
            step
            for step in change or ()
            if isinstance(step, MemberEdit) and step.is_there and step.key in _IDS
        ]
        return cls(id_edits) if change and len(id_edits) == len(change) else None

    def as_event(self) -> bytes:
        """Return an event that holds the new ids and nothing else, to be checked."""
        return b"{%b}" % b",".join(b'"%b":%b' % (it.key.encode(), it.value) for it in self._edits)

    def spot(self, text: bytes, start: int, stop: int) -> tuple[int, int, bytes] | None:
        """Find the ids in the text of an event.

        Returns:
            Start and end of the text to replace, and the new text; None if that is not certain.
        """
        for member in self._members:
            if text.count(member, start, stop) != 1:
                return None
        at = text.find(self._old, start, stop) if self._old else -1
        if at < 0:
            at = self._learn(text, start, stop)
            if at < 0:
                return None
        return at, at + len(self._old), self._new

    def _learn(self, text: bytes, start: int, stop: int) -> int:
        """Learn the text of the ids from an event; return its offset, -1 if it is not found."""
        spans = []
        for edit in self._edits:
            match = _IDS[edit.key][1].search(text, start, stop)
            if match is None:
                return -1
            spans.append((match.start(), match.span(1), match.end(), edit.value))
        spans.sort()
        first, last = spans[0][0], spans[-1][2]
        self._old, self._new, copied = text[first:last], b"", first
        for _, (at, end), _, value in spans:
            self._new += text[copied:at] + value
            copied = end
        self._new += text[copied:last]
        return first


def _edited_event(event: bytes, change: Change) -> bytes:
    """Rewrite the text of one event."""
    fields = _FIELDS.decode(event)
    for step in change:
        if isinstance(step, MemberEdit):
            fields[step.key] = msgspec.Raw(step.value)
        elif isinstance(step, NameArgEdit):
            fields["args"] = msgspec.Raw(_with_name(bytes(fields.get("args", b"{}")), step.name))
        else:
            dur = bytes(fields.get("dur", b"null")) if step.dur_behind else b""
            args = bytes(fields.get("args", b"{}"))
            fields["args"] = msgspec.Raw(noted(args, step.members + dur))
    return encoded(fields)


def _with_name(args: bytes, name: bytes) -> bytes:
    """Set the member "name" of args, and keep the recorded one, if any, as another member."""
    is_object = args.lstrip().startswith(b"{")
    members = _FIELDS.decode(args) if is_object else {"args": msgspec.Raw(args)}
    recorded = {FULL_NAME: members["name"]} if "name" in members else {}
    return encoded({**members, "name": msgspec.Raw(name), **recorded})


def noted(args: bytes, note: bytes) -> bytes:
    """Add members to the text of an event's args."""
    args = args.strip()
    if not args.startswith(b"{"):
        args = b'{"args": ' + args + b"}"
    inner = args[1:-1].rstrip()
    return b"{" + inner + (b", " if inner.strip() else b"") + note + b"}"
