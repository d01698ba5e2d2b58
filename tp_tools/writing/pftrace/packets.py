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

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import msgspec
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.flow_fields import FlowsOfRows

    Texts: TypeAlias = "Sequence[bytes | msgspec.Raw]"

BEGIN, END, INSTANT = 1, 2, 3  # TrackEvent.Type
_PACKET = b"\x0a"  # Trace.packet
_TRACK_EVENT = b"\x5a"  # TracePacket.track_event
_TYPE, _CATEGORY = 0x48, 0x18  # TrackEvent.type, .category_iids


class Shape(Struct, frozen=True):
    """What the packets of all thread events of a trace have in common.

    Attributes:
        sequence: the encoded id of their packet sequence.
        ts_size, uuid_size, name_size, cat_size: bytes of the varints of times, tracks and iids.
    """

    sequence: bytes
    ts_size: int
    uuid_size: int
    name_size: int
    cat_size: int


class Begins(Struct, frozen=True):
    """BEGINs and INSTANTs to encode, one row each.

    Columns:
        ts: int64 ns.
        uuid: int64, the track.
        kind: uint8, BEGIN or INSTANT.
        name, cat: int, their iids; 0 for no category.

    Attributes:
        flows: the flows that begin or end there; None if there are none.
    """

    ts: Ints
    uuid: Ints
    kind: NDArray[np.uint8]
    name: Ints
    cat: Ints
    flows: FlowsOfRows | None


class Ends(Struct, frozen=True):
    """ENDs to encode, one row each.

    Columns:
        ts: int64 ns.
        uuid: int64, the track.

    Attributes:
        flows: the flows that end there; None if there are none.
    """

    ts: Ints
    uuid: Ints
    flows: FlowsOfRows | None


def encode_ends(shape: Shape, ends: Ends) -> bytes:
    """Encode ENDs, in this order."""
    event: list[wire.Column] = [
        wire.number(9, END),
        b"\x58",
        wire.column(ends.uuid, shape.uuid_size),
    ]
    flows = None if ends.flows is None else ends.flows.encoded()
    matrix = _packet(shape, ends.ts, event, _sizes(flows, len(ends.ts)), b"")
    return matrix.tobytes() if flows is None else _interleaved(_split(matrix), flows)


def encode_begins(shape: Shape, begins: Begins, args: Texts, fields: Mapping[int, bytes]) -> bytes:
    """Encode BEGINs and INSTANTs, in this order.

    Args:
        shape: sizes of fields.
        begins: the rows.
        args: JSON text of an object for each.
        fields: further encoded fields of TrackEvent, by row.
    """
    suffixes = _suffixes(begins, fields)
    prefixes = _split(_prefixes(shape, begins, args, suffixes))
    if suffixes is None:
        return _interleaved(prefixes, args)
    return _interleaved(prefixes, args, suffixes)


def encode_each(
    shape: Shape, begins: Begins, args: Texts, fields: Mapping[int, bytes]
) -> list[bytes]:
    """Return the same packets as `encode_begins`, as a list."""
    suffixes = _suffixes(begins, fields) or [b""] * len(args)
    prefixes = _split(_prefixes(shape, begins, args, suffixes))
    packets = zip(prefixes, args, suffixes, strict=True)
    return [prefix + bytes(text) + suffix for prefix, text, suffix in packets]


def _suffixes(begins: Begins, fields: Mapping[int, bytes]) -> list[bytes] | None:
    """Return the bytes after the args of each packet; None if no packet has any."""
    flows = None if begins.flows is None else begins.flows.encoded()
    if not fields:
        return flows
    suffixes = flows or [b""] * len(begins.ts)
    for i, field in fields.items():
        suffixes[i] += field
    return suffixes


def _prefixes(
    shape: Shape, begins: Begins, args: Texts, suffixes: list[bytes] | None
) -> NDArray[np.uint8]:
    """Return the bytes before the args of each packet, one row per packet."""
    size = _sizes(args, len(args))
    size_bytes = wire.width(int(size.max(initial=0)) + 8)  # a name and a size precede the args
    note: list[wire.Column] = [wire.number(1, ARGS), b"\x4a", wire.column(size, size_bytes)]
    event: list[wire.Column] = [
        b"\x48",
        begins.kind[:, np.newaxis],
        *_category(begins, shape.cat_size),
        b"\x50",
        wire.column(begins.name, shape.name_size),
        b"\x58",
        wire.column(begins.uuid, shape.uuid_size),
        b"\x22",
        wire.column(size + wire.row_size(note), size_bytes),
        *note,
    ]
    extra = size + _sizes(suffixes, len(args))
    return _packet(shape, begins.ts, event, extra, wire.number(13, 2))


def _category(begins: Begins, size: int) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Encode the category; for an event without one, the type again, which changes nothing."""
    has_none = begins.cat == 0
    tags = np.where(has_none, _TYPE, _CATEGORY).astype(np.uint8)[:, np.newaxis]
    return tags, wire.column(np.where(has_none, begins.kind, begins.cat), size)


def _packet(
    shape: Shape, times: Ints, event: list[wire.Column], extra: Ints, flags: bytes
) -> NDArray[np.uint8]:
    """Encode TracePackets around TrackEvents, one row per packet.

    Args:
        shape: sizes of fields.
        times: timestamps, ns.
        event: encoded fields of TrackEvent, as columns.
        extra: number of bytes of TrackEvent that will follow each row.
        flags: encoded fields of TracePacket, the same for all.
    """
    event_size = wire.row_size(event)
    size_bytes = wire.width(int(extra.max(initial=0)) + event_size + 32)
    body: list[wire.Column] = [
        b"\x40",
        wire.column(times, shape.ts_size),
        shape.sequence,
        flags,
        _TRACK_EVENT,
        wire.column(extra + event_size, size_bytes),
        *event,
    ]
    size = wire.column(extra + wire.row_size(body), size_bytes)
    return wire.rows(len(times), _PACKET, size, *body)


def _sizes(texts: Texts | None, count: int) -> Ints:
    """Return the number of bytes of each text; 0 for each without any."""
    if texts is None:
        return np.zeros(count, np.int64)
    return np.fromiter(map(len, texts), np.int64, count)


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
