"""Arrows: which slice each flow event belongs to, so that it follows when the slice moves."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.events import is_phase
from tp_tools.chrome.piecewise import met, pieces
from tp_tools.slices import part

if TYPE_CHECKING:
    from collections.abc import Mapping

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
            row = _Row(part(table, start, stop))
            on_row = flows[trace.track[flows] == number]
            for here in pieces(len(on_row)):
                owners = _owners(trace, on_row[here], row)
                moving = np.flatnonzero((owners >= 0) & is_moved[owners])
                own = zip(on_row[here][moving].tolist(), owners[moving].tolist(), strict=True)
                follow.update((flow, lane_of[owner]) for flow, owner in own)
    return follow


class _Row:
    """The slices of a row, asked about again and again."""

    def __init__(self, slices: Slices) -> None:
        self.event, self.ts, self.end = slices.event, slices.ts[:], slices.end

    @cached_property
    def latest(self) -> Ints:
        """The latest end up to each slice."""
        return np.maximum.accumulate(self.end[:])

    def innermost(self, at: int, behind: int) -> int:
        """The event of the last slice before a place that is open at this time; -1 if none is."""
        size = _NEAR
        while behind and self.latest[behind - 1] > at:
            start = max(behind - size, 0)
            open_ones = np.flatnonzero(self.end[start:behind] > at)
            if len(open_ones):
                return int(self.event[start + open_ones[-1]])
            behind, size = start, size * 2
        return -1


def _owners(trace: Trace, flows: Ints, row: _Row) -> Ints:
    """The slice's event of each flow event of one row; -1 where there is none."""
    at = trace.ts[flows]
    first, behind = np.searchsorted(row.ts, at, "left"), np.searchsorted(row.ts, at, "right")
    # the shortest of those that start then; right wherever but one starts
    owners = np.where(behind > first, row.event[np.maximum(behind - 1, 0)], -1)
    for i in np.flatnonzero(behind > first + 1).tolist():
        candidates = row.event[first[i] : behind[i]]
        same = candidates[trace.link[candidates] == trace.link[flows[i]]]
        if len(same):
            owners[i] = same[-1]
    for i in np.flatnonzero(behind == first).tolist():
        owners[i] = row.innermost(int(at[i]), int(first[i]))
    return owners
