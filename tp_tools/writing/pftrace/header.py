"""What stands before the events of a part: its clock, its interned names, the file's header.

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

    from tp_tools.trace.model import Trace
    from tp_tools.writing.pftrace.options import PftraceOptions

ARGS = 1
"""The iid of the only name of debug annotations."""

NO_NAME = "[No name]"
"""What Perfetto calls a slice of a JSON trace without a name."""

HEADER_NAME = "trace header"
"""What the instant that holds the file's header, and its track, are called."""

HEADER_CATEGORY = "tpt_header"
_BOOTTIME, _REALTIME = 6, 1  # builtin clocks
_CLEARED, _NEEDED = 1, 2  # of sequence_flags
_EPOCH_FROM_NS = 10**18
"""Times from here on (September 2001) are times of day; others were counted from some start."""

_INTEGER = re.compile(rb"-?\d+")
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])


def packet(sequence: int, body: bytes) -> bytes:
    """A TracePacket of a sequence, as a field of Trace."""
    return wire.message(1, wire.number(10, sequence) + body)


def opening(
    trace: Trace, part: PftraceOptions, first_ns: int, base_ns: int | None
) -> Iterator[bytes]:
    """The packets that a reader needs first.

    Args:
        trace: for names and categories; their iids are their codes + 1.
        part: whose packets these are.
        first_ns: the earliest time.
        base_ns: the time of day of time 0, ns since 1970; None if it is unknown.
    """
    interned = [wire.message(3, wire.number(1, ARGS) + wire.text(2, "args"))]
    interned += [_interned(1, code, cat) for code, cat in enumerate(trace.cats)]
    interned += [_interned(2, code, name or NO_NAME) for code, name in enumerate(trace.names)]
    clock = wire.message(59, wire.number(58, _BOOTTIME))  # trace_packet_defaults
    state = wire.number(13, _CLEARED) + clock + wire.message(12, b"".join(interned))
    yield packet(part.sequence, state)
    if part.number == 0:
        # v58 orders processes and threads by the ranks of their tracks if the root track says so
        root = wire.number(1, 0) + wire.number(19, 1) + wire.number(20, 1)
        yield packet(part.track_sequence, wire.message(60, root))
        if base_ns is not None:
            clocks = _clock(_BOOTTIME, first_ns) + _clock(_REALTIME, base_ns + first_ns)
            yield packet(part.sequence, wire.message(6, clocks))


def _interned(field: int, code: int, name: str) -> bytes:
    return wire.message(field, wire.number(1, code + 1) + wire.text(2, name))


def _clock(identifier: int, time: int) -> bytes:
    return wire.message(1, wire.number(1, identifier) + wire.number(2, time))


def fields(trace: Trace, rebase_ns: int) -> dict[str, msgspec.Raw]:
    """The top-level members of the file, without its events.

    Raises:
        InputError: its base time has to be moved, and is no integer.
    """
    head, tail = rebased(trace.head.text, trace.tail.text, rebase_ns)
    if head.lstrip()[:1] == b"[":
        return {}
    members = _FIELDS.decode(head + tail)
    members.pop("traceEvents", None)
    return members


def base_time(members: dict[str, msgspec.Raw], first_ns: int) -> int | None:
    """The time of day of time 0, ns since 1970; None if the file does not say it.

    Args:
        members: the file's header.
        first_ns: the earliest time in the file.
    """
    base = bytes(members.get(BASE_KEY, b"0"))
    time = int(base) if _INTEGER.fullmatch(base) else 0
    return time if time + first_ns >= _EPOCH_FROM_NS else None


def closing(
    part: PftraceOptions, uuid: int, ts: int, members: dict[str, msgspec.Raw], metadata: list[bytes]
) -> bytes:
    """An instant whose args are the file's header and its metadata, so that nothing is lost.

    Args:
        part: whose packet this is.
        uuid: the track to put it on.
        ts: where to put it.
        members: the file's header.
        metadata: metadata events that became no name of a track.
    """
    said = {**members, "metadataEvents": msgspec.Raw(b"[" + b",".join(metadata) + b"]")}
    args = wire.number(1, ARGS) + wire.message(9, msgspec.json.encode(said))
    event = wire.number(9, 3) + wire.number(11, uuid)
    event += wire.text(22, HEADER_CATEGORY) + wire.text(23, HEADER_NAME)
    body = wire.number(8, ts) + wire.number(13, _NEEDED)
    return packet(part.sequence, body + wire.message(11, event + wire.message(4, args)))
