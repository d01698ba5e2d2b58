"""Find ends of flows from which Perfetto would draw an arrow that was never recorded.

An `f` without `"bp": "e"` waits for the next slice on its track, and ends its flow there. If the
flow has not begun by then, or its `s` lies in no slice, Perfetto draws an arrow from the first
slice of the trace. Source: perfetto v52.0, importers/common/flow_tracker.cc
(`ClosePendingEventsOnTrack` looks the flow up in a map that makes slice 0 of what it lacks); tried
in v52.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import distinct, is_in
from tp_tools.repair.flow_bindings import bound_slices
from tp_tools.trace.flow_slices import NONE
from tp_tools.trace.model import waits

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.flow_groups import FlowGroups
    from tp_tools.trace.model import Ints


def invented_ends(trace: Trace, table: Slices, plan: Plan, groups: FlowGroups) -> list[int]:
    """List the flow events that have to be left out.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: all other repairs.
        groups: the flow events as the profiler joined them.

    Returns:
        Numbers of events `f`, ascending.
    """
    phase = trace.phase[groups.event]
    written = ~is_in(groups.event, plan.flows.left_out)
    waiting = written & waits(trace, groups.event)
    if not waiting.any():
        return []
    of_waiting = np.zeros(len(groups.is_launch), np.bool_)
    of_waiting[groups.group[waiting]] = True
    starts = np.flatnonzero(written & (phase == ord("s")) & of_waiting[groups.group])
    start, event = groups.event[starts], groups.event[waiting]
    both = np.concatenate([start, event])
    on_their_tracks = is_in(trace.track, distinct(trace.track[both]).tolist())
    slices = bound_slices(trace, table, plan, both, on_their_tracks)
    begins, bound = slices[: len(start)] != NONE, slices[len(start) :]
    first = _first_of_groups(trace, start[begins], groups.group[starts[begins]], len(of_waiting))
    is_begun = _is_before(trace, plan, first[groups.group[waiting]], bound)
    invented: list[int] = event[(bound != NONE) & ~is_begun].tolist()
    return invented


def _first_of_groups(trace: Trace, start: Ints, group: Ints, count: int) -> Ints:
    """Return the flow event that begins each of `count` groups, NONE where none does.

    Args:
        trace: the trace.
        start: int (n,), numbers of events `s` that lie in a slice; others begin no flow.
        group: int (n,), their groups.
        count: number of groups.
    """
    order = np.lexsort((start, trace.ts[start], group))
    groups, at = np.unique(group[order], return_index=True)
    first = np.full(count, NONE)
    first[groups] = start[order][at]
    return first


def _is_before(trace: Trace, plan: Plan, start: Ints, bound: Ints) -> NDArray[np.bool_]:
    """Mark flow events that Perfetto reads before a slice; False where one of both is NONE.

    Of events of one time it reads X events with a duration first, and all others in the order of
    the file.

    Args:
        trace: the trace.
        plan: the trims.
        start: int (n,), numbers of flow events.
        bound: int (n,), numbers of slices.
    """
    ends = trace.ts[bound] + trace.dur[bound]
    if plan.trims:
        ends = np.array([*map(plan.trims.get, bound.tolist(), ends.tolist())], np.int64)
    lasts = (trace.phase[bound] == ord("X")) & (ends > trace.ts[bound])
    together = (trace.ts[start] == trace.ts[bound]) & ~lasts & (start < bound)
    before: NDArray[np.bool_] = (trace.ts[start] < trace.ts[bound]) | together
    before &= (start != NONE) & (bound != NONE)
    return before
