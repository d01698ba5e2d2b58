"""Make the BEGIN, END and INSTANT packets of thread events.

A BEGIN has this shape; all of it but args and flows is a row of a matrix:

    Trace.packet { TracePacket { timestamp, sequence, track_event { type, category, name, track,
        debug_annotations { name "args", legacy_json_value: ARGS } FLOWS } } }

TraceProcessor reads `legacy_json_value` with the code that reads the args of JSON traces (v52 to
v58: json_utils.cc), so args come out alike, and their text is copied as it is.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tp_tools.columns import blocks, group_order, rows_where, take, unique
from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.flow_fields import flow_fields
from tp_tools.writing.pftrace.header import ARGS
from tp_tools.writing.pftrace.planned_times import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    import msgspec
    from numpy.typing import NDArray

    from tp_tools.columns import Empty
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.layout import Layout
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents

    Texts: TypeAlias = "Sequence[bytes | msgspec.Raw]"

BEGIN, END, INSTANT = 1, 2, 3  # TrackEvent.Type
_CHUNK = 1 << 14
SORTED = 1 << 18
"""ENDs that are sorted at a time, about."""

_SAMPLES = 1 << 14  # ends from which the blocks of time are chosen, about
_PACKET = b"\x0a"  # Trace.packet
_TRACK_EVENT = b"\x5a"  # TracePacket.track_event
_TYPE, _CATEGORY = 0x48, 0x18  # TrackEvent.type, .category_iids


class Packets:
    """Makes the packets of thread events."""

    def __init__(self, layout: Layout) -> None:
        """Take the layout."""
        trace, events, flows = layout.trace, layout.thread_events, layout.flows
        self._events = events
        self._tracks = layout.tracks.uuids
        self._name, self._cat = trace.name, trace.cat
        self._no_cats = np.array([not cat for cat in trace.cats], np.bool_)
        self._sizes = (
            wire.width(_latest(events)),
            wire.width(int(self._tracks.max(initial=0))),
            wire.width(len(trace.names)),
            wire.width(len(trace.cats)),
        )
        self._sequence = wire.number(10, layout.options.sequence)
        first = layout.options.first_flow
        self._empty = empty = trace.scratch.empty
        on_end, _ = flows.at_one_time(events, empty)
        none = np.empty(0, np.int32)
        late = rows_where(len(flows), on_end.__getitem__, empty)
        self._end_flows = flow_fields(none, take(flows.into, late, empty), late, first, empty)
        late = rows_where(len(flows), lambda block: ~on_end[block], empty)
        into = take(flows.into, late, empty)
        self._begin_flows = flow_fields(flows.out, into, late, first, empty)

    def ends(self) -> Iterator[bytes]:
        """Yield all ENDs, by time; of one time on one track the innermost first."""
        left = np.empty(0, np.int32)
        for ending in by_end(self._events, empty=self._empty):
            index = np.concatenate([left, ending])
            whole = len(index) // _CHUNK * _CHUNK
            for start in range(0, whole, _CHUNK):
                yield self._encode_ends(index[start : start + _CHUNK])
            left = index[whole:]
        if len(left):
            yield self._encode_ends(left)

    def _encode_ends(self, index: Ints) -> bytes:
        """Encode the ENDs of these thread events."""
        ts_bytes, uuid_bytes, _, _ = self._sizes
        count, extra = len(index), self._end_flows.sizes(index)
        event = wire.rows(
            count, wire.number(9, END), b"\x58", wire.column(self._uuids(index), uuid_bytes)
        )
        times = wire.column(self._events.end[index], ts_bytes)
        matrix = self._packet(times, event, extra, b"")
        flows = self._end_flows.of(index)
        if flows is None:
            return matrix.tobytes()
        return _interleaved(_split(matrix), flows)

    def begins(self, index: Ints, args: Texts, fields: Mapping[int, bytes]) -> bytes:
        """Return the BEGIN or INSTANT of each of these thread events, in this order.

        Args:
            index: indices of thread events.
            args: JSON text of an object for each.
            fields: further encoded fields of TrackEvent, by position in `index`.
        """
        suffixes = self._suffixes(index, fields)
        prefixes = _split(self._prefixes(index, args, suffixes))
        if suffixes is None:
            return _interleaved(prefixes, args)
        return _interleaved(prefixes, args, suffixes)

    def begin_each(self, index: Ints, args: Texts, fields: Mapping[int, bytes]) -> list[bytes]:
        """Return the same packets as `begins`, as a list."""
        suffixes = self._suffixes(index, fields) or [b""] * len(index)
        prefixes = _split(self._prefixes(index, args, suffixes))
        packets = zip(prefixes, args, suffixes, strict=True)
        return [prefix + bytes(text) + suffix for prefix, text, suffix in packets]

    def _suffixes(self, index: Ints, fields: Mapping[int, bytes]) -> list[bytes] | None:
        """Return the bytes after the args of each packet; None if no packet has any."""
        flows = self._begin_flows.of(index)
        if not fields:
            return flows
        suffixes = flows or [b""] * len(index)
        for i, field in fields.items():
            suffixes[i] += field
        return suffixes

    def _prefixes(
        self, index: Ints, args: Texts, suffixes: list[bytes] | None
    ) -> NDArray[np.uint8]:
        """Return the bytes before the args of each packet, one row per packet."""
        _, uuid_bytes, name_bytes, cat_bytes = self._sizes
        events, event = self._events, self._events.event[index]
        count = len(index)
        size = np.fromiter(map(len, args), np.int64, count)
        types = np.where(events.end[index] > events.ts[index], BEGIN, INSTANT)
        size_bytes = wire.width(int(size.max(initial=0)) + 8)  # a name and a size precede the args
        note = wire.rows(count, wire.number(1, ARGS), b"\x4a", wire.column(size, size_bytes))
        body = wire.rows(
            count,
            b"\x48",
            types.astype(np.uint8)[:, np.newaxis],
            self._category(event, types, cat_bytes),
            b"\x50",
            wire.column(self._name[event].astype(np.int64) + 1, name_bytes),
            b"\x58",
            wire.column(self._uuids(index), uuid_bytes),
            b"\x22",
            wire.column(size + note.shape[1], size_bytes),
            note,
        )
        extra = size
        if suffixes is not None:
            extra = size + np.fromiter(map(len, suffixes), np.int64, count)
        times = wire.column(events.ts[index], self._sizes[0])
        return self._packet(times, body, extra, wire.number(13, 2))

    def _uuids(self, index: Ints) -> Ints:
        """Return the track of each of these thread events."""
        return self._tracks[self._events.place_of(index)]

    def _category(self, event: Codes, types: Ints, size: int) -> NDArray[np.uint8]:
        """Encode the category; for an event without one, the type again, which changes nothing."""
        cat = self._cat[event].astype(np.int64)
        has_none = self._no_cats[cat]
        values = wire.column(np.where(has_none, types, cat + 1), size)
        return wire.rows(
            len(event), np.where(has_none, _TYPE, _CATEGORY).astype(np.uint8)[:, np.newaxis], values
        )

    def _packet(
        self, times: NDArray[np.uint8], event: NDArray[np.uint8], extra: Ints, flags: bytes
    ) -> NDArray[np.uint8]:
        """Encode TracePackets around TrackEvents, one row per packet.

        Args:
            times: encoded timestamps, a row each.
            event: encoded fields of TrackEvent, a row each.
            extra: number of bytes of TrackEvent that will follow each row.
            flags: encoded fields of TracePacket, the same for all.
        """
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


def _latest(events: ThreadEvents) -> int:
    """Return the latest time of a thread event, ns, not below 0."""
    latest = 0
    for block in blocks(len(events)):
        ts, end = events.ts[block], events.end[block]
        latest = max(latest, int(np.maximum(ts, np.where(end == NEVER, 0, end)).max()))
    return latest


def by_end(events: ThreadEvents, size: int = SORTED, empty: Empty = np.empty) -> Iterator[Codes]:
    """Yield the events that need an END, by its time; of one time the last of the table first.

    Args:
        events: the thread events.
        size: how many are sorted at a time, about; they are put into blocks of time first.
        empty: makes columns.

    Yields:
        int32, rows of `events`.
    """
    step = max(len(events) // _SAMPLES, 1)
    samples = np.sort(np.concatenate([[0], events.end[np.arange(0, len(events), step)]]))
    edges = unique(samples[:: max(size // step, 1)])

    def time_of(block: slice) -> Ints:
        """Return the block of time in which each event ends; the last one if it needs no END."""
        ts, end = events.ts[block], events.end[block]
        needs_none = (end <= ts) | (end == NEVER)
        return np.where(needs_none, len(edges) + 1, np.searchsorted(edges, end, "right"))

    order, cuts = group_order(len(events), len(edges) + 2, time_of, empty)
    for start, stop in pairwise(cuts[:-1].tolist()):
        rows = order[start:stop]
        yield rows[np.lexsort((-rows, events.end[rows]))]


def _split(matrix: NDArray[np.uint8]) -> list[bytes]:
    """Return the rows of a matrix as bytes."""
    data, size = matrix.tobytes(), matrix.shape[1]
    return [data[i : i + size] for i in range(0, len(data), size)]


def _interleaved(*columns: Texts) -> bytes:
    """Join the first of each column, then the second of each, and so on."""
    texts: list[bytes | msgspec.Raw] = [b""] * (len(columns) * len(columns[0]))
    for i, column in enumerate(columns):
        texts[i :: len(columns)] = column
    return b"".join(texts)
