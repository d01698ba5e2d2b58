"""Which slices have to be looked at one by one for overlaps. Most nest, and numpy can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints

_LONG = 1 << 16  # values of a range of which the largest is looked for alone


def may_cross(ts: Ints, end: Ints, before: Sequence[int]) -> NDArray[np.bool_]:
    """Which slices of a part of a row may partly overlap another one of the row.

    It is True of all that do, of those behind which the part ends, so that they may meet what
    follows, and of a few more.

    Args:
        ts: starts of its slices, of which there are some, ascending, longest first.
        end: their ends.
        before: the ends of slices that started before it.
    """
    found: NDArray[np.bool_] = end > ts[-1]
    around = np.flatnonzero(ts[1:] < end[:-1])  # what starts within them comes next
    behind = np.searchsorted(ts, end[around])
    crossed = around[_largest(end, around + 1, behind) > end[around]]
    found[crossed] = True
    points = np.sort(np.concatenate([np.asarray(before, np.int64), end[crossed]]))
    points = points[np.searchsorted(points, ts[0], "right") :]
    if len(points):
        found |= np.searchsorted(points, end) > np.searchsorted(points, ts, "right")
    return found


class Others:
    """Some slices of a row, to find those that partly overlap one of them."""

    def __init__(self, ts: Ints, end: Ints) -> None:
        """Args: ts: their starts, ascending. end: their ends."""
        by_end = np.argsort(end, kind="stable")[::-1]
        self._sides = (ts, end), (-end[by_end], -ts[by_end])

    def crossed_by(self, ts: Ints, end: Ints) -> NDArray[np.bool_]:
        """Which of the slices that start and end then do; most of them in order of ts."""
        later, sooner = self._sides
        return _ends_amid(ts, end, *later) | _ends_amid(-end, -ts, *sooner)


def _ends_amid(ts: Ints, end: Ints, other_ts: Ints, other_end: Ints) -> NDArray[np.bool_]:
    """Which slices end amid another one that starts amid them; others in order of their ts."""
    first = np.searchsorted(other_ts, ts, "right")
    behind = np.searchsorted(other_ts, end)
    found = behind > first
    found[found] = _largest(other_end, first[found], behind[found]) > end[found]
    return found


def _largest(values: Ints, start: Ints, stop: Ints) -> Ints:
    """The largest of the values in each range, none of which is empty.

    Two ranges of 2^n values cover it; for one n after the other the largest of any 2^n in a row are
    made of those of any 2^(n-1). Few ranges are long: the others lie near to each other.
    """
    found = np.empty(len(start), values.dtype)
    is_long = stop - start > _LONG
    for i in np.flatnonzero(is_long).tolist():
        found[i] = values[start[i] : stop[i]].max()
    short = np.flatnonzero(~is_long)
    if not len(short):
        return found
    from_there = start[short].min()
    values = values[from_there : stop[short].max()]
    start, stop = start[short] - from_there, stop[short] - from_there
    power = np.frexp(stop - start)[1] - 1
    for n in range(int(power.max()) + 1):
        if n:
            half = 1 << (n - 1)
            values = np.maximum(values[:-half], values[half:])
        here = power == n
        found[short[here]] = np.maximum(values[start[here]], values[stop[here] - (1 << n)])
    return found
