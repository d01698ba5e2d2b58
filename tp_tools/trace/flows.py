"""Find the slice of each flow event, so that the flow event follows if the slice moves."""

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

NEAR = 64
"""Slices that are searched first for the innermost open one."""


def flows_of(
    trace: Trace, table: Slices, lane_of: Mapping[int, int], near: int = NEAR
) -> dict[int, int]:
    """Find the lane of each flow event whose slice moves.

    A flow event belongs to a slice of its track that starts at its time: to the slice with its
    correlation, else to the shortest. If no slice starts then, it belongs to the innermost open
    slice.

    Args:
        trace: the trace.
        table: the slices of the trace.
        lane_of: lane by event, of the slices that move.
        near: slices that are searched first; more are searched if none of them is open.

    Returns:
        Lane by event, of the flow events that follow.
    """
    moved = indices_of(table.event, lane_of)
    tracks = {
        int(table.track[start]): _Track(slices_between(table, start, stop), chosen - start)
        for start, stop in table.track_ranges()
        if len(chosen := moved[np.searchsorted(moved, start) : np.searchsorted(moved, stop)])
    }
    follow: dict[int, int] = {}
    for here in blocks(len(trace)):
        flows = np.flatnonzero(is_in(trace.phase[here], b"stf")) + here.start
        for number in distinct(trace.track[flows]).tolist() if tracks else ():
            if number in tracks:
                on_track = flows[trace.track[flows] == number]
                on_track = on_track[tracks[number].may_follow(trace.ts[on_track])]
                owners = _owners(trace, on_track, tracks[number].slices, near)
                pairs = zip(on_track.tolist(), owners.tolist(), strict=True)
                follow.update(
                    (flow, lane_of[slice_]) for flow, slice_ in pairs if slice_ in lane_of
                )
    return follow


class _Track:
    """A track from which some slices move.

    Args:
        slices: all slices of the track.
        moved: indices of the slices that move, ascending.
    """

    def __init__(self, slices: Slices, moved: Ints) -> None:
        self.slices = slices
        self._ts, self._latest = slices.ts[moved], np.maximum.accumulate(slices.end[moved])

    def may_follow(self, at: Ints) -> NDArray[np.bool_]:
        """Tell at which times a slice that moves is open or starts."""
        begun = np.searchsorted(self._ts, at, "right")
        is_open: NDArray[np.bool_] = (self._latest[begun - 1] > at) | (self._ts[begun - 1] == at)
        return is_open & (begun > 0)


def _innermost(slices: Slices, at: int, behind: int, near: int) -> int:
    """Return the event of the last open slice before index `behind`; -1 if there is none."""
    size = near
    while behind:
        start = max(behind - size, 0)
        opened = np.flatnonzero(slices.end[start:behind] > at)
        if len(opened):
            return int(slices.event[start + opened[-1]])
        behind, size = start, size * 2
    return -1


def _owners(trace: Trace, flows: Ints, slices: Slices, near: int) -> Ints:
    """Return the event of the slice of each flow event of a track; -1 if there is none."""
    at = trace.ts[flows]
    first, behind = np.split(searched(slices.ts, np.concatenate([at, at + 1])), 2)
    # the shortest slice that starts then, which sorts last; final where only one slice starts
    owners = np.where(behind > first, slices.event[np.maximum(behind - 1, 0)], -1)
    for i in np.flatnonzero(behind > first + 1).tolist():
        candidates = slices.event[first[i] : behind[i]]
        same = candidates[trace.link[candidates] == trace.link[flows[i]]]
        if len(same):
            owners[i] = same[-1]
    for i in np.flatnonzero(behind == first).tolist():
        owners[i] = _innermost(slices, int(at[i]), int(first[i]), near)
    return owners
