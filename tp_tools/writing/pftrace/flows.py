"""Bind flow events to slices by Perfetto's rules, on the slices of the plan.

A flow event binds to the slice on top of its track's stack. There a slice stays after its end,
until the next one starts or an E event comes. `s` begins a flow, `t` and `f` continue it; an `f`
without `"bp": "e"` binds to the next slice that starts. A flow is drawn from the slice that
starts first. Source: perfetto v52.0, importers/common/flow_tracker.cc and slice_tracker.cc,
importers/json/json_trace_parser.cc; the same in v58.2.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import indices_of
from tp_tools.trace.flow_groups import read_codes
from tp_tools.trace.model import is_phase, waits
from tp_tools.trace.slices import lanes_of
from tp_tools.writing.pftrace.slice_stack import stack_tops
from tp_tools.writing.pftrace.thread_events import DEEPER, NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import ThreadEvents

NONE = -1


class Flows(Struct, frozen=True):
    """Flows between slices.

    Columns:
        out: int, row of ThreadEvents where the flow starts.
        into: int, row where it ends; this slice starts no earlier.
    """

    out: Ints
    into: Ints

    def __len__(self) -> int:
        return len(self.out)

    def at_one_time(self, events: ThreadEvents) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Mark flows between two slices that start at one time: only order tells their direction.

        Returns:
            Two bool arrays (flows,): the target has a later END packet, which carries the end of
            the flow; the target has none, so that its packet has to follow that of the source.
        """
        tied = (events.ts[self.out] == events.ts[self.into]) & (self.out != self.into)
        end = events.end[self.into]
        has_end = (end > events.ts[self.into]) & (end != NEVER)
        return tied & has_end, tied & ~has_end


class _FlowEvents(Struct, frozen=True):
    """Flow events and the slices that they bind to.

    Columns:
        event: int, number in the file.
        track, lane: int, track of the trace and lane on it.
        ts: int64 ns, rebased.
        is_next: bool, whether it binds to the next slice that starts on the track.
        slice: int, row of ThreadEvents that it binds to, NONE where there is none.
    """

    event: Ints
    track: Ints
    lane: Ints
    ts: Ints
    is_next: NDArray[np.bool_]
    slice: Ints


def flows(trace: Trace, plan: Plan, events: ThreadEvents, is_written: NDArray[np.bool_]) -> Flows:
    """List all flows that Perfetto would draw.

    Args:
        trace: the trace.
        plan: lanes and ids of flow events.
        events: the slices to bind to.
        is_written: bool (events,), the events of the file that are written.
    """
    event = np.flatnonzero(is_phase(trace, "stf") & is_written)
    number = _numbers(trace, plan, event)
    event = event[number != NONE]
    ids = np.full(len(trace), NONE)
    ids[event] = number[number != NONE]
    event, slices = _in_order(events, _bound(events, trace, plan, event))
    key = np.column_stack([ids[event], trace.cat[event], trace.name[event]])
    order = np.lexsort(key.T)
    slices = slices[order]
    source = _sources(trace.phase[event[order]], key[order])
    drawn = np.flatnonzero(source != NONE)
    by_identity = _by_identity(events, plan) if plan.flows.arrows else (source[:0], source[:0])
    out = np.concatenate([slices[source[drawn]], by_identity[0]])
    into = np.concatenate([slices[drawn], by_identity[1]])
    backward = events.ts[out] > events.ts[into]
    return Flows(np.where(backward, into, out), np.where(backward, out, into))


def _numbers(trace: Trace, plan: Plan, event: Ints) -> Ints:
    """Number the id of each flow event, equally where Perfetto takes two ids for one."""
    number = read_codes(trace.links, trace.link[event].astype(np.int64))
    renamed = plan.flows.ids
    at = indices_of(event, renamed)
    new_ids = np.array([renamed[one] for one in event[at].tolist()], np.int64)
    number[at] = 2 * len(trace.links) + np.unique(new_ids, return_inverse=True)[1]
    return number


def bindings(events: ThreadEvents, trace: Trace, plan: Plan, event: Ints) -> Ints:
    """Bind flow events to slices as Perfetto does.

    Args:
        events: the slices to bind to.
        trace: the trace.
        plan: lanes of flow events.
        event: int (n,), numbers of the flow events.

    Returns:
        int (n,), the row of `events` of each, NONE for none.
    """
    return _bound(events, trace, plan, event).slice


def _by_identity(events: ThreadEvents, plan: Plan) -> tuple[Ints, Ints]:
    """Return the rows of both slices of each flow that the plan draws by `bind_id`."""
    ends = np.array(plan.flows.arrows, np.int64).reshape(-1, 2)
    order = np.argsort(events.event)
    place = np.searchsorted(events.event, ends, sorter=order)
    entry = order[np.minimum(place, len(events) - 1)] if len(events) else place
    both = (events.event[entry] == ends).all(axis=1) if len(events) else np.zeros(0, np.bool_)
    return entry[both, 0], entry[both, 1]


def _bound(events: ThreadEvents, trace: Trace, plan: Plan, event: Ints) -> _FlowEvents:
    """Bind flow events to slices."""
    lane = lanes_of(event, plan.moves).astype(np.int64)
    track, ts = trace.track[event].astype(np.int64), trace.ts[event] - plan.rebase_ns
    is_next = waits(trace, event)
    flows = _FlowEvents(event, track, lane, ts, is_next, np.full(len(event), NONE))
    for entries in _by_track(events):
        code, number = int(events.track[entries[0]]), int(events.lane[entries[0]]) % DEEPER
        here = np.flatnonzero((track == code) & (lane == number))
        if len(here):
            flows.slice[here] = _neighbours(events, entries, flows, here)
            to_top = here[~is_next[here]]
            if (events.closing[entries] >= 0).any():
                flows.slice[to_top] = stack_tops(events, entries, event[to_top], ts[to_top])
    return flows


def _by_track(events: ThreadEvents) -> list[Ints]:
    """List the rows of each track and lane by time, those too deep for the track included."""
    ranges: dict[tuple[int, int], list[Ints]] = {}
    for start, stop in events.track_ranges():
        track = int(events.track[start]), int(events.lane[start]) % DEEPER
        ranges.setdefault(track, []).append(np.arange(start, stop))
    tracks = []
    for of_track in ranges.values():
        entries = np.concatenate(of_track)
        tracks.append(entries[np.lexsort((events.ts[entries],))] if len(of_track) > 1 else entries)
    return tracks


def _neighbours(events: ThreadEvents, entries: Ints, flows: _FlowEvents, here: Ints) -> Ints:
    """Find the slice that started last before each flow event of a track, or starts next.

    Args:
        events: slices of all threads.
        entries: int (n,), rows of `events` on the track, by time.
        flows: all flow events.
        here: int (m,), rows of `flows` on the track.

    Returns:
        int (m,), rows of `events`, NONE for none.
    """
    ts, at = events.ts[entries], flows.ts[here]
    last = np.searchsorted(ts, at, "right") - 1
    # at one time X events come first, all others in the order of the file
    is_later = ~events.complete[entries] | (events.end[entries] == ts)
    ties = np.flatnonzero((last >= 0) & (ts[last] == at) & is_later[last])
    for i in ties.tolist():
        while last[i] >= 0 and ts[last[i]] == at[i] and is_later[last[i]]:
            if events.event[entries[last[i]]] < flows.event[here[i]]:
                break
            last[i] -= 1
    target = last + flows.is_next[here]
    slices = np.full(len(here), NONE)
    exists = (target >= 0) & (target < len(entries))
    slices[exists] = entries[target[exists]]
    return slices


def _in_order(events: ThreadEvents, flows: _FlowEvents) -> tuple[Ints, Ints]:
    """Return numbers and slices of flow events that bind, in the order of binding.

    A flow event that waits for the next slice binds when that starts: of events of one time, X
    events with a duration come first, and all others in the order of the file.
    """
    binds = flows.slice != NONE
    event, slices, waited = flows.event[binds], flows.slice[binds], flows.is_next[binds]
    ts = np.where(waited, events.ts[slices], flows.ts[binds])
    is_first = waited & events.complete[slices] & (events.end[slices] > ts)
    order = np.lexsort((event, np.where(waited, events.event[slices], event), ~is_first, ts))
    return event[order], slices[order]


def _sources(phase: NDArray[np.uint8], key: Ints) -> Ints:
    """Find the flow event that each flow event continues, NONE where it draws no flow.

    Args:
        phase: uint8 (n,), codes of s, t or f, sorted by key and then time.
        key: int (n, 3): id, category and name.
    """
    place = np.arange(len(phase))
    starts = np.ones(len(phase), np.bool_)
    starts[1:] = (np.diff(key, axis=0) != 0).any(axis=1)
    group = np.cumsum(starts) - 1
    is_s = phase == ord("s")
    first = np.full(len(phase), len(phase))
    np.minimum.at(first, group[is_s], place[is_s])
    behind = place > first[group]
    sets = (place == first[group]) | ((phase == ord("t")) & behind)
    last = np.maximum.accumulate(np.where(sets, place, NONE))
    before = np.concatenate([[NONE], last[:-1]])[: len(phase)]
    return np.where(behind & ~is_s, before, NONE)
