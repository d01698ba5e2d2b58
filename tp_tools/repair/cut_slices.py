"""Find the slices that Perfetto ends sooner in JSON than recorded, where B events hold them.

At one time Perfetto v52 handles X events, longest first, before B events in the order of the file.
Each holds those that it handles later. So a slice of B and E events is inside X events that start
with it, and inside pairs that start with it and stand before it in the file; where one of these
ends sooner, it ends the slice with itself. Where the order of the file counts for E events, too
(`sorted_from`), a pair may be inside one that ends when it starts. A B event without an E event
ends with the slice around it, and ends what it holds. The E event of a slice that has ended then
ends another one, if it can. Sources: Perfetto v52.0, sorter/trace_sorter.cc and
importers/common/slice_tracker.cc, MaybeCloseStack. A `.pftrace` gives the slices in their order.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import distinct, is_in, iterate_rows, unique
from tp_tools.formatting import plural
from tp_tools.trace.model import is_phase
from tp_tools.trace.pairs import can_end, sorted_from
from tp_tools.trace.slices import on_lanes, subset, with_ends
from tp_tools.writing.pftrace.arrangement import planned_events
from tp_tools.writing.pftrace.planned_times import NEVER
from tp_tools.writing.pftrace.stacking import steps_of_places
from tp_tools.writing.pftrace.unended import ends_in_json, ends_of_unended

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import Place


class CutSlices(Struct, frozen=True):
    """The slices that Perfetto ends in JSON at another time than that of their own E event or dur.

    Attributes:
        ends: the end that Perfetto gives each, ns, rebased, by event; B events without an E event
            that it ends are among them.
        sooner: number of slices that it ends sooner in JSON than in a `.pftrace`.
    """

    ends: dict[int, int]
    sooner: int


def cut_slices(trace: Trace, table: Slices, plan: Plan, is_written: NDArray[np.bool_]) -> CutSlices:
    """Find the slices that Perfetto ends sooner in JSON.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: lanes and ends after the repair.
        is_written: bool (events,), the events to write.
    """
    begins = np.count_nonzero(is_phase(trace, "B") & is_written)
    if not begins:
        return CutSlices({}, 0)
    start = sorted_from(trace)
    paired = np.flatnonzero(table.closing >= 0)
    cut = _cut_pairs(table, paired, plan, start) if len(paired) else paired
    if not len(cut) and len(paired) == begins:
        return CutSlices({}, 0)
    events = planned_events(trace, table, plan, is_written)
    ends, sooner = dict[int, int](), 0

    def is_cut(place: Place) -> bool:
        rows = place.rows
        return bool((events.end[rows] == NEVER).any() or np.isin(events.event[rows], cut).any())

    for place, steps in steps_of_places(trace, events, plan, is_written, is_cut):
        event, planned = events.event[place.rows].tolist(), events.end[place.rows].tolist()
        in_json = ends_in_json(steps, partial(can_end, trace), start - plan.rebase_ns)
        in_pftrace = ends_of_unended(steps, start - plan.rebase_ns)
        for i, at in in_json.items():
            if at != planned[i]:
                ends[event[i]] = at
                sooner += at < (in_pftrace.get(i, NEVER) if planned[i] == NEVER else planned[i])
    return CutSlices(ends, sooner)


def _cut_pairs(table: Slices, paired: Ints, plan: Plan, start: int) -> Ints:
    """Find the slices of B and E events that are inside one that ends sooner.

    Args:
        table: all slices, with recorded ends.
        paired: indices of those of B and E events.
        plan: their lanes and ends.
        start: time from which E events come before B events of their time, ns.

    Returns:
        Numbers of their B events.
    """
    near = subset(table, np.flatnonzero(is_in(table.track, distinct(table.track[paired]).tolist())))
    near = on_lanes(with_ends(near, plan.trims), plan.moves)
    found = _starting_together(near)
    return np.concatenate([found, _starting_at_an_end(near, start)])


def _starting_together(near: Slices) -> Ints:
    """Find the pairs that are inside a slice of the same start that ends sooner."""
    track, ts, end = near.track, near.ts[:], near.end[:]
    starts_new = np.ones(len(near), np.bool_)
    starts_new[1:] = (np.diff(track) != 0) | (np.diff(ts) != 0)
    group = np.cumsum(starts_new) - 1
    is_pair = near.closing >= 0
    # of the X events of a group, which are sorted longest first, the last that is no point
    holders = np.flatnonzero(~is_pair & (end > ts))
    ends_first = np.full(len(near), NEVER)
    ends_first[group[holders]] = end[holders]
    pairs = np.flatnonzero(is_pair)
    pairs = pairs[np.lexsort((near.event[pairs], group[pairs]))]
    is_cut = _ends_with_another(subset(near, pairs), group[pairs], ends_first[group[pairs]])
    return near.event[pairs[is_cut]]


def _starting_at_an_end(near: Slices, start: int) -> Ints:
    """Find the pairs before `start` that start when another ends whose E event stands behind."""
    ts, end, closing = near.ts[:], near.end[:], near.closing
    times = unique(ts[ts < start])
    times = times[np.isin(times, end[end > ts])]
    if not len(times):
        return np.empty(0, np.int64)
    track = near.track.astype(np.int64) * len(times)
    place = np.searchsorted(times, end)
    holders = np.flatnonzero((end > ts) & (times[np.minimum(place, len(times) - 1)] == end))
    key, last = track[holders] + place[holders], closing[holders]
    order = np.lexsort((last, key))
    key, last = key[order], last[order]
    begins = np.flatnonzero((closing >= 0) & (end > ts) & np.isin(ts, times))
    begin_key = track[begins] + np.searchsorted(times, ts[begins])
    at = np.searchsorted(key, begin_key, "right") - 1  # the one whose E event stands last
    is_inside = (at >= 0) & (key[at] == begin_key) & (last[at] > near.event[begins])
    found: Ints = near.event[begins[is_inside]]
    return found


def _ends_with_another(pairs: Slices, group: Ints, ends_first: Ints) -> list[bool]:
    """Tell of each pair whether one of the same start, in which it is, ends sooner.

    A pair of 0 ns holds those whose B event stands before its E event.

    Args:
        pairs: the n pairs, by group, then by event.
        group: int (n,), a number for those of one track and start.
        ends_first: int (n,), the soonest end of the X events of the group, ns.
    """
    found, before, soonest, open_until = [], -1, NEVER, -1
    columns = (group, pairs.event, pairs.closing, pairs.ts[:], pairs.end[:], ends_first)
    for number, begin, last, at, own, around in iterate_rows(*columns):
        if number != before:
            before, soonest, open_until = number, around, -1
        found.append(soonest < own or (at < own and begin < open_until))
        if own > at:
            soonest = min(soonest, own)
        else:
            open_until = max(open_until, last)
    return found


def cut_text(count: int) -> str:
    """Say how many slices Perfetto ends too soon, and where it does not."""
    return (
        f"{plural(count, 'slice')} of or inside B and E events: Perfetto v51-56 ends them sooner "
        "than recorded, by one of the same start or without an E. In a .pftrace they are whole"
    )
