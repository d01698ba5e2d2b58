"""Lossless lanes: every slice gets a lane of its row on which no other partly overlaps it.

TraceProcessor v51 to v56 drops a slice that partly overlaps an earlier one of its track, so no SQL
could see it there. Placing it on a lane of its own (as v57 does on import) loads every slice. It
decides nothing else: which slice moves, and where, is for SQL to say.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.piecewise import each, narrow, pieces
from tp_tools.slices import part

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints
    from tp_tools.slices import Slices


def place(table: Slices) -> Ints:
    """The lane of each slice, 0 for the row itself: the lowest on which it nests or stands free."""
    lane = np.zeros(len(table), np.int32)
    for start, stop in table.row_ranges():
        _place_row(part(table, start, stop), lane[start:stop])
    return narrow(lane)


def _place_row(row: Slices, lane: NDArray[np.int32]) -> None:
    """Slices in order of ts, longest first; the end of each one open on a lane is on its stack."""
    main: list[int] = []
    others: list[list[int]] = []
    for i, (starts, ends) in enumerate(each(row.ts, row.end)):
        while main and main[-1] <= starts:
            main.pop()
        if not main or ends <= main[-1]:
            main.append(ends)
        else:
            lane[i] = _lowest(others, starts, ends) + 1


def _lowest(lanes: list[list[int]], starts: int, ends: int) -> int:
    for number, stack in enumerate(lanes):
        while stack and stack[-1] <= starts:
            stack.pop()
        if not stack or ends <= stack[-1]:
            stack.append(ends)
            return number
    lanes.append([ends])
    return len(lanes) - 1


def around(table: Slices, marked: NDArray[np.generic], tolerance_ns: int) -> Ints:
    """The slices that could partly overlap a marked one, or that a trim of it could touch.

    A slice that partly overlaps another covers a start or an end of it; what a trim can touch lies
    within the tolerance of such a point. So: the slices that contain a start or an end of a marked
    slice, or come within the tolerance of it.

    Args:
        table: all slices.
        marked: by slice: anything but 0 marks it. Of any two that overlap one must be marked, as
            are those off the main lane.
        tolerance_ns: what counts as jitter.

    Returns:
        Indices, ascending.
    """
    wanted = np.zeros(len(table), np.bool_)
    for start, stop in table.row_ranges():
        off = marked[start:stop] != 0
        if off.any():
            row, where = part(table, start, stop), np.flatnonzero(off)
            points = np.sort(np.concatenate([row.ts[where], row.end[where]]))
            for here in pieces(stop - start):
                first = np.searchsorted(points, row.ts[here] - tolerance_ns, side="left")
                behind = np.searchsorted(points, row.end[here] + tolerance_ns, side="right")
                wanted[start:stop][here] = behind > first
    return np.flatnonzero(wanted)


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
