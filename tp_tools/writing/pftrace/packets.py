"""BEGIN, END and INSTANT packets of what is on the rows of threads.

A BEGIN has this shape; all of it but args and arrows is a row of a matrix:

    Trace.packet { TracePacket { timestamp, sequence, track_event { type, category, name, track,
        debug_annotations { name "args", legacy_json_value: ARGS } ARROWS } } }

TraceProcessor reads `legacy_json_value` with the code that reads the args of JSON traces (v52 to
v58: json_utils.cc), so args come out alike, and handing them over costs nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.header import ARGS
from tp_tools.writing.pftrace.thread_events import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import msgspec
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.layout import Layout
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents

    Texts: TypeAlias = "Sequence[bytes | msgspec.Raw]"

BEGIN, END, INSTANT = 1, 2, 3  # TrackEvent.Type
_FLOW, _LAST_OF_FLOW = 47, 48  # flow_ids, terminating_flow_ids
_ARROW_BYTES = 10
_CHUNK = 1 << 14
_PACKET = b"\x0a"  # Trace.packet
_TRACK_EVENT = b"\x5a"  # TracePacket.track_event
_TYPE, _CATEGORY = 0x48, 0x18  # TrackEvent.type, .category_iids


@dataclass(frozen=True)
class _Ends:
    """Ends of arrows as bytes, those of entry i from `offset[i]` to `offset[i + 1]`."""

    data: bytes
    offset: Ints

    def of(self, index: Ints) -> list[bytes] | None:
        """Those of each of these entries; None if none has any."""
        start, stop = self.offset[index], self.offset[index + 1]
        if (start == stop).all():
            return None
        return [self.data[a:b] for a, b in zip(start.tolist(), stop.tolist(), strict=True)]

    def sizes(self, index: Ints) -> Ints:
        """Bytes of each."""
        return self.offset[index + 1] - self.offset[index]


class Packets:
    """Makes the packets of entries of Shown."""

    def __init__(self, shot: Layout) -> None:
        """Takes what the packets say."""
        trace, found, arrows = shot.trace, shot.found, shot.arrows
        self._found = found
        self._tracks = shot.tracks.entries
        self._name, self._cat = trace.name, trace.cat
        self._no_cats = np.array([not cat for cat in trace.cats], np.bool_)
        self._sizes = (
            wire.width(max(int(found.ts.max(initial=0)), _last(found))),
            wire.width(int(self._tracks.max(initial=0))),
            wire.width(len(trace.names)),
            wire.width(len(trace.cats)),
        )
        self._sequence = wire.number(10, shot.part.sequence)
        on_end, _ = arrows.at_one_time(found)
        ids, count = shot.part.first_arrow + np.arange(len(arrows)), len(found)
        starts = np.concatenate([arrows.out, arrows.into[~on_end]])
        fields = np.repeat([_FLOW, _LAST_OF_FLOW], [len(arrows), int((~on_end).sum())])
        self._at_begin = _ends(starts, fields, np.concatenate([ids, ids[~on_end]]), count)
        last = np.full(int(on_end.sum()), _LAST_OF_FLOW)
        self._at_end = _ends(arrows.into[on_end], last, ids[on_end], count)

    def ends(self) -> Iterator[bytes]:
        """All ENDs, by time; of one time on one track the innermost first."""
        found = self._found
        ending = np.flatnonzero((found.end > found.ts) & (found.end != NEVER))
        ending = ending[np.lexsort((-ending, found.end[ending]))]
        for start in range(0, len(ending), _CHUNK):
            yield self._ends_of(ending[start : start + _CHUNK])

    def _ends_of(self, index: Ints) -> bytes:
        ts_bytes, uuid_bytes, _, _ = self._sizes
        count, extra = len(index), self._at_end.sizes(index)
        event = wire.rows(
            count, wire.number(9, END), b"\x58", wire.column(self._tracks[index], uuid_bytes)
        )
        times = wire.column(self._found.end[index], ts_bytes)
        matrix = self._packet(times, event, extra, b"")
        arrows = self._at_end.of(index)
        if arrows is None:
            return matrix.tobytes()
        return _interleaved(_split(matrix), arrows)

    def begins(self, index: Ints, args: Texts, tails: Mapping[int, bytes]) -> bytes:
        """BEGINs and INSTANTs, in this order.

        Args:
            index: entries.
            args: JSON text of an object for each.
            tails: more fields of TrackEvent, by position in `index`.
        """
        behind = self._behind_args(index, tails)
        starts = _split(self._begin_rows(index, args, behind))
        return _interleaved(starts, args) if behind is None else _interleaved(starts, args, behind)

    def begin_each(self, index: Ints, args: Texts, tails: Mapping[int, bytes]) -> list[bytes]:
        """The same, one by one."""
        behind = self._behind_args(index, tails) or [b""] * len(index)
        starts = _split(self._begin_rows(index, args, behind))
        rows = zip(starts, args, behind, strict=True)
        return [start + bytes(text) + rest for start, text, rest in rows]

    def _behind_args(self, index: Ints, tails: Mapping[int, bytes]) -> list[bytes] | None:
        """What follows the args of each; None if nothing ever does."""
        arrows = self._at_begin.of(index)
        if not tails:
            return arrows
        behind = arrows or [b""] * len(index)
        for i, tail in tails.items():
            behind[i] += tail
        return behind

    def _begin_rows(
        self, index: Ints, args: Texts, behind: list[bytes] | None
    ) -> NDArray[np.uint8]:
        """All of each packet that stands before its args."""
        _, uuid_bytes, name_bytes, cat_bytes = self._sizes
        found, event = self._found, self._found.event[index]
        count = len(index)
        size = np.fromiter(map(len, args), np.int64, count)
        types = np.where(found.end[index] > found.ts[index], BEGIN, INSTANT)
        size_bytes = wire.width(int(size.max(initial=0)) + 8)  # a name and a size go before
        note = wire.rows(count, wire.number(1, ARGS), b"\x4a", wire.column(size, size_bytes))
        body = wire.rows(
            count,
            b"\x48",
            types.astype(np.uint8)[:, np.newaxis],
            self._category(event, types, cat_bytes),
            b"\x50",
            wire.column(self._name[event].astype(np.int64) + 1, name_bytes),
            b"\x58",
            wire.column(self._tracks[index], uuid_bytes),
            b"\x22",
            wire.column(size + note.shape[1], size_bytes),
            note,
        )
        extra = size if behind is None else size + np.fromiter(map(len, behind), np.int64, count)
        times = wire.column(found.ts[index], self._sizes[0])
        return self._packet(times, body, extra, wire.number(13, 2))

    def _category(self, event: Codes, types: Ints, size: int) -> NDArray[np.uint8]:
        """The category; where there is none the type once more, which changes nothing."""
        cat = self._cat[event].astype(np.int64)
        none = self._no_cats[cat]
        values = wire.column(np.where(none, types, cat + 1), size)
        return wire.rows(
            len(event), np.where(none, _TYPE, _CATEGORY).astype(np.uint8)[:, np.newaxis], values
        )

    def _packet(
        self, times: NDArray[np.uint8], event: NDArray[np.uint8], extra: Ints, flags: bytes
    ) -> NDArray[np.uint8]:
        """Rows of TracePacket around rows of TrackEvent that `extra` more bytes will follow."""
        count = len(extra)
        size_bytes = wire.width(int(extra.max(initial=0)) + event.shape[1] + 32)
        body = wire.rows(
            count,
            b"\x40",
            times,
            self._sequence,
            flags,
            _TRACK_EVENT,
            wire.column(extra + event.shape[1], size_bytes),
            event,
        )
        return wire.rows(count, _PACKET, wire.column(extra + body.shape[1], size_bytes), body)


def _last(found: ThreadEvents) -> int:
    return int(found.end[found.end != NEVER].max(initial=0))


def _ends(entry: Ints, field: Ints, identifier: Ints, count: int) -> _Ends:
    """Ends of arrows, sorted by entry."""
    order = np.argsort(entry, kind="stable")
    tags = np.array([[*wire.tag(_FLOW, 1)], [*wire.tag(_LAST_OF_FLOW, 1)]], np.uint8)
    which = (field[order] == _LAST_OF_FLOW).astype(np.int64)
    data = wire.rows(len(order), tags[which], wire.fixed64_column(identifier[order]))
    counts = np.bincount(entry, minlength=count)
    offset = np.concatenate([[0], np.cumsum(counts)]) * _ARROW_BYTES
    return _Ends(data.tobytes(), offset)


def _split(matrix: NDArray[np.uint8]) -> list[bytes]:
    data, size = matrix.tobytes(), matrix.shape[1]
    return [data[i : i + size] for i in range(0, len(data), size)]


def _interleaved(*columns: Texts) -> bytes:
    """The first of each column, then the second of each, and so on, as one."""
    parts: list[bytes | msgspec.Raw] = [b""] * (len(columns) * len(columns[0]))
    for i, column in enumerate(columns):
        parts[i :: len(columns)] = column
    return b"".join(parts)
