"""Lossless lanes: every slice gets a lane of its row on which no other partly overlaps it.

TraceProcessor v51 to v56 drops a slice that partly overlaps an earlier one of its track, so no SQL
could see it there. Placing it on a lane of its own (as v57 does on import) loads every slice. It
decides nothing else: which slice moves, and where, is for SQL to say.
"""

from __future__ import annotations

from heapq import heappop, heappush
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import blocks, iterate_rows, narrow
from tp_tools.repair.crossing import Others, may_cross
from tp_tools.trace.slices import part

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints
    from tp_tools.trace.slices import Slices


_NEVER = (1 << 63) - 1


def assign_lanes(table: Slices) -> Ints:
    """The lane of each slice, 0 for the row itself: the lowest on which it nests or stands free."""
    lane = np.zeros(len(table), np.int32)
    for start, stop in table.row_ranges():
        _place_row(part(table, start, stop), lane[start:stop])
    return narrow(lane)


def _place_row(row: Slices, lane: NDArray[np.int32]) -> None:
    """Slices in order of ts, longest first; the end of each one open on the row is on a stack.

    What nests in all others that it meets stays on the row, whatever they do.
    """
    main: list[int] = []
    others = _Lanes()
    for here in blocks(len(row)):
        ts, end = row.ts[here], row.end[here]
        looked_at = np.flatnonzero(may_cross(ts, end, [*main, *others.open_ends()]))
        for i, starts, ends in iterate_rows(looked_at, ts[looked_at], end[looked_at]):
            while main and main[-1] <= starts:
                main.pop()
            if not main or ends <= main[-1]:
                main.append(ends)
            else:
                lane[here.start + i] = others.put(starts, ends) + 1


class _Lanes:
    """The lanes beside a row; the lowest one with room is found in steps that grow like log n.

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
        """When the slices that are open end."""
        return (end for end, _ in self._ending)

    def put(self, starts: int, ends: int) -> int:
        """Puts a slice, which starts no sooner than those before, on the lowest lane with room."""
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
        """As many lanes again, which are empty."""
        lanes = self._room[len(self._open) :]
        lanes += [_NEVER] * len(lanes)
        self._open += [[] for _ in self._open]
        self._room = [0] * len(lanes) + lanes
        for node in reversed(range(1, len(lanes))):
            self._room[node] = max(self._room[2 * node], self._room[2 * node + 1])


def around(table: Slices, marked: NDArray[np.generic], tolerance_ns: int) -> Ints:
    """The slices that could partly overlap a marked one, or that a trim of it could touch.

    A slice that partly overlaps another covers its start or its end, and not both. What a trim can
    touch starts or ends within the tolerance of such a point.

    Args:
        table: all slices.
        marked: by slice: anything but 0 marks it. Of any two that overlap one must be marked, as
            are those off the main lane.
        tolerance_ns: what counts as jitter.

    Returns:
        Indices, ascending.
    """
    found = [np.empty(0, np.intp)]
    for start, stop in table.row_ranges():
        off = marked[start:stop] != 0
        if off.any():
            row, where = part(table, start, stop), np.flatnonzero(off)
            ts, end = row.ts[where], row.end[where]
            points, others = np.sort(np.concatenate([ts, end])), Others(ts, end)
            coming = np.append(points, _NEVER)
            for here in blocks(stop - start):
                starts, ends = row.ts[here], row.end[here]
                next_one = coming[np.searchsorted(points, starts - tolerance_ns)]
                # some of these just contain marked ones
                some = np.flatnonzero(next_one <= ends + tolerance_ns)
                starts, ends = starts[some], ends[some]
                wanted = (
                    _is_near(points, starts, tolerance_ns)
                    | _is_near(points, ends, tolerance_ns)
                    | others.crossed_by(starts, ends)
                )
                found.append(start + here.start + some[wanted])
    return np.concatenate(found)


def _is_near(points: Ints, time: Ints, tolerance_ns: int) -> NDArray[np.bool_]:
    first = np.searchsorted(points, time - tolerance_ns)
    return np.searchsorted(points, time + tolerance_ns, "right") > first


def apart(table: Slices, chosen: Ints, least: int) -> list[Ints]:
    """Slices in groups that can be asked about one by one: no two of different groups overlap.

    Args:
        table: all slices.
        chosen: indices of those to group, ascending.
        least: how many a group has at least, but for the last one. It has more where slices go on.
    """
    row, ts, latest = table.row[chosen], table.ts[chosen], table.end[chosen]
    is_new = np.diff(row) != 0
    for start, stop in pairwise([0, *(np.flatnonzero(is_new) + 1).tolist(), len(chosen)]):
        np.maximum.accumulate(latest[start:stop], out=latest[start:stop])
    places = np.flatnonzero(is_new | (ts[1:] >= latest[:-1])) + 1
    cuts = [0]
    while (number := int(np.searchsorted(places, cuts[-1] + least))) < len(places):
        cuts.append(int(places[number]))
    return np.split(chosen, cuts[1:])
