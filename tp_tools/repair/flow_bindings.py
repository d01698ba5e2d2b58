"""The slices to which Perfetto binds the flow events of launches: a quick look, then an exact one.

Most launches start alone, and so does their work: there the slice that started last is plain to
see. What is not plain is left to the model in `rewrite/pftrace/arrows.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import distinct, is_in
from tp_tools.trace.flow_slices import NONE
from tp_tools.trace.model import NO_ID, UNTIMED, is_phase
from tp_tools.trace.slice_times import searched
from tp_tools.trace.slices import slices_between
from tp_tools.writing.pftrace.flows import bindings
from tp_tools.writing.pftrace.thread_events import thread_events

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.flow_groups import FlowGroups
    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.trace.slices import Slices

_NEAR = 64  # slices before a flow event among which that to which it binds mostly is


@dataclass(frozen=True)
class Pairs:
    """Launch flows: row i is an `f` with the `s` that begins it.

    Attributes:
        start, end: the events `s` and `f`.
        group: their group in FlowGroups.
        correlation: index in Trace.links of a correlation that equals their id.
        out, into: the slices that Perfetto binds them to, NONE where there is none.
        sure: whether that is known without a look at what starts together.
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
    """Each `f` of a launch with its `s`; where an id has several, nothing is known."""
    phase, size = trace.phase[groups.event], len(groups.is_launch)
    begins, ends = phase == ord("s"), phase == ord("f")
    starts = np.bincount(groups.group[begins], minlength=size)
    known = groups.is_launch & (starts == 1)
    known[groups.group[phase == ord("t")]] = False
    start_of = np.full(size, NONE)
    start_of[groups.group[begins]] = groups.event[begins]
    chosen = np.flatnonzero(ends & known[groups.group])
    group, none = groups.group[chosen], np.full(len(chosen), NONE)
    unsure = np.zeros(len(chosen), np.bool_)
    ties = group, groups.correlation[chosen]
    return Pairs(start_of[group], groups.event[chosen], *ties, none, none, unsure)


def quickly_bound(trace: Trace, table: Slices, plan: Plan, pairs: Pairs) -> Pairs:
    """The pairs with the slices that they bind to, where that is plain to see."""
    event, place = np.unique(np.concatenate([pairs.start, pairs.end]), return_inverse=True)
    found, sure = np.full(len(event), NONE), np.zeros(len(event), np.bool_)
    paired = np.zeros(len(trace.tracks), np.bool_)
    paired[distinct(trace.track[is_phase(trace, "BE") & (trace.ts != UNTIMED)])] = True
    points = np.flatnonzero(is_phase(trace, "iIR") & ~is_in(trace.bound, b"pg"))
    row = trace.track[event]
    for start, stop in table.track_ranges() if len(event) else ():
        number = int(table.track[start])
        here = np.flatnonzero(row == number)
        if len(here) and not paired[number]:
            own = np.sort(trace.ts[points[trace.track[points] == number]])
            slices, at = slices_between(table, start, stop), trace.ts[event[here]]
            found[here], sure[here] = _last_started(slices, at, own, set(plan.trims))
    moved = is_in(event, plan.moves) | is_in(np.maximum(found, 0), plan.moves)
    sure &= (found != NONE) & ~moved
    out, into = np.split(place, 2)
    return replace(pairs, out=found[out], into=found[into], sure=sure[out] & sure[into])


def _last_started(
    row: Slices, at: Ints, points: Ints, trimmed: set[int]
) -> tuple[Ints, NDArray[np.bool_]]:
    """The slice of a row that started last before some times, NONE for none; whether it is sure.

    Args:
        row: the slices of the row.
        at: the times.
        points: when there are instants on the row, ascending.
        trimmed: the slices that get another end.
    """
    first, behind = np.split(searched(row.ts, np.concatenate([at, at + 1])), 2)
    top = np.maximum(behind - 1, 0)
    event, since = row.event[top].astype(np.int64), row.ts[top]
    sure = row.end[top] > since
    sure &= np.searchsorted(points, since) == np.searchsorted(points, at, "right")
    if trimmed:
        sure &= (behind - first < 2) & ~is_in(event, trimmed)  # noqa: PLR2004  starts alone
    return np.where(behind > 0, event, NONE), sure


def is_right(trace: Trace, pairs: Pairs) -> NDArray[np.bool_]:
    """Which pairs Perfetto draws between a launch and work of one correlation, one arrow each."""
    there = (pairs.out != NONE) & (pairs.into != NONE)
    link = np.where(there, trace.link[pairs.out], NO_ID)
    right: NDArray[np.bool_] = (link != NO_ID) & (link == trace.link[pairs.into])
    right &= _is_drawn(trace, pairs) & (pairs.out != pairs.into)
    _, which, counts = np.unique(pairs.into, return_inverse=True, return_counts=True)
    right &= counts[which] == 1
    unlike = np.flatnonzero(right & (link != pairs.correlation))
    if len(unlike):  # their ids are no correlations, or those of other slices
        known = np.zeros(len(trace.links) + 1, np.bool_)
        known[trace.link[is_phase(trace, "XB")]] = True
        right[unlike[known[pairs.correlation[unlike]]]] = False
    return right


def _is_drawn(trace: Trace, pairs: Pairs) -> NDArray[np.bool_]:
    """Which pairs Perfetto draws at all: both bind to a slice, and `f` does not come before `s`."""
    ts_of_start, ts_of_end = trace.ts[pairs.start], trace.ts[pairs.end]
    forward = (ts_of_start < ts_of_end) | ((ts_of_start == ts_of_end) & (pairs.start < pairs.end))
    drawn: NDArray[np.bool_] = forward & (pairs.out != NONE) & (pairs.into != NONE)
    return drawn


def exactly_bound(trace: Trace, table: Slices, plan: Plan, pairs: Pairs, which: Ints) -> Pairs:
    """The pairs with the slices that Perfetto binds these to, all that it goes by considered."""
    event = np.unique(np.concatenate([pairs.start[which], pairs.end[which]]))
    top = _tops(trace, table, plan, event, _near(trace, table, event))
    far = np.flatnonzero(top == NONE)
    if len(far):
        rows = distinct(trace.track[event[far]]).tolist()
        top[far] = _tops(trace, table, plan, event[far], is_in(trace.track, rows))
    slices = []
    for flows, bound in ((pairs.start, pairs.out), (pairs.end, pairs.into)):
        place = np.minimum(np.searchsorted(event, flows), len(event) - 1)
        slices.append(np.where(event[place] == flows, top[place], bound))
    return replace(pairs, out=slices[0], into=slices[1])


def _tops(
    trace: Trace, table: Slices, plan: Plan, flows: Ints, is_wanted: NDArray[np.bool_]
) -> Ints:
    """The slice that Perfetto binds each flow event to, NONE for none, if it knows these events."""
    found = thread_events(trace, table, plan, is_wanted & (trace.ts != UNTIMED))
    entry = bindings(found, trace, plan, flows)
    if not len(found):
        return entry
    return np.where(entry == NONE, NONE, found.event[entry].astype(np.int64))


def _near(trace: Trace, table: Slices, flows: Ints) -> NDArray[np.bool_]:
    """The events among which are those that flow events bind to, if these started just before.

    Of tracks with B and E events, and of those on which a flow waits for the next slice, all.
    """
    near = np.zeros(len(trace), np.bool_)
    whole = np.zeros(len(trace.tracks), np.bool_)
    whole[distinct(trace.track[is_phase(trace, "BE")])] = True
    waits = (trace.phase[flows] == ord("f")) & (trace.bound[flows] != ord("e"))
    whole[trace.track[flows[waits]]] = True
    points = np.flatnonzero(is_phase(trace, "iIR"))
    row = trace.track[flows]
    for start, stop in table.track_ranges():
        number = int(table.track[start])
        at = trace.ts[flows[row == number]]
        if len(at) and not whole[number]:
            slices = slices_between(table, start, stop)
            behind = searched(slices.ts, at + 1)
            first = np.maximum(behind - _NEAR, 0)
            marks = np.zeros(len(slices) + 1, np.int32)
            np.add.at(marks, first, 1)
            np.add.at(marks, behind, -1)
            near[slices.event[np.cumsum(marks[:-1]) > 0]] = True
            own = points[trace.track[points] == number]
            since = np.sort(slices.ts[np.minimum(first, len(slices) - 1)])
            near[own[trace.ts[own] >= since[0]]] = True
    return near | whole[trace.track]
