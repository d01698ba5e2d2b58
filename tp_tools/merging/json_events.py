"""Rewrite the JSON events of a rank for a merged trace: new times and ids, all else copied."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias, cast

import msgspec
import numpy as np
from msgspec import UNSET, Raw, Struct, UnsetType

from tp_tools.chrome.sanitize import encoded
from tp_tools.chrome.timestamps import microseconds
from tp_tools.merging.bind_ids import BindIds
from tp_tools.trace.flow_groups import read_id
from tp_tools.trace.model import NO_ID, is_phase
from tp_tools.trace.renaming import FULL_NAME, is_renamed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.placement import RankPlacement
    from tp_tools.trace.model import Batch, Ints

_Member: TypeAlias = Raw | UnsetType


class _Event(msgspec.Struct, forbid_unknown_fields=True, gc=False):
    """The members that profilers write, as JSON text; one that is not set anew stays as it was."""

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


class _FlowEndEvent(_Event, gc=False):
    """A slice that carries an end of flows by `bind_id`."""

    bind_id: int = 0
    flow_in: bool | UnsetType = UNSET
    flow_out: bool | UnsetType = UNSET


FIRST_FLOW_ID = 1 << 39
"""First `bind_id` of flows between ranks; those of ranks' own flows begin at 1 << 40."""

_EVENTS = msgspec.json.Decoder(list[_Event])
_FIELDS = msgspec.json.Decoder(list[dict[str, Raw]])
_ARGS = msgspec.json.Decoder(dict[str, Raw])
_ENCODER = msgspec.json.Encoder()
_PROCESS = Raw(b'"p"')
_COMPLETE = Raw(b'"X"')
_GLOBAL = b'"g"'
_ZERO = Raw(b"0")
_COLLECTIVE = b'"Collective name"'


class Match(Struct, frozen=True):
    """The matched collective that a kernel belongs to.

    Attributes:
        number: number of the collective in the job.
        flow: `bind_id` of the flow between its ranks, if slices carry flows; else None.
        is_first: whether the flow begins at this kernel.
    """

    number: int
    flow: int | None = None
    is_first: bool = False

    def note(self) -> bytes:
        """Return the member that says so in the args of the kernel, as JSON text."""
        return b'"tpt_collective":%d' % self.number


class Writer:
    """Rewrites the batches of a rank's events."""

    def __init__(
        self, placed: PlacedRank, placement: RankPlacement, matched: Mapping[int, Match]
    ) -> None:
        """Prepare the columns that all batches need.

        Args:
            placed: the rank in the merged trace.
            placement: its ids and its clock.
            matched: the match of each kernel of a matched collective, by event.
        """
        self.placed, self.placement, self.matched = placed, placement, matched
        trace, plan = placed.trace, placed.plan
        self.pids = [Raw(encoded(pid)) for pid in plan.ids.pids]
        self.tids = [Raw(encoded(tid)) for tid in plan.ids.tids]
        self.links = [Raw(b"%d" % (placement.first_flow + i)) for i in range(len(trace.links))]
        self.bind_ids = BindIds(placement.rank)
        self.opening = {closing: event for event, closing in plan.closings.items()}
        needs_edit = np.zeros(len(trace), np.bool_)
        flows = plan.flows
        edited = [*plan.moves, *plan.trims, *self.opening, *matched, *flows.ids, *flows.ends]
        needs_edit[[*edited, *trace.points]] = True
        new_ids = {number: i for i, number in enumerate(dict.fromkeys(flows.ids.values()))}
        first = placement.first_flow + len(trace.links)
        self.renamed = {event: first + new_ids[number] for event, number in flows.ids.items()}
        needs_edit[is_phase(trace, "iI")] = True
        self.gets_short_name = is_renamed(trace, plan.short_names)
        needs_edit |= self.gets_short_name
        self.needs_edit = needs_edit
        self.has_no_duration = np.zeros(len(trace), np.bool_)
        self.has_no_duration[plan.durationless] = True

    def batch_text(self, batch: Batch, text: bytes) -> bytes:
        """Rewrite the events of a batch that are kept, each followed by a comma.

        Args:
            batch: the numbers of its events.
            text: its sanitized text.
        """
        array = b"[" + text[text.find(b"{") :] + b"]"
        numbers = np.flatnonzero(self.placed.keep[batch.first : batch.first + batch.count])
        try:
            events = _EVENTS.decode(array)
        except msgspec.ValidationError:
            return self._text_of_any_members(_FIELDS.decode(array), numbers, batch.first)
        if len(numbers) < len(events):
            events = [events[i] for i in numbers.tolist()]
        numbers += batch.first
        self._drop_args(events)
        self._note_unusable_durations(events, numbers)
        self._set_times_and_ids(events, numbers)
        for i in np.flatnonzero(self.needs_edit[numbers]).tolist():
            self._edit_event(events[i], int(numbers[i]))
            events[i] = self._with_flow_end(events[i], int(numbers[i]))
        return _ENCODER.encode(events)[1:-1] + b",\n"

    def _drop_args(self, events: list[_Event]) -> None:
        """Drop args that were not asked for; collectives keep all of theirs."""
        wanted = self.placed.args
        if wanted is None:
            return
        for event in events:
            if event.args is UNSET or _COLLECTIVE in (args := bytes(event.args)):
                continue
            recorded = _ARGS.decode(args) if args.lstrip().startswith(b"{") else {}
            kept = {key: value for key, value in recorded.items() if key in wanted}
            event.args = Raw(_ENCODER.encode(kept)) if kept else UNSET

    def _note_unusable_durations(self, events: list[_Event], numbers: Ints) -> None:
        """Set unusable durations to 0, and keep in args what was recorded."""
        for i in np.flatnonzero(self.has_no_duration[numbers]).tolist():
            recorded = b"null" if events[i].dur is UNSET else bytes(cast("Raw", events[i].dur))
            _note(events[i], b'"tpt_recorded_dur":' + recorded)
            events[i].dur = _ZERO

    def _set_times_and_ids(self, events: list[_Event], numbers: Ints) -> None:
        """Set ts, pid, tid, flow ids and, on a clock that drifts, durations."""
        trace = self.placed.trace
        pids, tids, links = self.pids, self.tids, self.links
        # of slices the column holds the correlation, which is no id
        flow_ids = np.where(trace.phase[numbers] == ord("X"), NO_ID, trace.link[numbers])
        columns = zip(
            events,
            _microseconds(trace.ts[numbers]),
            trace.track[numbers].tolist(),
            flow_ids.tolist(),
            strict=True,
        )
        for event, ts, track, link in columns:
            event.ts = ts
            event.pid = pids[track]
            event.tid = tids[track]
            if link != NO_ID and event.id is not UNSET:
                event.id = links[link]
        if self.placement.clock.drift_ppt:
            durations = _microseconds(np.maximum(trace.dur[numbers], 0))
            for event, dur in zip(events, durations, strict=True):
                if event.dur is not UNSET:
                    event.dur = dur

    def _edit_event(self, event: _Event, number: int) -> None:
        """Apply the repairs of one event; give instants of global scope that of their process."""
        placed, trace = self.placed, self.placed.trace
        plan, track, ts = placed.plan, int(trace.track[number]), int(trace.ts[number])
        if number in trace.points:
            event.ph, event.dur = _COMPLETE, _ZERO
        if number in plan.moves:
            lane = plan.lanes[track, plan.moves[number]]
            event.tid = Raw(b"%d" % lane.tid)
            if trace.phase[number] in b"XB":
                tid = bytes(self.tids[track])
                _note(event, b'"tpt_tid":%b,"tpt_lane":%d' % (tid, lane.number))
        if number in plan.trims:
            self._trim(event, number)
        if number in self.opening:
            event.ts = Raw(microseconds(plan.trims[self.opening[number]]))
        if number in self.renamed:
            event.id = Raw(b"%d" % self.renamed[number])
        if self.gets_short_name[number]:
            name = trace.names[trace.name[number]]
            event.name = Raw(encoded(plan.short_names[name]))
            _note(event, b'"%b":%b' % (FULL_NAME.encode(), encoded(name)))
        if number in self.matched:
            _note(event, self.matched[number].note())
        if event.s is not UNSET and bytes(event.s) == _GLOBAL and ts >= 0:
            event.s = _PROCESS

    def _with_flow_end(self, event: _Event, number: int) -> _Event:
        """Return the event with `bind_id`, where its slice carries an end of a flow."""
        match, end = self.matched.get(number), self.placed.plan.flows.ends.get(number)
        if match is not None and match.flow is not None:
            bind_id, is_out, is_in = match.flow, match.is_first, not match.is_first
        elif end is not None:
            bind_id, is_out, is_in = self.bind_ids.of(end.bind_id), end.is_out, end.is_in
        else:
            return event
        carrier = _FlowEndEvent(**msgspec.structs.asdict(event), bind_id=bind_id)
        if is_out:
            carrier.flow_out = True
        if is_in:
            carrier.flow_in = True
        return carrier

    def _trim(self, event: _Event, number: int) -> None:
        """Set the planned duration, and keep the recorded one in args."""
        plan, trace = self.placed.plan, self.placed.trace
        ts, end = int(trace.ts[number]), plan.trims[number]
        if number in plan.closings:
            recorded = int(trace.ts[plan.closings[number]]) - ts
        else:
            recorded = int(trace.dur[number])
            event.dur = Raw(microseconds(end - ts))
        _note(event, b'"tpt_recorded_dur":' + microseconds(recorded))

    def _text_of_any_members(
        self, fields: list[dict[str, Raw]], numbers: Ints, first: int
    ) -> bytes:
        """Rewrite events that hold other members than those of `_Event`.

        Args:
            fields: the members of each event of the batch.
            numbers: indices of the kept events in the batch.
            first: number of the batch's first event in the file.
        """
        written = []
        for i in numbers.tolist():
            known = {
                key: value for key, value in fields[i].items() if key in _Event.__struct_fields__
            }
            others = {key: value for key, value in fields[i].items() if key not in known}
            event = _Event(**known)
            number = np.array([first + i])
            self._drop_args([event])
            self._note_unusable_durations([event], number)
            self._set_times_and_ids([event], number)
            if self.needs_edit[first + i]:
                self._edit_event(event, first + i)
                event = self._with_flow_end(event, first + i)
            written.append(_ENCODER.encode(event)[:-1] + self._other_members(others) + b"}")
        return b",".join(written) + b",\n"

    def _other_members(self, members: dict[str, Raw]) -> bytes:
        """Copy members; ids that Perfetto shares between ranks become the rank's own."""
        for key in ("bind_id", "id2"):
            if key in members:
                members[key] = self._id_of_rank(key, members[key])
        return b"".join(b"," + encoded(key) + b":" + bytes(v) for key, v in members.items())

    def _id_of_rank(self, key: str, value: Raw) -> Raw:
        """Return an `id2` or `bind_id` that no other rank has; one that is no id stays."""
        if key == "id2":
            return Raw(bytes(value).replace(b'"global"', b'"local"', 1))
        number = read_id(bytes(value))
        return value if number is None else Raw(b"%d" % self.bind_ids.of(number))


def _microseconds(times: Ints) -> list[Raw]:
    """Write ns as decimal microseconds, exactly: 1500 as "1.500"."""
    whole, fraction = np.divmod(times, 1000)
    return [
        Raw(b"%d.%03d" % pair) if pair[0] >= 0 else Raw(microseconds(pair[0] * 1000 + pair[1]))
        for pair in zip(whole.tolist(), fraction.tolist(), strict=True)
    ]


def _note(event: _Event, note: bytes) -> None:
    """Add members, as JSON text, to the event's args."""
    args = b"{}" if event.args is UNSET else bytes(event.args).strip()
    if not args.startswith(b"{"):
        args = b'{"args": ' + args + b"}"
    inner = args[1:-1].rstrip()
    event.args = Raw(b"{" + inner + (b"," if inner.strip() else b"") + note + b"}")
