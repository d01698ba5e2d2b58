"""Find the slices that need a lane or an end so that they are stacked as Perfetto stacks them."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import blocks, iterate_rows
from tp_tools.trace.model import is_phase
from tp_tools.trace.pairs import sorted_from
from tp_tools.trace.slices import lanes_of
from tp_tools.trace.sparse_column import SparseColumn
from tp_tools.writing.pftrace.planned_times import NEVER
from tp_tools.writing.pftrace.unended import Step, ends_of_unended

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import Place, ThreadEvents

LEVELS = 512
"""Number of nested slices that Perfetto shows on a track: SliceTracker::kMaxDepth, v52 to v58."""

DEEPER = 1 << 20
"""Added to the lane of a slice once for every LEVELS slices around it."""


def ended_as_perfetto(
    trace: Trace, events: ThreadEvents, plan: Plan, is_written: NDArray[np.bool_]
) -> tuple[SparseColumn, SparseColumn]:
    """End slices without an E event as Perfetto does; see `unended`.

    One that never ends gets a lane of its own where the slice around it does end: no packet could
    end that slice alone.

    Returns:
        Lane by event, and end by event, ns, of the slices that get one.
    """
    lanes: dict[int, int] = {}
    ends: dict[int, int] = {}

    def holds_unended(place: Place) -> bool:
        return bool((events.end[place.rows] == NEVER).any())

    start = sorted_from(trace) - plan.rebase_ns
    for place, steps in steps_of_places(trace, events, plan, is_written, holds_unended):
        forced = ends_of_unended(steps, start)
        ts, end = events.ts[place.rows], events.end[place.rows].copy()
        never = np.flatnonzero(end == NEVER)
        for i, at in forced.items():
            if end[i] == NEVER:
                end[i] = at
        event = events.event[place.rows]
        latest = np.maximum.accumulate(np.where(end == NEVER, -NEVER, end))[never]
        is_unended = end[never] == NEVER
        apart = event[never[is_unended & (latest > ts[never])]]
        lanes.update(dict.fromkeys(apart.tolist(), place.lane + DEEPER))
        ended = never[~is_unended]
        ends.update(zip(event[ended].tolist(), end[ended].tolist(), strict=True))
    return SparseColumn.of(lanes), SparseColumn.of(ends)


def steps_of_places(
    trace: Trace,
    events: ThreadEvents,
    plan: Plan,
    is_written: NDArray[np.bool_],
    is_chosen: Callable[[Place], bool],
) -> Iterator[tuple[Place, list[Step]]]:
    """Yield the chosen places with all that starts or ends there, slices numbered from 0."""
    strays = stray_ends(trace, events, plan, is_written)
    for place in filter(is_chosen, events.places):
        yield place, [*_steps(events, place), *strays.get((place.track, place.lane), ())]


def _steps(events: ThreadEvents, place: Place) -> Iterator[Step]:
    """Yield the starts and the E events of the slices of a place."""
    here = place.rows
    columns = (events.event[here], events.closing[here], events.ts[here], events.end[here])
    complete = events.is_complete(here).tolist()
    for i, (event, closing, ts, end) in enumerate(iterate_rows(*columns)):
        is_known = closing < 0 and end != NEVER
        key = ts - end if complete[i] else 0
        yield Step(ts, 1, key, event, i, end if is_known else None)
        if closing >= 0:
            yield Step(end, 0, 0, closing, i)


def stray_ends(
    trace: Trace, events: ThreadEvents, plan: Plan, is_written: NDArray[np.bool_]
) -> dict[tuple[int, int], list[Step]]:
    """Return the E events that end no slice, by track and lane."""
    if not any((trace.phase[block] == ord("E")).any() for block in blocks(len(trace))):
        return {}
    is_stray = is_phase(trace, "E") & is_written
    is_stray[events.closing[events.closing >= 0]] = False
    stray = np.flatnonzero(is_stray)
    found: dict[tuple[int, int], list[Step]] = defaultdict(list)
    lanes = lanes_of(stray, plan.moves)
    columns = (stray, trace.track[stray], lanes, trace.ts[stray] - plan.rebase_ns)
    for event, track, lane, ts in iterate_rows(*columns):
        found[track, lane].append(Step(ts, 0, 0, event, -1))
    return found


def deep_lanes(events: ThreadEvents) -> SparseColumn:
    """Put slices nested deeper than Perfetto shows on lanes of their own.

    Returns:
        The lane of each such slice, by event.
    """
    event, lane = [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for place in events.places:
        if place.stop - place.start <= LEVELS:
            continue
        open_before = _Open(np.empty(0, np.int64), 0, 0)
        for block in blocks(place.stop - place.start):
            rows = slice(place.start + block.start, place.start + block.stop)
            depth, open_before = _depth(events.ts[rows], events.end[rows], open_before)
            deep = np.flatnonzero(depth >= LEVELS)
            event.append(events.event[rows][deep].astype(np.int64))
            lane.append(place.lane + depth[deep] // LEVELS * DEEPER)
    return SparseColumn(np.concatenate(event), np.concatenate(lane))


class _Open(Struct, frozen=True):
    """What of a place lies behind a block of its rows and may hold later ones.

    Attributes:
        ends: int64, ends of the slices that are still open, ns.
        point: time of the last event of 0 ns.
        points: number of events of 0 ns at that time.
    """

    ends: Ints
    point: int
    points: int


def _depth(ts: Ints, end: Ints, before: _Open) -> tuple[Ints, _Open]:
    """Count the slices of its track and lane that each event lies in.

    Events of 0 ns at one time lie in each other, in the order of the table.

    Args:
        ts: int64 (n,), starts of consecutive rows, ns.
        end: int64 (n,), their ends, ns.
        before: what lies before them.

    Returns:
        int64 (n,), and what lies before the next rows.
    """
    is_long = end > ts
    ends = np.sort(np.concatenate([before.ends, end[is_long]]))
    started = len(before.ends) + np.cumsum(is_long) - is_long
    depth: Ints = started - np.searchsorted(ends, ts, "right")
    points = ts[~is_long]
    same = np.arange(len(points)) - np.searchsorted(points, points)
    point, count = before.point, before.points
    if len(points):
        same[points == point] += count
        count = int(same[-1]) + 1
        point = int(points[-1])
        depth[~is_long] += same
    return depth, _Open(ends[np.searchsorted(ends, ts[-1], "right") :], point, count)
