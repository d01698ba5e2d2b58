"""Assign each slice a lane of its track on which no other slice partly overlaps it.

TraceProcessor v51 to v56 drops a slice that partly overlaps an earlier one of its track, so no SQL
could see it. On lanes of their own (as v57 makes on import) all slices are loaded. Lanes decide
nothing about the repair: sql/overlaps.sql says which slice moves, and where.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import blocks, iterate_rows, narrow, runs
from tp_tools.repair.crossing import CrossedSlices, may_cross
from tp_tools.trace.slices import slices_between

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace import Slices
    from tp_tools.trace.model import Ints
    from tp_tools.trace.slice_times import Times


_NEVER = (1 << 63) - 1

TOGETHER = 1 << 12
"""Slices of short tracks that get their lanes in one call."""


def assign_lanes(table: Slices, together: int = TOGETHER) -> Ints:
    """Give each slice the lowest lane on which it nests in every slice it meets.

    Args:
        table: all slices.
        together: number of slices of short tracks that get their lanes in one call.

    Returns:
        int array (slices,), 0 for the track itself.
    """
    lane = np.zeros(len(table), np.int32)
    counts = (stop - start for start, stop in table.track_ranges())
    for run in runs(counts, together):
        tracks = slices_between(table, run.start, run.stop)
        if tracks.track[0] == tracks.track[-1]:
            _assign_on_track(tracks.ts, tracks.end, lane[run])
        elif (moved := _one_after_the_other(tracks)) is not None:
            _assign_on_track(*moved, lane[run])
        else:
            lane[run] = assign_lanes(tracks, 1)
    return narrow(lane)


def _one_after_the_other(tracks: Slices) -> tuple[NDArray[np.int64], NDArray[np.int64]] | None:
    """Move the slices of each track to where those of the track before have ended.

    Returns:
        Starts and ends, ns; None if the tracks take longer together than int64 can hold.
    """
    ts, end = tracks.ts[:], tracks.end[:]
    first = np.array([start for start, _ in tracks.track_ranges()])
    counts, last = np.diff(first, append=len(ts)), np.maximum.reduceat(end, first)
    if (last.astype(np.float64) - ts[first]).sum() > _NEVER / 2:
        return None
    begin = np.cumsum(last - ts[first])
    moved = np.repeat(np.concatenate([[0], begin[:-1]]) - ts[first], counts)
    return ts + moved, end + moved


def _assign_on_track(ts: Times, end: Times, lane: NDArray[np.int32]) -> None:
    """Fill in the lanes of a track's slices, sorted by ts, longest first.

    A lane is a stack of the ends of its open slices. A slice that crosses no other stays on the
    track whatever the others do, so the loop skips it.
    """
    main: list[int] = []
    others = _Lanes()
    for block in blocks(len(lane)):
        block_ts, block_end = ts[block], end[block]
        checked = np.flatnonzero(may_cross(block_ts, block_end, [*main, *others.open_ends()]))
        for i, starts, ends in iterate_rows(checked, block_ts[checked], block_end[checked]):
            while main and main[-1] <= starts:
                main.pop()
            if not main or ends <= main[-1]:
                main.append(ends)
            else:
                lane[block.start + i] = others.put(starts, ends) + 1


class _Lanes:
    """The lanes beside a track; the lowest one with room is found in steps that grow like log n.

    Attributes:
        _open: of each lane, the ends of the slices that are open, innermost last.
        _room: the latest end that fits into each lane, as a binary tree of maxima: node 1 is its
            root, 2 n and 2 n + 1 are below n, the last half are the lanes in their order.
        _ending: ends that are open and their lanes, as a heap.
    """

    def __init__(self) -> None:
        self._open: list[list[int]] = [[]]
        self._room = [_NEVER, _NEVER]
        self._ending: list[tuple[int, int]] = []

    def open_ends(self) -> Iterator[int]:
        """Yield the ends of the slices that are open."""
        return (end for end, _ in self._ending)

    def put(self, starts: int, ends: int) -> int:
        """Put a slice, which starts no sooner than those before, on the lowest lane with room."""
        while self._ending and self._ending[0][0] <= starts:
            _, lane = heappop(self._ending)
            stack = self._open[lane]
            stack.pop()
            self._set_room(lane, stack[-1] if stack else _NEVER)
        if self._room[1] < ends:
            self._double()
        lane = self._lowest(ends)
        self._open[lane].append(ends)
        heappush(self._ending, (ends, lane))
        self._set_room(lane, ends)
        return lane

    def _lowest(self, ends: int) -> int:
        node, lanes = 1, len(self._open)
        while node < lanes:
            node *= 2
            if self._room[node] < ends:
                node += 1
        return node - lanes

    def _set_room(self, lane: int, ends: int) -> None:
        room = self._room
        node = len(self._open) + lane
        room[node] = ends
        while node := node // 2:
            largest = max(room[2 * node], room[2 * node + 1])
            if room[node] == largest:
                return
            room[node] = largest

    def _double(self) -> None:
        """Double the number of lanes; the new ones are empty."""
        lanes = self._room[len(self._open) :]
        lanes += [_NEVER] * len(lanes)
        self._open += [[] for _ in self._open]
        self._room = [0] * len(lanes) + lanes
        for node in reversed(range(1, len(lanes))):
            self._room[node] = max(self._room[2 * node], self._room[2 * node + 1])


def slices_near(table: Slices, marked: NDArray[np.generic], tolerance_ns: int) -> Ints:
    """Find the slices that could partly overlap a marked one, or touch it after a trim.

    A slice that partly overlaps another holds its start or its end, and not both. A trim can only
    touch slices that start or end within the tolerance of these points.

    Args:
        table: all slices.
        marked: array (slices,), nonzero for marked slices. Of any two slices that overlap, one
            must be marked; marking all slices off lane 0 does so.
        tolerance_ns: overlaps up to this long count as jitter, ns.

    Returns:
        Indices, ascending.
    """
    near = [np.empty(0, np.intp)]
    for start, stop in table.track_ranges():
        is_marked = marked[start:stop] != 0
        if is_marked.any():
            track, index = slices_between(table, start, stop), np.flatnonzero(is_marked)
            ts, end = track.ts[index], track.end[index]
            points, crossed = np.sort(np.concatenate([ts, end])), CrossedSlices(ts, end)
            next_points = np.append(points, _NEVER)
            for block in blocks(stop - start):
                starts, ends = track.ts[block], track.end[block]
                next_point = next_points[np.searchsorted(points, starts - tolerance_ns)]
                # slices that meet a marked one, or come near it; some just contain it
                candidates = np.flatnonzero(next_point <= ends + tolerance_ns)
                starts, ends = starts[candidates], ends[candidates]
                is_near = (
                    _is_near_point(points, starts, tolerance_ns)
                    | _is_near_point(points, ends, tolerance_ns)
                    | crossed.crossed_by(starts, ends)
                )
                near.append(start + block.start + candidates[is_near])
    return np.concatenate(near)


def _is_near_point(points: Ints, time: Ints, tolerance_ns: int) -> NDArray[np.bool_]:
    """Mark the times that lie within the tolerance of one of the points (ascending)."""
    first = np.searchsorted(points, time - tolerance_ns)
    return np.searchsorted(points, time + tolerance_ns, "right") > first


def independent_groups(table: Slices, chosen: Ints, min_size: int) -> list[Ints]:
    """Split slices into groups such that no slice overlaps a slice of another group.

    SQL can then decide about one group after the other.

    Args:
        table: all slices.
        chosen: indices of the slices to split, ascending.
        min_size: smallest number of slices in a group; only the last one may have fewer. A group
            is larger where slices overlap at its end.

    Returns:
        Indices of each group, ascending.
    """
    track, ts, latest = table.track[chosen], table.ts[chosen], table.end[chosen]
    is_new_track = np.diff(track) != 0
    edges = [0, *(np.flatnonzero(is_new_track) + 1).tolist(), len(chosen)]
    for start, stop in pairwise(edges):
        np.maximum.accumulate(latest[start:stop], out=latest[start:stop])
    possible_cuts = np.flatnonzero(is_new_track | (ts[1:] >= latest[:-1])) + 1
    cuts = [0]
    while (i := int(np.searchsorted(possible_cuts, cuts[-1] + min_size))) < len(possible_cuts):
        cuts.append(int(possible_cuts[i]))
    return np.split(chosen, cuts[1:])
