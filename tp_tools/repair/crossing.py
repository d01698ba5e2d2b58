"""Find slices that may partly overlap others, with numpy.

Most slices nest in every slice they meet. numpy rules these out, so that few slices remain for
the slow path that looks at them one by one. Two slices cross if each holds an end of the other,
and not both: (0, 20) and (10, 30).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints

LONG_RANGE = 1 << 16
"""Values above which a range is searched for its maximum on its own."""


def may_cross(ts: Ints, end: Ints, open_ends: Sequence[int]) -> NDArray[np.bool_]:
    """Mark the slices of a block that may cross another slice of their track.

    A block is part of a track's slices. All slices that cross are marked; so are those still open
    at the last start, since they may cross slices of the next block, and a few more.

    Args:
        ts: starts of the block's slices, at least one, ascending, longest first.
        end: their ends.
        open_ends: ends of the slices that started before the block.

    Returns:
        bool array (slices,).
    """
    found: NDArray[np.bool_] = end > ts[-1]
    has_inner = np.flatnonzero(ts[1:] < end[:-1])  # slices in which the next one starts
    first_after = np.searchsorted(ts, end[has_inner])
    crossed = has_inner[_range_maxima(end, has_inner + 1, first_after) > end[has_inner]]
    found[crossed] = True
    points = np.sort(np.concatenate([np.asarray(open_ends, np.int64), end[crossed]]))
    points = points[np.searchsorted(points, ts[0], "right") :]
    if len(points):
        found |= np.searchsorted(points, end) > np.searchsorted(points, ts, "right")
    return found


class CrossedSlices:
    """Some slices of a track, to find the slices that cross one of them."""

    def __init__(self, ts: Ints, end: Ints, long_range: int = LONG_RANGE) -> None:
        """Take the slices.

        Args:
            ts: their starts, ascending.
            end: their ends.
            long_range: values above which a range is searched for its maximum on its own.
        """
        self._long_range = long_range
        by_end = np.argsort(end, kind="stable")[::-1]
        self._forward, self._mirrored = (ts, end), (-end[by_end], -ts[by_end])

    def crossed_by(self, ts: Ints, end: Ints) -> NDArray[np.bool_]:
        """Mark the slices that cross one of these.

        Args:
            ts: starts of the slices to check; fastest if mostly ascending.
            end: their ends.

        Returns:
            bool array (len(ts),).
        """
        ends_inside = _ends_inside_later(ts, end, *self._forward, self._long_range)
        return ends_inside | _ends_inside_later(-end, -ts, *self._mirrored, self._long_range)


def _ends_inside_later(
    ts: Ints, end: Ints, other_ts: Ints, other_end: Ints, long_range: int
) -> NDArray[np.bool_]:
    """Mark the slices that end inside another slice that starts inside them.

    The other slices are given in ascending order of their starts.
    """
    first = np.searchsorted(other_ts, ts, "right")
    stop = np.searchsorted(other_ts, end)
    found = stop > first
    maxima = _range_maxima(other_end, first[found], stop[found], long_range)
    found[found] = maxima > end[found]
    return found


def _range_maxima(values: Ints, start: Ints, stop: Ints, long_range: int = LONG_RANGE) -> Ints:
    """Return the largest value of each range [start, stop), none of which is empty.

    Two windows of 2^n values cover a range of 2^n to 2^(n+1) values. The maxima of all windows of
    2^n values follow from those of 2^(n-1) values. Long ranges are few, and are searched directly;
    the others lie close to each other.
    """
    maxima = np.empty(len(start), values.dtype)
    is_long = stop - start > long_range
    for i in np.flatnonzero(is_long).tolist():
        maxima[i] = values[start[i] : stop[i]].max()
    short = np.flatnonzero(~is_long)
    if not len(short):
        return maxima
    offset = start[short].min()
    values = values[offset : stop[short].max()]
    start, stop = start[short] - offset, stop[short] - offset
    power = np.frexp(stop - start)[1] - 1
    for n in range(int(power.max()) + 1):
        if n:
            half = 1 << (n - 1)
            values = np.maximum(values[:-half], values[half:])
        chosen = power == n
        maxima[short[chosen]] = np.maximum(values[start[chosen]], values[stop[chosen] - (1 << n)])
    return maxima
