"""Arrows: which slice each flow event belongs to, so that it follows when the slice moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.events import is_phase

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.chrome.events import Ints, Trace
    from tp_tools.slices import Slices


def following(trace: Trace, table: Slices, lane_of: Mapping[int, int]) -> dict[int, int]:
    """The lane of each flow event whose slice moves.

    A flow event belongs to the slice of its row that starts with it: the one with its correlation,
    else the shortest. Where none starts then, to the innermost one that is open.

    Args:
        trace: the trace.
        table: its slices.
        lane_of: lane by event of the slices that move.
    """
    moved = np.fromiter(lane_of, np.int64, len(lane_of))
    rows = set(trace.track[moved].tolist())
    flows = np.flatnonzero(is_phase(trace, "stf"))
    follow = {}
    for start, stop in table.row_ranges():
        row = int(table.row[start])
        if row in rows:
            on_row = flows[trace.track[flows] == row]
            owners = _owners(trace, on_row, table, start, stop)
            for flow, owner in zip(on_row.tolist(), owners.tolist(), strict=True):
                if owner in lane_of:
                    follow[flow] = lane_of[owner]
    return follow


def _owners(trace: Trace, flows: Ints, table: Slices, start: int, stop: int) -> Ints:
    """The slice's event of each flow event of one row; -1 where there is none."""
    events, ts, end = table.event[start:stop], table.ts[start:stop], table.end[start:stop]
    at = trace.ts[flows]
    first, behind = np.searchsorted(ts, at, "left"), np.searchsorted(ts, at, "right")
    # the shortest of those that start then; right wherever but one starts
    owners = np.where(behind > first, events[np.maximum(behind - 1, 0)], -1)
    for i in np.flatnonzero(behind > first + 1).tolist():
        candidates = events[first[i] : behind[i]]
        same = candidates[trace.link[candidates] == trace.link[flows[i]]]
        if len(same):
            owners[i] = same[-1]
    for i in np.flatnonzero(behind == first).tolist():
        open_ones = np.flatnonzero(end[: first[i]] > at[i])
        if len(open_ones):
            owners[i] = events[open_ones[-1]]
    return owners
