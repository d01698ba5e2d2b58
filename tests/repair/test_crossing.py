"""Overlaps that numpy finds are those that a look at every pair finds."""

from __future__ import annotations

from itertools import combinations, pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.repair.crossing import Others, may_cross

Span = tuple[int, int]

SPANS = st.lists(
    st.tuples(st.integers(0, 40), st.integers(0, 30)).map(lambda it: (it[0], it[0] + it[1])),
    max_size=40,
).map(lambda spans: sorted(spans, key=lambda it: (it[0], -it[1])))


def cross(one: Span, other: Span) -> bool:
    """Whether each holds an end of the other, and not both."""
    (first, first_end), (then, then_end) = sorted([one, other])
    return first < then < first_end < then_end


def columns(spans: list[Span]) -> tuple[np.ndarray, np.ndarray]:
    """Starts and ends."""
    made = np.array(spans, np.int64).reshape(-1, 2)
    return made[:, 0], made[:, 1]


@PURE
@given(SPANS, st.lists(st.integers(0, 40), max_size=3))
def test_all_that_overlap_are_marked(spans: list[Span], cuts: list[int]) -> None:
    """Cut into parts anywhere, with the ends of what is still open handed on."""
    places = sorted({0, len(spans), *(cut for cut in cuts if cut < len(spans))})
    marked: list[int] = []
    for start, stop in pairwise(places):
        before = [spans[i][1] for i in marked]
        found = may_cross(*columns(spans[start:stop]), before)
        marked += [start + i for i in np.flatnonzero(found).tolist()]
    pairs = [(i, j) for i, j in combinations(range(len(spans)), 2) if cross(spans[i], spans[j])]
    assert {i for pair in pairs for i in pair} <= set(marked)


def test_what_nests_is_not_marked() -> None:
    """But for what is open where the part ends; or the loops behind it would be as long as ever."""
    spans = [(0, 100), (10, 50), (10, 20), (20, 30), (60, 90), (60, 60), (99, 99)]
    assert np.flatnonzero(may_cross(*columns(spans), [])).tolist() == [0]
    assert np.flatnonzero(may_cross(*columns(spans), [101, 0])).tolist() == [0]
    assert np.flatnonzero(may_cross(*columns(spans), [25])).tolist() == [0, 1, 3]


@PURE
@given(SPANS, SPANS, st.sampled_from([1, 3, 1000]))
def test_those_that_overlap_others_are_found(
    spans: list[Span], others: list[Span], long: int
) -> None:
    """Each that overlaps one of the others partly, and no other."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tp_tools.repair.crossing._LONG", long)
        found = Others(*columns(others)).crossed_by(*columns(spans))
    assert found.tolist() == [any(cross(one, other) for other in others) for one in spans]
