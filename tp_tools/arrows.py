"""Arrows: which slice each flow event belongs to, so that it follows when the slice moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.events import is_phase
from tp_tools.chrome.piecewise import met, picked, pieces
from tp_tools.slice_times import searched
from tp_tools.slices import part

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints, Trace
    from tp_tools.slices import Slices

_NEAR = 64  # slices among which the innermost open one mostly is


def following(trace: Trace, table: Slices, lane_of: Mapping[int, int]) -> dict[int, int]:
    """The lane of each flow event whose slice moves.

    A flow event belongs to the slice of its row that starts with it: the one with its correlation,
    else the shortest. Where none starts then, to the innermost one that is open.

    Args:
        trace: the trace.
        table: its slices.
        lane_of: lane by event of the slices that move.
    """
    moved = np.fromiter(lane_of, np.int32, len(lane_of))
    is_moved = np.zeros(len(trace), np.bool_)
    is_moved[moved] = True
    rows = set(met(trace.track[moved]).tolist())
    flows = np.flatnonzero(is_phase(trace, "stf")).astype(np.int32)
    follow: dict[int, int] = {}
    for start, stop in table.row_ranges():
        number = int(table.row[start])
        if number in rows:
            row = part(table, start, stop)
            on_row = flows[trace.track[flows] == number]
            on_row = on_row[_meets(row, picked(is_moved, row.event), trace.ts[on_row])]
            for here in pieces(len(on_row)):
                owners = _owners(trace, on_row[here], row)
                moving = np.flatnonzero((owners >= 0) & is_moved[owners])
                own = zip(on_row[here][moving].tolist(), owners[moving].tolist(), strict=True)
                follow.update((flow, lane_of[owner]) for flow, owner in own)
    return follow


def _meets(row: Slices, chosen: NDArray[np.bool_], at: Ints) -> NDArray[np.bool_]:
    """At which times one of the chosen slices of a row is open, or starts."""
    where = np.flatnonzero(chosen)
    ts, latest = row.ts[where], np.maximum.accumulate(row.end[where])
    begun = np.searchsorted(ts, at, "right")
    is_met: NDArray[np.bool_] = (latest[begun - 1] > at) | (ts[begun - 1] == at)
    return is_met & (begun > 0)


def _innermost(row: Slices, at: int, behind: int) -> int:
    """The event of the last slice before a place that is open at this time; -1 if none is."""
    size = _NEAR
    while behind:
        start = max(behind - size, 0)
        open_ones = np.flatnonzero(row.end[start:behind] > at)
        if len(open_ones):
            return int(row.event[start + open_ones[-1]])
        behind, size = start, size * 2
    return -1


def _owners(trace: Trace, flows: Ints, row: Slices) -> Ints:
    """The slice's event of each flow event of one row; -1 where there is none."""
    at = trace.ts[flows]
    first, behind = searched(row.ts, at), searched(row.ts, at, "right")
    # the shortest of those that start then; right wherever but one starts
    owners = np.where(behind > first, row.event[np.maximum(behind - 1, 0)], -1)
    for i in np.flatnonzero(behind > first + 1).tolist():
        candidates = row.event[first[i] : behind[i]]
        same = candidates[trace.link[candidates] == trace.link[flows[i]]]
        if len(same):
            owners[i] = same[-1]
    for i in np.flatnonzero(behind == first).tolist():
        owners[i] = _innermost(row, int(at[i]), int(first[i]))
    return owners
