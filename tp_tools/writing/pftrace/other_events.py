"""What is on no thread's row: instants of a process or of all, asynchronous slices, counters.

They are shown as Perfetto shows them in JSON traces: asynchronous slices of one category and id
stack on a track that the first of them names, and every number in the args of a counter event is
a counter of its own. Source: perfetto v52.0, importers/json/json_trace_parser.cc.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.event_args import EMPTY, NO_ARGS
from tp_tools.writing.pftrace.header import ARGS, NO_NAME, packet
from tp_tools.writing.pftrace.packets import BEGIN, END, INSTANT

if TYPE_CHECKING:
    from tp_tools.writing.pftrace.event_args import EventArgs
    from tp_tools.writing.pftrace.layout import Layout

Key: TypeAlias = "tuple[object, ...]"

PHASES = "bneCiIR"
_COUNTER = 4
_TYPES = {"b": BEGIN, "e": END, "n": INSTANT}


@dataclass
class _Stack:
    """A track of asynchronous slices: its id, its process, when its first event is, its name."""

    uuid: int
    owner: int | None
    first: tuple[int, int]
    name: str


class OtherEvents:
    """Makes the packets of such events, in the order of the file."""

    def __init__(self, shot: Layout) -> None:
        """Takes what the packets say; `shot.tracks` gets the tracks that they need."""
        self._trace = shot.trace
        self._rebase_ns = shot.plan.rebase_ns
        self._tracks = shot.tracks
        self._part = shot.part
        self._known: dict[Key, int] = {}
        self._stacks: dict[Key, _Stack] = {}

    def packets(self, number: int, rest: EventArgs) -> bytes:
        """The packets of one event, of a phase in PHASES; none if it shows nothing."""
        phase = chr(self._trace.phase[number])
        if phase == "C":
            return self._counters(number, rest)
        if phase in _TYPES:
            return self._asynchronous(number, rest, phase)
        return self._instant(number, rest)

    def _instant(self, number: int, rest: EventArgs) -> bytes:
        """On the track of its process, or on one for all of them."""
        if self._trace.bound[number] == ord("p"):
            uuid = self._process(number)
        else:
            uuid = self._track("instants", None)
        return self._event(number, INSTANT, uuid, self._name(number), rest.args)

    def _asynchronous(self, number: int, rest: EventArgs, phase: str) -> bytes:
        key = self._key(number, rest)
        if key is None:
            return b""
        name, time = self._name(number), (int(self._trace.ts[number]), number)
        if key not in self._stacks:
            owner = self._process(number) if key[0] == "local" else None
            self._stacks[key] = _Stack(self._tracks.reserved(), owner, time, name)
        stack = self._stacks[key]
        if time < stack.first:
            stack.first, stack.name = time, name
        shown = NO_NAME if phase == "b" and not name else name
        return self._event(number, _TYPES[phase], stack.uuid, shown, rest.args)

    def describe_stacks(self) -> None:
        """Describes the tracks of asynchronous slices, named by the first event of each."""
        for stack in self._stacks.values():
            self._tracks.describe(
                stack.uuid,
                parent=wire.number(5, stack.owner) if stack.owner else b"",
                name=wire.text(2, stack.name or NO_NAME),
            )

    def _key(self, number: int, rest: EventArgs) -> Key | None:
        """What asynchronous events of one stack have in common."""
        cat = int(self._trace.cat[number])
        two = _object(rest.id2)
        for text in (rest.id, two.get("global", EMPTY)):
            identifier = _id(text)
            if identifier is not None:
                return "global", cat, *identifier
        identifier = _id(two.get("local", EMPTY))
        if identifier is None:
            return None
        return "local", cat, *identifier, self._process(number)

    def _counters(self, number: int, rest: EventArgs) -> bytes:
        identifier = _id(rest.id)
        prefix = self._name(number)
        if identifier is not None and isinstance(identifier[1], str) and identifier[1]:
            prefix += f" id: {identifier[1]}"
        out = []
        for key, text in _object(rest.args).items():
            value = _number(text)
            if value is not None:
                uuid = self._track(f"{prefix} {key}", self._process(number), counter=True)
                event = wire.number(9, _COUNTER) + wire.number(11, uuid) + wire.double(44, value)
                out.append(self._packet(number, event))
        return self._tracks.drained(self._part) + b"".join(out)

    def _process(self, number: int) -> int:
        return self._tracks.processes[int(self._trace.track[number])]

    def _name(self, number: int) -> str:
        """The name as it is in the file: nothing where Trace.names stands in for one."""
        name = self._trace.names[int(self._trace.name[number])]
        return "" if name == NO_NAME else name

    def _track(self, name: str, parent: int | None, *, counter: bool = False) -> int:
        """The track with this name, made when it is first asked for."""
        known = parent, counter, name
        if known not in self._known:
            self._known[known] = self._tracks.new(
                parent=wire.number(5, parent) if parent else b"",
                name=wire.text(2, name),
                counter=wire.message(8, b"") if counter else b"",
            )
        return self._known[known]

    def _event(self, number: int, kind: int, uuid: int, name: str, args: msgspec.Raw) -> bytes:
        cat = self._trace.cat[number]
        event = wire.number(9, kind) + wire.number(11, uuid)
        if self._trace.cats[cat]:
            event += wire.number(3, int(cat) + 1)
        if name:
            event += wire.text(23, name)
        text = bytes(args)
        if text.startswith(b"{") and text != NO_ARGS:
            event += wire.message(4, wire.number(1, ARGS) + wire.message(9, text))
        return self._tracks.drained(self._part) + self._packet(number, event)

    def _packet(self, number: int, event: bytes) -> bytes:
        time = wire.number(8, int(self._trace.ts[number]) - self._rebase_ns)
        return packet(self._part.sequence, time + wire.number(13, 2) + wire.message(11, event))


def _object(text: msgspec.Raw) -> dict[str, msgspec.Raw]:
    """The members of a JSON object; none of anything else."""
    if not bytes(text).startswith(b"{"):
        return {}
    return msgspec.json.decode(text, type=dict[str, msgspec.Raw])


def _id(text: msgspec.Raw) -> tuple[str, int | str] | None:
    """An id with its type, since 1 and "1" are two; None for what is none."""
    value = msgspec.json.decode(text) if len(text) else None
    if isinstance(value, str):
        return "text", value
    return ("number", value) if type(value) is int else None


def _number(text: msgspec.Raw) -> float | None:
    """The value of a counter: a number, or text that holds one."""
    value = msgspec.json.decode(text)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None
