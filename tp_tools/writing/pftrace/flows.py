"""Bind flow events to slices by Perfetto's rules, on the slices of the plan.

A flow event binds to the slice on top of its track's stack. There a slice stays after its end,
until the next one starts or an E event comes. `s` begins a flow, `t` and `f` continue it; an `f`
without `"bp": "e"` binds to the next slice that starts. A flow is drawn from the slice that
starts first. Source: perfetto v52.0, importers/common/flow_tracker.cc and slice_tracker.cc,
importers/json/json_trace_parser.cc; the same in v58.2.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import blocks, distinct, group_order, indices_of, is_in, rows_where, take
from tp_tools.trace.flow_groups import read_codes
from tp_tools.trace.model import UNTIMED, waits
from tp_tools.trace.slice_times import searched, time_view
from tp_tools.trace.slices import lanes_of
from tp_tools.trace.sparse_column import SparseColumn
from tp_tools.writing.pftrace.flow_sources import NONE, sources
from tp_tools.writing.pftrace.planned_times import NEVER
from tp_tools.writing.pftrace.slice_stack import stack_tops
from tp_tools.writing.pftrace.stacking import DEEPER, stray_ends

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.columns import Empty
    from tp_tools.trace import Plan, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import Codes, Place, ThreadEvents


class Flows(Struct, frozen=True):
    """Flows between slices.

    Columns:
        out: int32, row of ThreadEvents where the flow starts.
        into: int32, row where it ends; this slice starts no earlier.
    """

    out: Codes
    into: Codes

    def __len__(self) -> int:
        return len(self.out)

    def at_one_time(
        self, events: ThreadEvents, empty: Empty = np.empty
    ) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Mark flows between two slices that start at one time: only order tells their direction.

        Returns:
            Two bool arrays (flows,): the target has a later END packet, which carries the end of
            the flow; the target has none, so that its packet has to follow that of the source.
        """
        has_end, has_none = (empty(len(self), np.bool_) for _ in range(2))
        for block in blocks(len(self)):
            out, into = self.out[block], self.into[block]
            ts, end = events.ts[into], events.end[into]
            tied = (events.ts[out] == ts) & (out != into)
            has_end[block] = tied & (end > ts) & (end != NEVER)
            has_none[block] = tied & ~has_end[block]
        return has_end, has_none


class _FlowEvents(Struct, frozen=True):
    """Flow events and the slices that they bind to.

    Columns:
        event: int32, number in the file.
        ts: int64 ns, rebased.
        is_next: bool, whether it binds to the next slice that starts on the track.
        slice: int32, row of ThreadEvents that it binds to, NONE where there is none.
    """

    event: Codes
    ts: Ints
    is_next: NDArray[np.bool_]
    slice: Codes


def flows(trace: Trace, plan: Plan, events: ThreadEvents, is_written: NDArray[np.bool_]) -> Flows:
    """List all flows that Perfetto would draw.

    Args:
        trace: the trace.
        plan: lanes and ids of flow events.
        events: the slices to bind to.
        is_written: bool (events,), the events of the file that are written.
    """
    empty = trace.scratch.empty
    pick = partial(take, empty=empty)

    def is_flow(block: slice) -> NDArray[np.bool_]:
        return is_in(trace.phase[block], b"stf") & is_written[block]

    event = rows_where(len(trace), is_flow, empty)
    number = _numbers(trace, plan, event)
    has_id = rows_where(len(event), lambda block: number[block] != NONE, empty)
    event, number = pick(event, has_id), pick(number, has_id)
    bound = _bound(events, trace, plan, event)
    chosen = _in_order(events, bound, empty)
    event, number, slices = pick(event, chosen), pick(number, chosen), pick(bound.slice, chosen)
    del bound, chosen, has_id  # arrays of this function are most of the memory of a layout
    cat, name = pick(trace.cat, event), pick(trace.name, event)
    order = np.lexsort((number, cat, name)).astype(np.int32)
    event, number, slices = pick(event, order), pick(number, order), pick(slices, order)
    key = number, pick(cat, order), pick(name, order)
    source = sources(pick(trace.phase, event), key, empty)
    drawn = rows_where(len(source), lambda block: source[block] != NONE, empty)
    out, into = pick(slices, pick(source, drawn)), pick(slices, drawn)
    if plan.flows.arrows:
        more = _by_identity(events, plan)
        out, into = (
            np.concatenate(it).astype(np.int32) for it in zip((out, into), more, strict=True)
        )
    is_backward = rows_where(len(out), lambda block: events.ts[out[block]] > events.ts[into[block]])
    out[is_backward], into[is_backward] = into[is_backward], out[is_backward]
    return Flows(out, into)


def _numbers(trace: Trace, plan: Plan, event: Codes) -> Ints:
    """Number the id of each flow event, equally where Perfetto takes two ids for one."""
    empty = trace.scratch.empty
    number = read_codes(trace.links, take(trace.link, event, empty), empty)
    renamed = plan.flows.ids
    at = indices_of(event, renamed)
    new_ids = np.array([renamed[one] for one in event[at].tolist()], np.int64)
    number[at] = 2 * len(trace.links) + np.unique(new_ids, return_inverse=True)[1]
    return number


def bindings(events: ThreadEvents, trace: Trace, plan: Plan, event: Ints) -> Codes:
    """Bind flow events to slices as Perfetto does.

    Args:
        events: the slices to bind to.
        trace: the trace.
        plan: lanes of flow events.
        event: int (n,), numbers of the flow events.

    Returns:
        int32 (n,), the row of `events` of each, NONE for none.
    """
    return _bound(events, trace, plan, event.astype(np.int32)).slice


def _by_identity(events: ThreadEvents, plan: Plan) -> tuple[Ints, Ints]:
    """Return the rows of both slices of each flow that the plan draws by `bind_id`."""
    ends = np.array(plan.flows.arrows, np.int64).reshape(-1, 2)
    rows = indices_of(events.event, distinct(ends.ravel()))
    row_of = SparseColumn(events.event[rows], rows)
    both = row_of.has(ends[:, 0]) & row_of.has(ends[:, 1])
    out, into = np.zeros((2, int(both.sum())), np.int64)
    row_of.put(ends[both, 0], out)
    row_of.put(ends[both, 1], into)
    return out, into


def _bound(events: ThreadEvents, trace: Trace, plan: Plan, event: Codes) -> _FlowEvents:
    """Bind flow events to slices."""
    empty = trace.scratch.empty
    flows = _FlowEvents(event, *(empty(len(event), it) for it in (np.int64, np.bool_, np.int32)))
    for block in blocks(len(event)):
        flows.ts[block] = trace.ts[event[block]] - plan.rebase_ns
        flows.is_next[block] = waits(trace, event[block])
        flows.slice[block] = NONE
    lane, track = lanes_of(event, plan.moves, empty), take(trace.track, event, empty)
    number_of: dict[tuple[int, int], int] = {}
    for place in events.places:
        number_of.setdefault((place.track, place.lane % DEEPER), len(number_of))
    codes = SparseColumn.of({(t << 32) + on: i for (t, on), i in number_of.items()})

    def place_of(block: slice) -> Ints:
        """Return the number of the place of each flow event of a block."""
        found = np.full(len(event[block]), len(number_of))
        codes.put((track[block].astype(np.int64) << 32) + lane[block], found)
        return found

    strays = stray_ends(trace, events, plan, trace.ts != UNTIMED)
    order, edges = group_order(len(event), len(number_of) + 1, place_of, empty)
    for key, entries in _by_track(events).items():
        number = number_of[key]
        here = order[edges[number] : edges[number + 1]]
        for block in blocks(len(here)):
            flows.slice[here[block]] = _neighbours(events, entries, flows, here[block])
        if len(here) and (key in strays or _holds_begins(events, entries)):
            to_top = here[~flows.is_next[here]]
            tops = stack_tops(events, entries, event[to_top], flows.ts[to_top], strays.get(key, ()))
            flows.slice[to_top] = tops
    return flows


def _holds_begins(events: ThreadEvents, entries: slice | Ints) -> bool:
    """Tell whether a track holds B events, whose slices stay on its stack until they are ended."""
    numbers = events.event[entries]
    return any((events.phase[numbers[block]] == ord("B")).any() for block in blocks(len(numbers)))


def _by_track(events: ThreadEvents) -> dict[tuple[int, int], slice | Ints]:
    """Return the rows of each track and lane by time, those too deep for the track included."""
    places: dict[tuple[int, int], list[Place]] = {}
    for place in events.places:
        places.setdefault((place.track, place.lane % DEEPER), []).append(place)
    tracks: dict[tuple[int, int], slice | Ints] = {}
    for key, several in places.items():
        tracks[key] = several[0].rows
        if len(several) > 1:
            entries = np.concatenate([np.arange(place.start, place.stop) for place in several])
            tracks[key] = entries[np.lexsort((events.ts[entries],))]
    return tracks


def _neighbours(
    events: ThreadEvents, entries: slice | Ints, flows: _FlowEvents, here: Codes
) -> Ints:
    """Find the slice that started last before each flow event of a track, or starts next.

    Args:
        events: slices of all threads.
        entries: the n rows of `events` on the track, by time.
        flows: all flow events.
        here: int32 (m,), rows of `flows` on the track.

    Returns:
        int (m,), rows of `events`, NONE for none.
    """
    at = flows.ts[here]
    if isinstance(entries, slice):
        ts, count = time_view(events.ts, entries), entries.stop - entries.start
    else:
        ts, count = events.ts[entries], len(entries)
    last = searched(ts, at + 1) - 1
    ties = np.flatnonzero(last >= 0)
    ties = ties[ts[last[ties]] == at[ties]]
    if len(ties):
        last[ties] = _stepped_back(events, entries, flows.event[here[ties]], last[ties])
    target = last + flows.is_next[here]
    slices = np.full(len(here), NONE)
    exists = (target >= 0) & (target < count)
    found = target[exists]
    slices[exists] = found + entries.start if isinstance(entries, slice) else entries[found]
    return slices


def _stepped_back(events: ThreadEvents, entries: slice | Ints, flow: Codes, last: Ints) -> Ints:
    """Pass over slices that start with a flow event, but come after it in the file.

    At one time X events come first, all others in the order of the file.

    Args:
        events: slices of all threads.
        entries: the rows of `events` on the track, by time.
        flow: int32 (m,), event numbers of the flow events.
        last: int (m,), place in `entries` of the slice that started last, at their time.

    Returns:
        int (m,), place in `entries` of the slice before each, -1 for none.
    """
    rows = last + entries.start if isinstance(entries, slice) else entries[last]
    may_step = ~events.is_complete(rows) | (events.end[rows] == events.ts[rows])
    if not may_step.any():
        return last
    ts, event, last = events.ts[entries], events.event[entries], last.copy()
    is_later = ~events.is_complete(entries) | (events.end[entries] == ts)
    for i in np.flatnonzero(may_step).tolist():
        at = ts[last[i]]
        while last[i] >= 0 and ts[last[i]] == at and is_later[last[i]]:
            if event[last[i]] < flow[i]:
                break
            last[i] -= 1
    return last


def _in_order(events: ThreadEvents, flows: _FlowEvents, empty: Empty) -> Codes:
    """List the flow events that bind, in the order of binding.

    A flow event that waits for the next slice binds when that starts: of events of one time, X
    events with a duration come first, and all others in the order of the file.

    Returns:
        int32, rows of `flows`.
    """
    binds = rows_where(len(flows.slice), lambda block: flows.slice[block] != NONE, empty)
    event, number = (take(flows.event, binds, empty) for _ in range(2))
    ts, is_late = take(flows.ts, binds, empty), empty(len(binds), np.bool_)
    is_late[:] = True
    waited = rows_where(len(binds), lambda block: flows.is_next[binds[block]])
    slices = flows.slice[binds[waited]]
    number[waited], ts[waited] = events.event[slices], events.ts[slices]
    is_late[waited] = ~(events.is_complete(slices) & (events.end[slices] > ts[waited]))
    return take(binds, np.lexsort((event, number, is_late, ts)), empty)
