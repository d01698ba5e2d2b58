"""Events of a rank as a merged trace has them: new times and ids, all else copied."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias, cast

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from tp_tools.chrome.sanitize import encoded
from tp_tools.chrome.timestamps import microseconds
from tp_tools.trace.model import NO_ID, is_phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.placement import RankPlacement
    from tp_tools.trace.model import Batch, Ints

_Member: TypeAlias = Raw | UnsetType


class _Event(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The members that profilers write; each stays as it was unless it is set anew."""

    ph: _Member = UNSET
    cat: _Member = UNSET
    name: _Member = UNSET
    pid: _Member = UNSET
    tid: _Member = UNSET
    ts: _Member = UNSET
    dur: _Member = UNSET
    id: _Member = UNSET
    bp: _Member = UNSET
    s: _Member = UNSET
    args: _Member = UNSET


class _Linked(_Event, gc=False):
    """An event that carries an end of arrows itself."""

    bind_id: int = 0
    flow_in: bool | UnsetType = UNSET
    flow_out: bool | UnsetType = UNSET


FIRST_ARROW = 1 << 40
"""Ids of arrows between ranks that events carry start here; a rank's own are far from them."""

_EVENTS = msgspec.json.Decoder(list[_Event])
_FIELDS = msgspec.json.Decoder(list[dict[str, Raw]])
_ARGS = msgspec.json.Decoder(dict[str, Raw])
_ENCODER = msgspec.json.Encoder()
_PROCESS = Raw(b'"p"')
_GLOBAL = b'"g"'
_ZERO = Raw(b"0")
_COLLECTIVE = b'"Collective name"'
_ID_BITS = 40  # of a rank in the ids of arrows that Chrome writes as bind_id


@dataclass(frozen=True)
class Match:
    """Which collective an event is a part of.

    Attributes:
        number: that of the collective.
        arrow: the id of the arrow between its ranks, if events carry arrows; else None.
        is_first: whether the arrow begins here.
    """

    number: int
    arrow: int | None = None
    is_first: bool = False


class Writer:
    """Writes runs of a rank's events."""

    def __init__(
        self, placed: PlacedRank, where: RankPlacement, matched: Mapping[int, Match]
    ) -> None:
        self.placed, self.where, self.matched = placed, where, matched
        trace, plan = placed.trace, placed.plan
        self.pids = [Raw(encoded(pid)) for pid in plan.ids.pids]
        self.tids = [Raw(encoded(tid)) for tid in plan.ids.tids]
        self.links = [Raw(b"%d" % (where.first_flow + i)) for i in range(len(trace.links))]
        self.opening = {closing: event for event, closing in plan.closings.items()}
        special = np.zeros(len(trace), np.bool_)
        flows = plan.flows
        special[[*plan.moves, *plan.trims, *self.opening, *matched, *flows.ids, *flows.ends]] = True
        fresh = {number: i for i, number in enumerate(dict.fromkeys(flows.ids.values()))}
        first = where.first_flow + len(trace.links)
        self.renamed = {event: first + fresh[number] for event, number in flows.ids.items()}
        special[is_phase(trace, "iI")] = True
        self.special = special
        self.odd = np.zeros(len(trace), np.bool_)
        self.odd[plan.durationless] = True

    def run(self, span: Batch, text: bytes) -> bytes:
        """The events of a run that are kept."""
        array = b"[" + text[text.find(b"{") :] + b"]"
        numbers = np.flatnonzero(self.placed.keep[span.first : span.first + span.count])
        try:
            events = _EVENTS.decode(array)
        except msgspec.ValidationError:
            return self._run_of_any(_FIELDS.decode(array), numbers, span.first)
        if len(numbers) < len(events):
            events = [events[i] for i in numbers.tolist()]
        numbers += span.first
        self._leave_args(events)
        self._keep_odd(events, numbers)
        self._set_all(events, numbers)
        for i in np.flatnonzero(self.special[numbers]).tolist():
            self._set_special(events[i], int(numbers[i]))
            events[i] = self._linked(events[i], int(numbers[i]))
        return _ENCODER.encode(events)[1:-1] + b",\n"

    def _leave_args(self, events: list[_Event]) -> None:
        """Leaves out args that nobody asked for, but for those of collectives."""
        wanted = self.placed.args
        if wanted is None:
            return
        for event in events:
            if event.args is UNSET or _COLLECTIVE in (args := bytes(event.args)):
                continue
            told = _ARGS.decode(args) if args.lstrip().startswith(b"{") else {}
            kept = {key: value for key, value in told.items() if key in wanted}
            event.args = Raw(_ENCODER.encode(kept)) if kept else UNSET

    def _keep_odd(self, events: list[_Event], numbers: Ints) -> None:
        """Durations that are none stay in args, as they were recorded."""
        for i in np.flatnonzero(self.odd[numbers]).tolist():
            recorded = b"null" if events[i].dur is UNSET else bytes(cast("Raw", events[i].dur))
            _note(events[i], b'"tpt_recorded_dur":' + recorded)
            events[i].dur = _ZERO

    def _set_all(self, events: list[_Event], numbers: Ints) -> None:
        trace = self.placed.trace
        pids, tids, links = self.pids, self.tids, self.links
        # ids tie all events together but slices, where the column holds their correlation
        own = np.where(trace.phase[numbers] == ord("X"), NO_ID, trace.link[numbers])
        columns = zip(
            events,
            _microseconds(trace.ts[numbers]),
            trace.track[numbers].tolist(),
            own.tolist(),
            strict=True,
        )
        for event, ts, track, link in columns:
            event.ts = ts
            event.pid = pids[track]
            event.tid = tids[track]
            if link != NO_ID and event.id is not UNSET:
                event.id = links[link]
        if self.where.clock.drift_ppt:
            durations = _microseconds(np.maximum(trace.dur[numbers], 0))
            for event, dur in zip(events, durations, strict=True):
                if event.dur is not UNSET:
                    event.dur = dur

    def _set_special(self, event: _Event, number: int) -> None:
        """What the plan says about single events; instants of all stay with their rank."""
        placed, trace = self.placed, self.placed.trace
        plan, track, ts = placed.plan, int(trace.track[number]), int(trace.ts[number])
        if number in plan.moves:
            lane = plan.lanes[track, plan.moves[number]]
            event.tid = Raw(b"%d" % lane.tid)
            if trace.phase[number] in b"XB":
                row = bytes(self.tids[track])
                _note(event, b'"tpt_tid":%b,"tpt_lane":%d' % (row, lane.number))
        if number in plan.trims:
            self._trim(event, number)
        if number in self.opening:
            event.ts = Raw(microseconds(plan.trims[self.opening[number]]))
        if number in self.renamed:
            event.id = Raw(b"%d" % self.renamed[number])
        if number in self.matched:
            _note(event, b'"tpt_collective":%d' % self.matched[number].number)
        if event.s is not UNSET and bytes(event.s) == _GLOBAL and ts >= 0:
            event.s = _PROCESS

    def _linked(self, event: _Event, number: int) -> _Event:
        """The event with what ties it to other slices, where it is to carry that."""
        match, end = self.matched.get(number), self.placed.plan.flows.ends.get(number)
        if match is not None and match.arrow is not None:
            bind_id, is_out, is_in = match.arrow, match.is_first, not match.is_first
        elif end is not None:
            bind_id, is_out, is_in = self._of_rank(end.bind_id), end.is_out, end.is_in
        else:
            return event
        linked = _Linked(**msgspec.structs.asdict(event), bind_id=bind_id)
        if is_out:
            linked.flow_out = True
        if is_in:
            linked.flow_in = True
        return linked

    def _trim(self, event: _Event, number: int) -> None:
        plan, trace = self.placed.plan, self.placed.trace
        ts, end = int(trace.ts[number]), plan.trims[number]
        if number in plan.closings:
            recorded = int(trace.ts[plan.closings[number]]) - ts
        else:
            recorded = int(trace.dur[number])
            event.dur = Raw(microseconds(end - ts))
        _note(event, b'"tpt_recorded_dur":' + microseconds(recorded))

    def _run_of_any(self, fields: list[dict[str, Raw]], numbers: Ints, first: int) -> bytes:
        """The same for events with members that are rare: those are copied, or made the rank's."""
        written = []
        for i in numbers.tolist():
            known = {
                key: value for key, value in fields[i].items() if key in _Event.__struct_fields__
            }
            rest = {key: value for key, value in fields[i].items() if key not in known}
            event = _Event(**known)
            number = np.array([first + i])
            self._leave_args([event])
            self._keep_odd([event], number)
            self._set_all([event], number)
            if self.special[first + i]:
                self._set_special(event, first + i)
                event = self._linked(event, first + i)
            written.append(_ENCODER.encode(event)[:-1] + self._rest(rest) + b"}")
        return b",".join(written) + b",\n"

    def _rest(self, rest: dict[str, Raw]) -> bytes:
        """Members that Perfetto keys by id alone are kept within the rank."""
        for key in ("bind_id", "id2"):
            if key in rest:
                rest[key] = self._own(key, rest[key])
        return b"".join(b"," + encoded(key) + b":" + bytes(v) for key, v in rest.items())

    def _own(self, key: str, value: Raw) -> Raw:
        if key == "id2":
            return Raw(bytes(value).replace(b'"global"', b'"local"', 1))
        text = bytes(value).strip(b'" ')
        number = int(text, 16 if bytes(value).startswith(b'"') else 10)
        return Raw(b"%d" % self._of_rank(number))

    def _of_rank(self, number: int) -> int:
        """A `bind_id` that no other rank has."""
        return (number % (1 << _ID_BITS)) + ((self.where.rank + 1) << _ID_BITS)


def _microseconds(times: Ints) -> list[Raw]:
    """Decimal microseconds, exactly."""
    whole, rest = np.divmod(times, 1000)
    return [
        Raw(b"%d.%03d" % pair) if pair[0] >= 0 else Raw(microseconds(pair[0] * 1000 + pair[1]))
        for pair in zip(whole.tolist(), rest.tolist(), strict=True)
    ]


def _note(event: _Event, note: bytes) -> None:
    """Adds members to the event's args."""
    args = b"{}" if event.args is UNSET else bytes(event.args).strip()
    if not args.startswith(b"{"):
        args = b'{"args": ' + args + b"}"
    inner = args[1:-1].rstrip()
    event.args = Raw(b"{" + inner + (b"," if inner.strip() else b"") + note + b"}")
