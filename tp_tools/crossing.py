"""Which slices have to be looked at one by one for overlaps. Most nest, and numpy can tell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints


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


def crosses(ts: Ints, end: Ints, other_ts: Ints, other_end: Ints) -> NDArray[np.bool_]:
    """Which slices partly overlap one of some others.

    Args:
        ts: starts of the slices.
        end: their ends.
        other_ts: starts of the others, ascending.
        other_end: their ends.
    """
    by_end = np.argsort(other_end)
    return _contains_one_half(ts, end, other_ts, other_end) | _contains_one_half(
        -end, -ts, -other_end[by_end][::-1], -other_ts[by_end][::-1]
    )


def _contains_one_half(ts: Ints, end: Ints, other_ts: Ints, other_end: Ints) -> NDArray[np.bool_]:
    """Which slices end amid another one that starts amid them; see `crosses`."""
    first = np.searchsorted(other_ts, ts, "right")
    behind = np.searchsorted(other_ts, end)
    found = behind > first
    found[found] = _largest(other_end, first[found], behind[found]) > end[found]
    return found


def _largest(values: Ints, start: Ints, stop: Ints) -> Ints:
    """The largest of the values in each range, none of which is empty.

    Two ranges of 2^n values cover it; for one n after the other the largest of any 2^n in a row are
    made of those of any 2^(n-1).
    """
    found = np.empty(len(start), values.dtype)
    power = np.frexp(stop - start)[1] - 1
    for n in range(int(power.max(initial=0)) + 1):
        if n:
            half = 1 << (n - 1)
            values = np.maximum(values[:-half], values[half:])
        here = power == n
        found[here] = np.maximum(values[start[here]], values[stop[here] - (1 << n)])
    return found
