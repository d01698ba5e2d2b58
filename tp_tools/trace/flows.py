"""Arrows: which slice each flow event belongs to, so that it follows when the slice moves."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import blocks, distinct, indices_of, is_in
from tp_tools.trace.slice_times import searched
from tp_tools.trace.slices import slices_between

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.slices import Slices

_NEAR = 64  # slices among which the innermost open one mostly is


def flows_of(trace: Trace, table: Slices, lane_of: Mapping[int, int]) -> dict[int, int]:
    """The lane of each flow event whose slice moves.

    A flow event belongs to the slice of its row that starts with it: the one with its correlation,
    else the shortest. Where none starts then, to the innermost one that is open.

    Args:
        trace: the trace.
        table: its slices.
        lane_of: lane by event of the slices that move.
    """
    moved = indices_of(table.event, lane_of)
    rows = {
        int(table.track[start]): _Row(slices_between(table, start, stop), own - start)
        for start, stop in table.track_ranges()
        if len(own := moved[np.searchsorted(moved, start) : np.searchsorted(moved, stop)])
    }
    follow: dict[int, int] = {}
    for here in blocks(len(trace)):
        flows = np.flatnonzero(is_in(trace.phase[here], b"stf")) + here.start
        for number in distinct(trace.track[flows]).tolist() if rows else ():
            if number in rows:
                own = flows[trace.track[flows] == number]
                own = own[rows[number].may_follow(trace.ts[own])]
                owners = _owners(trace, own, rows[number].slices)
                pairs = zip(own.tolist(), owners.tolist(), strict=True)
                follow.update((flow, lane_of[it]) for flow, it in pairs if it in lane_of)
    return follow


class _Row:
    """A row on which some slices move."""

    def __init__(self, slices: Slices, moved: Ints) -> None:
        self.slices = slices
        self._ts, self._latest = slices.ts[moved], np.maximum.accumulate(slices.end[moved])

    def may_follow(self, at: Ints) -> NDArray[np.bool_]:
        """At which times one that moves is open, or starts."""
        begun = np.searchsorted(self._ts, at, "right")
        is_met: NDArray[np.bool_] = (self._latest[begun - 1] > at) | (self._ts[begun - 1] == at)
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
    first, behind = np.split(searched(row.ts, np.concatenate([at, at + 1])), 2)
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
