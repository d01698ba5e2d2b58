"""Make the packets of events on no thread: process and global instants, async slices, counters.

They are shown as in a JSON trace. Asynchronous slices of one category and id stack on one track,
named by the first of them. Each number in the args of a counter event is a counter of its own.
Source: perfetto v52.0, importers/json/json_trace_parser.cc.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec
from msgspec import Struct

from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.event_args import EMPTY, NO_ARGS
from tp_tools.writing.pftrace.header import ARGS, NO_NAME, packet
from tp_tools.writing.pftrace.own_flows import PHASES as OWN_FLOWS
from tp_tools.writing.pftrace.own_flows import own_flow
from tp_tools.writing.pftrace.packets import BEGIN, END, INSTANT

if TYPE_CHECKING:
    from tp_tools.writing.pftrace.event_args import EventArgs
    from tp_tools.writing.pftrace.layout import Layout

Key: TypeAlias = "tuple[object, ...]"

PHASES = "bneCiIR"
_COUNTER = 4
_TYPES = {"b": BEGIN, "e": END, "n": INSTANT}


class _AsyncTrack(Struct):
    """A track of asynchronous slices.

    Attributes:
        uuid: its uuid.
        owner: uuid of its process; None for a global track.
        first: (ts, event number) of its first event.
        name: name of its first event.
    """

    uuid: int
    owner: int | None
    first: tuple[int, int]
    name: str


class OtherEvents:
    """Makes the packets of these events; they must be given in the order of the file."""

    def __init__(self, layout: Layout) -> None:
        """Take the layout; `layout.tracks` gets the tracks that the packets need."""
        self._trace = layout.trace
        self._rebase_ns = layout.plan.rebase_ns
        self._tracks = layout.tracks
        self._options = layout.options
        self._merged = layout.merged
        self._known: dict[Key, int] = {}
        self._async_tracks: dict[Key, _AsyncTrack] = {}

    def packets(self, number: int, fields: EventArgs) -> bytes:
        """Return the packets of one event, of a phase in PHASES; b"" if Perfetto shows nothing.

        Args:
            number: number of the event in the file.
            fields: the fields of its text.
        """
        phase = chr(self._trace.phase[number])
        if phase == "C":
            return self._counters(number, fields)
        if phase in _TYPES:
            return self._asynchronous(number, fields, phase)
        return self._instant(number, fields)

    def _instant(self, number: int, fields: EventArgs) -> bytes:
        """Return an instant: on the track of its process, or on "instants" if it is global."""
        if self._trace.bound[number] == ord("p"):
            uuid = self._process(number)
        else:
            uuid = self._track("instants", None)
        return self._event(number, INSTANT, uuid, self._name(number), fields)

    def _asynchronous(self, number: int, fields: EventArgs, phase: str) -> bytes:
        """Return a BEGIN, END or INSTANT on the track of its category and id."""
        key = self._key(number, fields)
        if key is None:
            return b""
        name, time = self._name(number), (int(self._trace.ts[number]), number)
        if key not in self._async_tracks:
            owner = self._process(number) if key[0] == "local" else None
            self._async_tracks[key] = _AsyncTrack(self._tracks.reserve(), owner, time, name)
        track = self._async_tracks[key]
        if time < track.first:
            track.first, track.name = time, name
        shown_name = NO_NAME if phase == "b" and not name else name
        return self._event(number, _TYPES[phase], track.uuid, shown_name, fields)

    def describe_async_tracks(self) -> None:
        """Describe the tracks of asynchronous slices, once all events were given."""
        for track in self._async_tracks.values():
            self._tracks.describe(
                track.uuid,
                parent=wire.number(5, track.owner) if track.owner else b"",
                name=wire.text(2, track.name or NO_NAME),
            )

    def _key(self, number: int, fields: EventArgs) -> Key | None:
        """Return a key equal for all events of one track; None for an event without an id."""
        cat = int(self._trace.cat[number])
        id2 = _object(fields.id2)
        if self._merged is not None and "global" in id2:
            id2["local"] = id2.pop("global")  # ranks share none
        for text in (fields.id, id2.get("global", EMPTY)):
            identifier = _id(text)
            if identifier is not None:
                return "global", cat, *identifier
        identifier = _id(id2.get("local", EMPTY))
        if identifier is None:
            return None
        return "local", cat, *identifier, self._process(number)

    def _counters(self, number: int, fields: EventArgs) -> bytes:
        """Return a packet for each number in the args of a counter event."""
        identifier = _id(fields.id)
        prefix = self._name(number)
        if identifier is not None and isinstance(identifier[1], str) and identifier[1]:
            prefix += f" id: {identifier[1]}"
        out = []
        for key, text in _object(fields.args).items():
            value = _number(text)
            if value is not None:
                uuid = self._track(f"{prefix} {key}", self._process(number), counter=True)
                event = wire.number(9, _COUNTER) + wire.number(11, uuid) + wire.double(44, value)
                out.append(self._packet(number, event))
        return self._tracks.drained(self._options) + b"".join(out)

    def _process(self, number: int) -> int:
        return self._tracks.processes[int(self._trace.track[number])]

    def _name(self, number: int) -> str:
        """Return the name in the file; "" for an event without one."""
        name = self._trace.names[int(self._trace.name[number])]
        return "" if name == NO_NAME else name

    def _track(self, name: str, parent: int | None, *, counter: bool = False) -> int:
        """Return the uuid of the track with this name, and describe it on its first use."""
        key = parent, counter, name
        if key not in self._known:
            self._known[key] = self._tracks.new(
                parent=wire.number(5, parent) if parent else b"",
                name=wire.text(2, name),
                counter=wire.message(8, b"") if counter else b"",
            )
        return self._known[key]

    def _event(self, number: int, kind: int, uuid: int, name: str, fields: EventArgs) -> bytes:
        cat = self._trace.cat[number]
        event = wire.number(9, kind) + wire.number(11, uuid)
        if self._trace.cats[cat]:
            event += wire.number(3, int(cat) + 1)
        if name:
            event += wire.text(23, name)
        if self._trace.phase[number] in OWN_FLOWS:
            merged = self._merged
            event += own_flow(fields) if merged is None else merged.flow(number, fields)
        text = bytes(fields.args)
        if text.startswith(b"{") and text != NO_ARGS:
            event += wire.message(4, wire.number(1, ARGS) + wire.message(9, text))
        return self._tracks.drained(self._options) + self._packet(number, event)

    def _packet(self, number: int, event: bytes) -> bytes:
        time = wire.number(8, int(self._trace.ts[number]) - self._rebase_ns)
        return packet(self._options.sequence, time + wire.number(13, 2) + wire.message(11, event))


def _object(text: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """Return the members of a JSON object; {} for other values."""
    if not bytes(text).startswith(b"{"):
        return {}
    return msgspec.json.decode(text, type=dict[str, msgspec.Raw])


def _id(text: msgspec.Raw) -> tuple[str, int | str] | None:
    """Return an id with its type, since 1 and "1" differ; None for other values."""
    value = msgspec.json.decode(text) if len(text) else None
    if isinstance(value, str):
        return "text", value
    return ("number", value) if type(value) is int else None


def _number(text: msgspec.Raw) -> float | None:
    """Return the value of a counter, a number or text that holds one; None for other values."""
    value = msgspec.json.decode(text)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
