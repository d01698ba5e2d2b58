"""List the slices and instants of threads, with the times and lanes of the plan, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.columns import blocks, group_order, is_in, rows_where, take, unique
from tp_tools.trace.model import is_phase
from tp_tools.trace.slice_times import Recorded
from tp_tools.trace.slices import sort_by_time
from tp_tools.trace.sparse_column import SparseColumn
from tp_tools.writing.pftrace.planned_times import NEVER, PlannedTimes
from tp_tools.writing.pftrace.stacking import deep_lanes, ended_as_perfetto
from tp_tools.writing.pftrace.thread_events import Place, ThreadEvents

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import Codes

_LANE_BITS = 32


def thread_events(
    trace: Trace, table: Slices, plan: Plan, is_written: NDArray[np.bool_]
) -> ThreadEvents:
    """List all slices and instants of threads.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: lanes and ends after the repair.
        is_written: bool (events,), the events to write.
    """
    unended = _unended(trace, table, is_written)
    arranging, events = _as_planned(trace, table, plan, is_written, unended)
    if len(unended):
        lanes, ends = ended_as_perfetto(trace, events, plan, is_written)
        arranging = replace(
            arranging,
            lanes=arranging.lanes.changed(lanes.keys, lanes.values),
            ends=arranging.ends.changed(ends.keys, ends.values),
        )
        events = arranging.arranged(events.event)
    deep = deep_lanes(events)
    if not len(deep):
        return events
    lanes = arranging.lanes.changed(deep.keys, deep.values)
    return replace(arranging, lanes=lanes).arranged(events.event)


def planned_events(
    trace: Trace, table: Slices, plan: Plan, is_written: NDArray[np.bool_]
) -> ThreadEvents:
    """List all slices and instants of threads; those without an E event end NEVER.

    Args: as of `thread_events`.
    """
    return _as_planned(trace, table, plan, is_written, _unended(trace, table, is_written))[1]


def _as_planned(
    trace: Trace, table: Slices, plan: Plan, is_written: NDArray[np.bool_], unended: Ints
) -> tuple[_Arranging, ThreadEvents]:
    """Return the table as the plan has it, and what made it."""
    instants = _instants(trace)
    instants = instants[is_written[instants]]
    arranging = _arranging(trace, table, plan, unended)
    empty = trace.scratch.empty
    is_kept = take(is_written, table.event, empty)
    is_table = not (len(instants) or len(unended) or plan.moves or plan.trims)
    if is_table and is_kept.all():
        places = [Place(*rows, int(table.track[rows[0]]), 1) for rows in table.track_ranges()]
        events = arranging.table(table.event, places)
    else:
        rows = rows_where(len(table), is_kept.__getitem__, empty)
        chosen = take(table.event, rows, empty)
        kept = chosen, instants.astype(np.int32), unended.astype(np.int32)
        event = empty(sum(map(len, kept)), np.int32)
        events = arranging.arranged(np.concatenate(kept, out=event))
    return arranging, events


class _Arranging(Struct, frozen=True):
    """Puts events in the order of ThreadEvents.

    Attributes:
        trace: the trace.
        closing_of: E event by event, -1 for none; None if there are no pairs.
        lanes: lane by event; 1 for all others.
        ends: ends by event, ns, rebased, that are not as recorded.
        rebase_ns: ns subtracted from recorded times.
    """

    trace: Trace
    closing_of: Codes | None
    lanes: SparseColumn
    ends: SparseColumn
    rebase_ns: int

    def arranged(self, event: Codes) -> ThreadEvents:
        """Return the table of events that are given in any order."""
        every = np.arange(len(self.trace.tracks), dtype=np.int64) << _LANE_BITS
        lanes = np.concatenate([every + 1, self._places(self.lanes.keys)])
        places = unique(lanes)
        empty = self.trace.scratch.empty
        order, edges = group_order(
            len(event),
            len(places),
            lambda block: np.searchsorted(places, self._places(event[block])),
            empty,
        )
        event = take(event, order, empty)
        found = [
            Place(start, stop, place >> _LANE_BITS, place & (1 << _LANE_BITS) - 1)
            for start, stop, place in zip(
                edges[:-1].tolist(), edges[1:].tolist(), places.tolist(), strict=True
            )
            if start < stop
        ]
        for place in found:
            sort_by_time(event[place.rows], self._times, empty=empty)
        return self.table(event, found)

    def table(self, event: Codes, places: list[Place]) -> ThreadEvents:
        """Return the table of events that are in order."""
        ts, end = self._times(event)
        return ThreadEvents(event, ts.recorded.closing, ts, end, places, self.trace.phase)

    def _places(self, event: Ints) -> Ints:
        """Return a number by event that tells track and lane, and sorts by them."""
        lane = np.ones(len(event), np.int64)
        self.lanes.put(event, lane)
        track = self.trace.track[event].astype(np.int64)
        return (track << _LANE_BITS) + lane

    def _times(self, event: Codes) -> tuple[PlannedTimes, PlannedTimes]:
        """Return the starts and ends of events."""
        none = np.broadcast_to(np.int32(-1), len(event))  # takes no memory
        closing = none
        if self.closing_of is not None:
            closing = take(self.closing_of, event, self.trace.scratch.empty)
        ts, end = (Recorded(self.trace, event, closing, at_end) for at_end in (False, True))
        ends = self.ends if len(self.ends) else None
        return PlannedTimes(ts, self.rebase_ns), PlannedTimes(end, self.rebase_ns, ends)


def _arranging(trace: Trace, table: Slices, plan: Plan, unended: Ints) -> _Arranging:
    """Return what puts the events of a trace in order; `unended` are the slices without an end."""
    closing_of: Codes | None = None
    if any((table.closing[block] >= 0).any() for block in blocks(len(table))):
        closing_of = trace.scratch.empty(len(trace), np.int32)
        closing_of[:] = -1
        for block in blocks(len(table)):
            closing_of[table.event[block]] = table.closing[block]
    trims = SparseColumn.of(plan.trims)
    ends = SparseColumn(trims.keys, trims.values - plan.rebase_ns)
    if len(unended):
        ends = ends.changed(unended, np.full(len(unended), NEVER))
    return _Arranging(trace, closing_of, SparseColumn.of(plan.moves), ends, plan.rebase_ns)


def _instants(trace: Trace) -> Ints:
    """List the instants of threads; process and global instants are on no thread."""

    def is_instant(block: slice) -> NDArray[np.bool_]:
        return is_in(trace.phase[block], b"iIR") & ~is_in(trace.bound[block], b"pg")

    return rows_where(len(trace), is_instant, trace.scratch.empty)


def _unended(trace: Trace, table: Slices, is_written: NDArray[np.bool_]) -> Ints:
    """List the B events without an E event that are written."""
    is_unended = is_phase(trace, "B") & is_written
    if is_unended.any():
        for block in blocks(len(table)):
            is_unended[table.event[block]] = False
    return np.flatnonzero(is_unended)
