"""Make the BEGIN, END and INSTANT packets of thread events.

A BEGIN has this shape; all of it but args and flows is a row of a matrix:

    Trace.packet { TracePacket { timestamp, sequence, track_event { type, category, name, track,
        debug_annotations { name "args", legacy_json_value: ARGS } FLOWS } } }

TraceProcessor reads `legacy_json_value` with the code that reads the args of JSON traces (v52 to
v58: json_utils.cc), so args come out alike, and their text is copied as it is.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from msgspec import Struct

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
_FLOW_BYTES = 10
_CHUNK = 1 << 14
_PACKET = b"\x0a"  # Trace.packet
_TRACK_EVENT = b"\x5a"  # TracePacket.track_event
_TYPE, _CATEGORY = 0x48, 0x18  # TrackEvent.type, .category_iids


class _FlowFields(Struct, frozen=True):
    """Encoded flow fields; those of thread event i are data[offset[i]:offset[i + 1]]."""

    data: bytes
    offset: Ints

    def of(self, index: Ints) -> list[bytes] | None:
        """Return the fields of each of these thread events; None if none has any."""
        start, stop = self.offset[index], self.offset[index + 1]
        if (start == stop).all():
            return None
        return [self.data[a:b] for a, b in zip(start.tolist(), stop.tolist(), strict=True)]

    def sizes(self, index: Ints) -> Ints:
        """Return the number of bytes of the fields of each of these thread events."""
        return self.offset[index + 1] - self.offset[index]


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
            wire.width(max(int(events.ts.max(initial=0)), _last_end(events))),
            wire.width(int(self._tracks.max(initial=0))),
            wire.width(len(trace.names)),
            wire.width(len(trace.cats)),
        )
        self._sequence = wire.number(10, layout.options.sequence)
        on_end, _ = flows.at_one_time(events)
        ids, count = layout.options.first_flow + np.arange(len(flows)), len(events)
        at_begin = np.concatenate([flows.out, flows.into[~on_end]])
        fields = np.repeat([_FLOW, _LAST_OF_FLOW], [len(flows), int((~on_end).sum())])
        begin_ids = np.concatenate([ids, ids[~on_end]])
        self._begin_flows = _flow_fields(at_begin, fields, begin_ids, count)
        last = np.full(int(on_end.sum()), _LAST_OF_FLOW)
        self._end_flows = _flow_fields(flows.into[on_end], last, ids[on_end], count)

    def ends(self) -> Iterator[bytes]:
        """Yield all ENDs, by time; of one time on one track the innermost first."""
        events = self._events
        ending = np.flatnonzero((events.end > events.ts) & (events.end != NEVER))
        ending = ending[np.lexsort((-ending, events.end[ending]))]
        for start in range(0, len(ending), _CHUNK):
            yield self._encode_ends(ending[start : start + _CHUNK])

    def _encode_ends(self, index: Ints) -> bytes:
        """Encode the ENDs of these thread events."""
        ts_bytes, uuid_bytes, _, _ = self._sizes
        count, extra = len(index), self._end_flows.sizes(index)
        event = wire.rows(
            count, wire.number(9, END), b"\x58", wire.column(self._tracks[index], uuid_bytes)
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
            wire.column(self._tracks[index], uuid_bytes),
            b"\x22",
            wire.column(size + note.shape[1], size_bytes),
            note,
        )
        extra = size
        if suffixes is not None:
            extra = size + np.fromiter(map(len, suffixes), np.int64, count)
        times = wire.column(events.ts[index], self._sizes[0])
        return self._packet(times, body, extra, wire.number(13, 2))

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


def _last_end(events: ThreadEvents) -> int:
    """Return the latest end of a thread event, ns."""
    return int(events.end[events.end != NEVER].max(initial=0))


def _flow_fields(index: Ints, field: Ints, identifier: Ints, count: int) -> _FlowFields:
    """Encode flow fields.

    Args:
        index: thread event of each field.
        field: number of each field, _FLOW or _LAST_OF_FLOW.
        identifier: flow id of each field.
        count: number of thread events.
    """
    order = np.argsort(index, kind="stable")
    tags = np.array([[*wire.tag(_FLOW, 1)], [*wire.tag(_LAST_OF_FLOW, 1)]], np.uint8)
    is_last = (field[order] == _LAST_OF_FLOW).astype(np.int64)
    data = wire.rows(len(order), tags[is_last], wire.fixed64_column(identifier[order]))
    counts = np.bincount(index, minlength=count)
    offset = np.concatenate([[0], np.cumsum(counts)]) * _FLOW_BYTES
    return _FlowFields(data.tobytes(), offset)


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
