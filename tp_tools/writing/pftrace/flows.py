"""Which slices an arrow joins: Perfetto's rules for flow events, on the slices of the plan.

A flow event binds to the slice on top of its track's stack. There a slice stays after its end,
until the next one starts or an E event comes. `s` begins an arrow, `t` and `f` draw it on; an `f`
without `"bp": "e"` binds to the next slice that starts. An arrow is drawn from the slice that
starts first. Source: perfetto v52.0, importers/common/flow_tracker.cc and slice_tracker.cc,
importers/json/json_trace_parser.cc; the same in v58.2.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import indices_of
from tp_tools.trace.flow_groups import read_codes
from tp_tools.trace.model import is_phase
from tp_tools.trace.slices import lanes_of
from tp_tools.writing.pftrace.slice_stack import stack_tops
from tp_tools.writing.pftrace.thread_events import DEEPER, NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.writing.pftrace.thread_events import ThreadEvents

NONE = -1


@dataclass(frozen=True)
class Flows:
    """Arrow i goes from entry `out[i]` of Shown to entry `into[i]`, which starts no earlier."""

    out: Ints
    into: Ints

    def __len__(self) -> int:
        return len(self.out)

    def at_one_time(self, found: ThreadEvents) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which join two slices that start at one time, so that order alone tells the direction.

        Returns:
            Those whose target has an END, later than both, to carry its end of the arrow; and
            those whose target has none, so that its packet has to come after the other's.
        """
        tied = (found.ts[self.out] == found.ts[self.into]) & (self.out != self.into)
        end = found.end[self.into]
        has_end = (end > found.ts[self.into]) & (end != NEVER)
        return tied & has_end, tied & ~has_end


@dataclass(frozen=True)
class _Flows:
    """Flow events: where and when they are, and what they do.

    Attributes:
        event: their numbers in the file.
        row, lane: their track.
        ts: ns, rebased.
        is_next: whether it binds to the next slice that starts on the track.
        slice: the entry of Shown that it binds to, NONE where there is none.
    """

    event: Ints
    row: Ints
    lane: Ints
    ts: Ints
    is_next: NDArray[np.bool_]
    slice: Ints


def flows(trace: Trace, plan: Plan, found: ThreadEvents, is_wanted: NDArray[np.bool_]) -> Flows:
    """All arrows that Perfetto would draw.

    Args:
        trace: the trace.
        plan: where flow events go.
        found: the slices to bind to.
        is_wanted: which events are wanted, one flag per event.
    """
    event = np.flatnonzero(is_phase(trace, "stf") & is_wanted)
    number = _numbers(trace, plan, event)
    event = event[number != NONE]
    ids = np.full(len(trace), NONE)
    ids[event] = number[number != NONE]
    event, slices = _in_order(found, _bound(found, trace, plan, event))
    key = np.column_stack([ids[event], trace.cat[event], trace.name[event]])
    order = np.lexsort(key.T)
    slices = slices[order]
    source = _sources(trace.phase[event[order]], key[order])
    drawn = np.flatnonzero(source != NONE)
    tied = _by_identity(found, plan) if plan.flows.arrows else (source[:0], source[:0])
    out = np.concatenate([slices[source[drawn]], tied[0]])
    into = np.concatenate([slices[drawn], tied[1]])
    turned = found.ts[out] > found.ts[into]
    return Flows(np.where(turned, into, out), np.where(turned, out, into))


def _numbers(trace: Trace, plan: Plan, event: Ints) -> Ints:
    """A number for the id of each flow event, equal where Perfetto takes two ids for one."""
    number = read_codes(trace.links, trace.link[event].astype(np.int64))
    renamed = plan.flows.ids
    where = indices_of(event, renamed)
    fresh = np.array([renamed[it] for it in event[where].tolist()], np.int64)
    number[where] = 2 * len(trace.links) + np.unique(fresh, return_inverse=True)[1]
    return number


def bindings(found: ThreadEvents, trace: Trace, plan: Plan, event: Ints) -> Ints:
    """The entry of Shown that Perfetto binds each of some flow events to; NONE for none.

    Args:
        found: the slices to bind to.
        trace: the trace.
        plan: where flow events go.
        event: the flow events.
    """
    return _bound(found, trace, plan, event).slice


def _by_identity(found: ThreadEvents, plan: Plan) -> tuple[Ints, Ints]:
    """The entries that the plan ties by identity, where both are shown."""
    ends = np.array(plan.flows.arrows, np.int64).reshape(-1, 2)
    order = np.argsort(found.event)
    place = np.searchsorted(found.event, ends, sorter=order)
    entry = order[np.minimum(place, len(found) - 1)] if len(found) else place
    both = (found.event[entry] == ends).all(axis=1) if len(found) else np.zeros(0, np.bool_)
    return entry[both, 0], entry[both, 1]


def _bound(found: ThreadEvents, trace: Trace, plan: Plan, event: Ints) -> _Flows:
    """Flow events with the slices that they bind to."""
    lane = lanes_of(event, plan.moves).astype(np.int64)
    row, ts = trace.track[event].astype(np.int64), trace.ts[event] - plan.rebase_ns
    is_next = (trace.phase[event] == ord("f")) & (trace.bound[event] != ord("e"))
    flows = _Flows(event, row, lane, ts, is_next, np.full(len(event), NONE))
    for entries in _by_track(found):
        track = int(found.track[entries[0]]), int(found.lane[entries[0]]) % DEEPER
        here = np.flatnonzero((row == track[0]) & (lane == track[1]))
        if len(here):
            flows.slice[here] = _neighbours(found, entries, flows, here)
            asking = here[~is_next[here]]
            if (found.closing[entries] >= 0).any():
                flows.slice[asking] = stack_tops(found, entries, event[asking], ts[asking])
    return flows


def _by_track(found: ThreadEvents) -> list[Ints]:
    """The entries of each row and lane, with those that are too deep for its track, by time."""
    parts: dict[tuple[int, int], list[Ints]] = {}
    for start, stop in found.track_ranges():
        track = int(found.track[start]), int(found.lane[start]) % DEEPER
        parts.setdefault(track, []).append(np.arange(start, stop))
    tracks = []
    for part in parts.values():
        entries = np.concatenate(part)
        tracks.append(entries[np.lexsort((found.ts[entries],))] if len(part) > 1 else entries)
    return tracks


def _neighbours(found: ThreadEvents, entries: Ints, flows: _Flows, here: Ints) -> Ints:
    """The slice that started last before each flow event of a track, or starts next."""
    ts, at = found.ts[entries], flows.ts[here]
    last = np.searchsorted(ts, at, "right") - 1
    # at one time X events come first; of all others that which stands first in the file
    is_later = ~found.complete[entries] | (found.end[entries] == ts)
    asking = np.flatnonzero((last >= 0) & (ts[last] == at) & is_later[last])
    for i in asking.tolist():
        while last[i] >= 0 and ts[last[i]] == at[i] and is_later[last[i]]:
            if found.event[entries[last[i]]] < flows.event[here[i]]:
                break
            last[i] -= 1
    wanted = last + flows.is_next[here]
    slices = np.full(len(here), NONE)
    there = (wanted >= 0) & (wanted < len(entries))
    slices[there] = entries[wanted[there]]
    return slices


def _in_order(found: ThreadEvents, flows: _Flows) -> tuple[Ints, Ints]:
    """Events and slices of flow events that bind, in the order in which they count.

    What binds to the next slice counts when that starts.
    """
    binds = flows.slice != NONE
    event, slices, waited = flows.event[binds], flows.slice[binds], flows.is_next[binds]
    ts = np.where(waited, found.ts[slices], flows.ts[binds])
    order = np.lexsort((event, ~waited, ts))
    return event[order], slices[order]


def _sources(phase: NDArray[np.uint8], key: Ints) -> Ints:
    """For each flow event the one that its arrow comes from, NONE where it draws none.

    Args:
        phase: s, t or f; sorted by key and then time.
        key: id, category, name: a row each.
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
