"""Find ends of flows from which Perfetto would draw an arrow that was never recorded.

An `f` without `"bp": "e"` waits for the next slice on its track, and ends its flow there. If the
flow has not begun by then, Perfetto draws an arrow from the first slice of the trace. Source:
perfetto v52.0, importers/common/flow_tracker.cc (`ClosePendingEventsOnTrack` looks the flow up in a
map that makes slice 0 of what it lacks); tried in v52.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import distinct, is_in
from tp_tools.repair.flow_bindings import bound_slices
from tp_tools.trace.flow_slices import NONE

if TYPE_CHECKING:
    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.flow_groups import FlowGroups


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
    waits = (trace.phase[groups.event] == ord("f")) & (trace.bound[groups.event] != ord("e"))
    if not waits.any():
        return []
    written = ~is_in(groups.event, plan.flows.left_out)
    is_start = (trace.phase[groups.event] == ord("s")) & written
    first = np.full(len(groups.is_launch), len(trace))
    np.minimum.at(first, groups.group[is_start], groups.event[is_start])
    early = np.full(len(groups.is_launch), np.iinfo(np.int64).max)
    np.minimum.at(early, groups.group[is_start], trace.ts[groups.event[is_start]])
    here = waits & written & (early[groups.group] >= trace.ts[groups.event])
    event, group = groups.event[here], groups.group[here]
    if not len(event):
        return []
    on_their_tracks = is_in(trace.track, distinct(trace.track[event]).tolist())
    bound = bound_slices(trace, table, plan, event, on_their_tracks)
    begins = trace.ts[bound]
    is_begun = (early[group] < begins) | ((early[group] == begins) & (first[group] < bound))
    invented: list[int] = event[(bound != NONE) & ~is_begun].tolist()
    return invented
