"""Find the slices to which Perfetto binds the flow events of launches: first fast, then exactly.

Most launches and their work start alone on their track: a binary search then finds the slice that
started last. All other flow events go to the model in `writing/pftrace/flows.py`.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.columns import blocks, distinct, is_in, rows_where, take
from tp_tools.trace.flow_slices import NONE
from tp_tools.trace.model import NO_ID, UNTIMED, is_phase, waits
from tp_tools.trace.slice_times import searched
from tp_tools.trace.slices import slices_between
from tp_tools.writing.pftrace.arrangement import thread_events
from tp_tools.writing.pftrace.flows import bindings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.flow_groups import FlowGroups
    from tp_tools.trace.model import Ints

_NEAR = 64  # slices before a flow event that mostly include the one it binds to


class Pairs(Struct, frozen=True):
    """Launch flows: row i is an `f` with the `s` that begins it.

    Columns:
        start, end: int32, event numbers of `s` and `f`.
        group: int32, their group in FlowGroups.
        correlation: int32, index in Trace.links of a correlation that equals their id.
        out, into: int32, event numbers of the slices that Perfetto binds them to, NONE for none.
        sure: bool, whether the fast search certainly found `out` and `into`.
    """

    start: Ints
    end: Ints
    group: Ints
    correlation: Ints
    out: Ints
    into: Ints
    sure: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.start)


def launch_pairs(trace: Trace, groups: FlowGroups) -> Pairs:
    """Pair each `f` of a launch with its `s`; an id with several `s` gives no pair."""
    pick = partial(take, empty=trace.scratch.empty)
    phase, size = pick(trace.phase, groups.event), len(groups.is_launch)
    begins, ends = phase == ord("s"), phase == ord("f")
    starts = np.bincount(groups.group[begins], minlength=size)
    known = groups.is_launch & (starts == 1)
    known[groups.group[phase == ord("t")]] = False
    start_of = np.full(size, NONE, np.int32)
    start_of[groups.group[begins]] = groups.event[begins]
    chosen = rows_where(len(ends), lambda block: ends[block] & known[groups.group[block]])
    group = pick(groups.group, chosen)
    unbound = np.broadcast_to(np.int32(NONE), len(chosen))  # takes no memory
    return Pairs(
        start=pick(start_of, group),
        end=pick(groups.event, chosen),
        group=group,
        correlation=pick(groups.correlation, chosen),
        out=unbound,
        into=unbound,
        sure=np.zeros(len(chosen), np.bool_),
    )


def quickly_bound(trace: Trace, table: Slices, plan: Plan, pairs: Pairs) -> Pairs:
    """Bind the pairs to slices by a binary search per track; mark where that is certain.

    Tracks with B and E events are left unbound.
    """
    empty = trace.scratch.empty
    is_flow = np.zeros(len(trace), np.bool_)
    for flows in (pairs.start, pairs.end):
        is_flow[flows] = True
    event = rows_where(len(trace), is_flow.__getitem__, empty)
    bound, sure = np.full(len(event), NONE, np.int32), np.zeros(len(event), np.bool_)
    has_begin_end = np.zeros(len(trace.tracks), np.bool_)
    has_begin_end[distinct(trace.track[is_phase(trace, "BE") & (trace.ts != UNTIMED)])] = True
    instants = np.flatnonzero(is_phase(trace, "iIR") & ~is_in(trace.bound, b"pg"))
    track, trimmed = take(trace.track, event, empty), set(plan.trims)
    for start, stop in table.track_ranges() if len(event) else ():
        number = int(table.track[start])
        here = np.flatnonzero(track == number)
        if len(here) and not has_begin_end[number]:
            instants_ts = np.sort(trace.ts[instants[trace.track[instants] == number]])
            slices = slices_between(table, start, stop)
            for block in blocks(len(here)):
                rows = here[block]
                at = trace.ts[event[rows]]
                bound[rows], sure[rows] = _last_started(slices, at, instants_ts, trimmed)
    moved = is_in(event, plan.moves) | is_in(np.maximum(bound, 0), plan.moves)
    sure &= (bound != NONE) & ~moved & ~waits(trace, event)
    out, into = (empty(len(pairs), np.int32) for _ in range(2))
    both = empty(len(pairs), np.bool_)
    for block in blocks(len(pairs)):
        begin, end = (np.searchsorted(event, it[block]) for it in (pairs.start, pairs.end))
        out[block], into[block], both[block] = bound[begin], bound[end], sure[begin] & sure[end]
    return replace(pairs, out=out, into=into, sure=both)


def recorded_pairs(
    trace: Trace, table: Slices, plan: Plan, groups: FlowGroups
) -> tuple[Pairs, FlowGroups]:
    """Pair the launch flows of a trace and bind them quickly; see `without_foreign_ids`."""
    pairs = quickly_bound(trace, table, plan, launch_pairs(trace, groups))
    return without_foreign_ids(trace, pairs, groups)


def without_foreign_ids(trace: Trace, pairs: Pairs, groups: FlowGroups) -> tuple[Pairs, FlowGroups]:
    """Forget the ids of flows where most are no correlations.

    Kineto gives a flow the correlation of its launch. A merge numbers flows anew, and its numbers
    may be correlations of other launches.

    Args:
        trace: the trace.
        pairs: the launch flows, bound to slices.
        groups: all flows.

    Returns:
        Both, with the correlation NO_ID if ids say nothing.
    """
    link = trace.link[pairs.out]
    is_like = pairs.sure & (link != NO_ID) & (link == trace.link[pairs.into])
    own = int((is_like & (link == pairs.correlation)).sum())
    if 2 * own >= int(is_like.sum()):
        return pairs, groups
    of_pairs, of_events = (np.full(len(it), NO_ID, np.int32) for it in (pairs, groups.event))
    return replace(pairs, correlation=of_pairs), replace(groups, correlation=of_events)


def _last_started(
    slices: Slices, at: Ints, instants: Ints, trimmed: set[int]
) -> tuple[Ints, NDArray[np.bool_]]:
    """Find the slice of a track that started last at each time.

    Args:
        slices: the slices of the track.
        at: int64 (n,), ns.
        instants: int64, times of the instants on the track, ascending, ns.
        trimmed: event numbers of the slices that get another end.

    Returns:
        int64 (n,) event numbers, NONE for none; bool (n,), whether Perfetto certainly binds to it.
    """
    first, behind = np.split(searched(slices.ts, np.concatenate([at, at + 1])), 2)
    top = np.maximum(behind - 1, 0)
    event, since = slices.event[top].astype(np.int64), slices.ts[top]
    sure = slices.end[top] > since
    sure &= np.searchsorted(instants, since) == np.searchsorted(instants, at, "right")
    if trimmed:
        sure &= (behind - first < 2) & ~is_in(event, trimmed)  # noqa: PLR2004  starts alone
    return np.where(behind > 0, event, NONE), sure


def is_right(trace: Trace, pairs: Pairs) -> NDArray[np.bool_]:
    """Mark pairs that Perfetto draws from a launch to work of its correlation, one flow each."""
    is_bound = (pairs.out != NONE) & (pairs.into != NONE)
    link = np.where(is_bound, trace.link[pairs.out], NO_ID)
    right: NDArray[np.bool_] = (link != NO_ID) & (link == trace.link[pairs.into])
    right &= _is_drawn(trace, pairs) & (pairs.out != pairs.into)
    into = np.sort(pairs.into[pairs.into != NONE])
    right &= ~is_in(np.maximum(pairs.into, 0), distinct(into[1:][into[1:] == into[:-1]]))
    unlike = np.flatnonzero(right & (link != pairs.correlation))
    if len(unlike):  # flow ids that are no correlations, or those of other slices
        known = np.zeros(len(trace.links) + 1, np.bool_)
        for block in blocks(len(trace)):
            known[trace.link[block][is_in(trace.phase[block], b"XB")]] = True
        right[unlike[known[pairs.correlation[unlike]]]] = False
    return right


def _is_drawn(trace: Trace, pairs: Pairs) -> NDArray[np.bool_]:
    """Mark pairs that Perfetto draws: both bind to a slice, and `f` does not come before `s`."""
    ts_of_start, ts_of_end = trace.ts[pairs.start], trace.ts[pairs.end]
    forward = (ts_of_start < ts_of_end) | ((ts_of_start == ts_of_end) & (pairs.start < pairs.end))
    drawn: NDArray[np.bool_] = forward & (pairs.out != NONE) & (pairs.into != NONE)
    return drawn


def exactly_bound(trace: Trace, table: Slices, plan: Plan, pairs: Pairs, which: Ints) -> Pairs:
    """Bind the pairs `which` to slices by the exact model of Perfetto.

    The model sees the slices near the flow events first, and whole tracks where that is not enough.
    """
    event = distinct(np.concatenate([pairs.start[which], pairs.end[which]]))
    top = bound_slices(trace, table, plan, event, _near(trace, table, event))
    far = np.flatnonzero(top == NONE)
    if len(far):
        tracks = distinct(trace.track[event[far]]).tolist()
        top[far] = bound_slices(trace, table, plan, event[far], is_in(trace.track, tracks))
    slices = []
    for flows, bound in ((pairs.start, pairs.out), (pairs.end, pairs.into)):
        place = np.minimum(np.searchsorted(event, flows), len(event) - 1)
        slices.append(np.where(event[place] == flows, top[place], bound))
    return replace(pairs, out=slices[0], into=slices[1])


def bound_slices(
    trace: Trace, table: Slices, plan: Plan, flows: Ints, is_seen: NDArray[np.bool_]
) -> Ints:
    """Bind flow events to slices among the events of the file that `is_seen` marks.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: the other repairs.
        flows: int (flows,), numbers of flow events.
        is_seen: bool (events,).

    Returns:
        int (flows,), event number of the slice, NONE for none.
    """
    events = thread_events(trace, table, plan, is_seen & (trace.ts != UNTIMED))
    entry = bindings(events, trace, plan, flows)
    if not len(events):
        return entry
    return np.where(entry == NONE, NONE, events.event[entry].astype(np.int64))


def _near(trace: Trace, table: Slices, flows: Ints) -> NDArray[np.bool_]:
    """Mark the events that started shortly before the flow events.

    Tracks with B and E events, and those on which a flow event waits for the next slice, are marked
    whole.
    """
    near = np.zeros(len(trace), np.bool_)
    whole = np.zeros(len(trace.tracks), np.bool_)
    whole[distinct(trace.track[is_phase(trace, "BE")])] = True
    whole[trace.track[flows[waits(trace, flows)]]] = True
    instants = np.flatnonzero(is_phase(trace, "iIR"))
    track = trace.track[flows]
    for start, stop in table.track_ranges():
        number = int(table.track[start])
        at = trace.ts[flows[track == number]]
        if len(at) and not whole[number]:
            slices = slices_between(table, start, stop)
            behind = searched(slices.ts, at + 1)
            first = np.maximum(behind - _NEAR, 0)
            marks = np.zeros(len(slices) + 1, np.int32)
            np.add.at(marks, first, 1)
            np.add.at(marks, behind, -1)
            near[slices.event[np.cumsum(marks[:-1], dtype=np.int32) > 0]] = True
            on_track = instants[trace.track[instants] == number]
            since = np.sort(slices.ts[np.minimum(first, len(slices) - 1)])
            near[on_track[trace.ts[on_track] >= since[0]]] = True
    return near | whole[trace.track]
