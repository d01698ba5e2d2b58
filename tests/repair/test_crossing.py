"""The overlaps that numpy finds are those found by comparing every pair."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.repair.crossing import CrossedSlices, may_cross

Interval = tuple[int, int]

INTERVALS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 30)).map(lambda it: (it[0], it[0] + it[1])),
    max_size=40,
).map(lambda intervals: sorted(intervals, key=lambda it: (it[0], -it[1])))


def cross(one: Interval, other: Interval) -> bool:
    """Tell whether each interval holds an end of the other, and not both."""
    (first, first_end), (then, then_end) = sorted([one, other])
    return first < then < first_end < then_end


def columns(intervals: list[Interval]) -> tuple[np.ndarray, np.ndarray]:
    """Return starts and ends as arrays."""
    made = np.array(intervals, np.int64).reshape(-1, 2)
    return made[:, 0], made[:, 1]


@PURE
@given(INTERVALS, st.lists(st.integers(0, 40), max_size=3))
def test_all_crossing_slices_are_marked(intervals: list[Interval], cuts: list[int]) -> None:
    """All slices that cross are marked, wherever the track is cut into blocks."""
    edges = sorted({0, len(intervals), *(cut for cut in cuts if cut < len(intervals))})
    marked: list[int] = []
    for start, stop in pairwise(edges):
        open_ends = [intervals[i][1] for i in marked]
        found = may_cross(*columns(intervals[start:stop]), open_ends)
        marked += [start + i for i in np.flatnonzero(found).tolist()]
    pairs = [
        (i, j)
        for i, j in combinations(range(len(intervals)), 2)
        if cross(intervals[i], intervals[j])
    ]
    assert {i for pair in pairs for i in pair} <= set(marked)


def test_nesting_slices_are_not_marked() -> None:
    """Only slices that cross, or are open at the last start of the block, are marked."""
    intervals = [(0, 100), (10, 50), (10, 20), (20, 30), (60, 90), (60, 60), (99, 99)]
    assert np.flatnonzero(may_cross(*columns(intervals), [])).tolist() == [0]
    assert np.flatnonzero(may_cross(*columns(intervals), [101, 0])).tolist() == [0]
    assert np.flatnonzero(may_cross(*columns(intervals), [25])).tolist() == [0, 1, 3]


@PURE
@given(INTERVALS, INTERVALS, st.sampled_from([1, 3, 1000]))
def test_slices_that_cross_given_ones_are_found(
    intervals: list[Interval], others: list[Interval], long: int
) -> None:
    """Slices that cross one of the others are marked, and no others."""
    found = CrossedSlices(*columns(others), long).crossed_by(*columns(intervals))
    assert found.tolist() == [any(cross(one, other) for other in others) for one in intervals]
