"""Write the packets before and after the events: clock, interned names, the file's header.

Fields: perfetto v52.0 to v58.2, protos/perfetto/trace: trace_packet.proto, clock_snapshot.proto,
interned_data/interned_data.proto, track_event/track_event.proto.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from tp_tools.writing.json.base_time import BASE_KEY, rebased
from tp_tools.writing.pftrace import wire

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.trace import Trace
    from tp_tools.writing.pftrace.options import PftraceOptions

ARGS = 1
"""The iid of "args", the only name of debug annotations."""

NO_NAME = "[No name]"
"""Name that Perfetto gives a slice of a JSON trace without a name."""

HEADER_NAME = "trace header"
"""Name of the instant that holds the file's header, and of its track."""

HEADER_CATEGORY = "tpt_header"
_BOOTTIME, _REALTIME = 6, 1  # builtin clocks
_CLEARED, _NEEDED = 1, 2  # of sequence_flags
_EPOCH_FROM_NS = 10**18
"""Times from here on (September 2001) are times of day; smaller ones count from another start."""

_INTEGER = re.compile(rb"-?\d+")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def packet(sequence: int, body: bytes) -> bytes:
    """Encode a TracePacket, as a field of Trace.

    Args:
        sequence: id of its packet sequence.
        body: its other fields, encoded.
    """
    return wire.message(1, wire.number(10, sequence) + body)


def opening(
    trace: Trace, options: PftraceOptions, first_ns: int, base_ns: int | None
) -> Iterator[bytes]:
    """Yield the packets that must come first: interned names, and the clock of the first trace.

    Args:
        trace: the trace, for names and categories; their iids are their codes + 1.
        options: packet sequences, and the number of the trace in the file.
        first_ns: the earliest time, ns.
        base_ns: time of day of time 0, ns since 1970; None if it is unknown.
    """
    interned = [wire.message(3, wire.number(1, ARGS) + wire.text(2, "args"))]
    interned += [_interned(1, code, cat) for code, cat in enumerate(trace.cats)]
    interned += [_interned(2, code, name or NO_NAME) for code, name in enumerate(trace.names)]
    clock = wire.message(59, wire.number(58, _BOOTTIME))  # trace_packet_defaults
    state = wire.number(13, _CLEARED) + clock + wire.message(12, b"".join(interned))
    yield packet(options.sequence, state)
    if options.number == 0:
        # v58 orders processes and threads by the ranks of their tracks if the root track says so
        root = wire.number(1, 0) + wire.number(19, 1) + wire.number(20, 1)
        yield packet(options.track_sequence, wire.message(60, root))
        if base_ns is not None:
            clocks = _clock(_BOOTTIME, first_ns) + _clock(_REALTIME, base_ns + first_ns)
            yield packet(options.sequence, wire.message(6, clocks))


def _interned(field: int, code: int, name: str) -> bytes:
    """Encode an entry of InternedData."""
    return wire.message(field, wire.number(1, code + 1) + wire.text(2, name))


def _clock(identifier: int, time: int) -> bytes:
    """Encode a clock of a ClockSnapshot; time in ns."""
    return wire.message(1, wire.number(1, identifier) + wire.number(2, time))


def fields(trace: Trace, rebase_ns: int) -> dict[str, msgspec.Raw]:
    """Return the top-level members of the file, without its events.

    Args:
        trace: the trace.
        rebase_ns: ns subtracted from all times, which baseTimeNanoseconds gets back.

    Raises:
        InputError: the base time has to change, and is no integer.
    """
    head, tail = rebased(trace.head.text, trace.tail.text, rebase_ns)
    if head.lstrip()[:1] == b"[":
        return {}
    members = _FIELDS.decode(head + tail)
    members.pop("traceEvents", None)
    return members


def base_time(members: dict[str, msgspec.Raw], first_ns: int) -> int | None:
    """Return the time of day of time 0, ns since 1970; None if the file does not tell.

    Args:
        members: top-level members of the file.
        first_ns: the earliest time in the file, ns.
    """
    base = bytes(members.get(BASE_KEY, b"0"))
    time = int(base) if _INTEGER.fullmatch(base) else 0
    return time if time + first_ns >= _EPOCH_FROM_NS else None


def closing(
    options: PftraceOptions,
    uuid: int,
    ts: int,
    members: dict[str, msgspec.Raw],
    metadata: list[bytes],
) -> bytes:
    """Encode an instant whose args hold the file's header and metadata, so that nothing is lost.

    Args:
        options: the packet sequence.
        uuid: the track of the instant.
        ts: the time of the instant, ns.
        members: top-level members of the file.
        metadata: JSON text of the metadata events that name no process or thread.
    """
    contents = {**members, "metadataEvents": msgspec.Raw(b"[" + b",".join(metadata) + b"]")}
    args = wire.number(1, ARGS) + wire.message(9, msgspec.json.encode(contents))
    event = wire.number(9, 3) + wire.number(11, uuid)
    event += wire.text(22, HEADER_CATEGORY) + wire.text(23, HEADER_NAME)
    body = wire.number(8, ts) + wire.number(13, _NEEDED)
    return packet(options.sequence, body + wire.message(11, event + wire.message(4, args)))
