"""Fitting of a short sequence into a long one: the fewest edits, free ends, equally good places."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tp_tools.crosscheck.fitting import Limits, fit

CODES = st.lists(st.integers(0, 2), max_size=14)


def codes(values: list[int]) -> np.ndarray:
    """An array of codes."""
    return np.array(values, np.int64)


def fewest(a: list[int], b: list[int], *, head: bool, tail: bool) -> int:
    """The fewest insertions and deletions, by the textbook's table; ends of `a` may be free."""
    above = [*range(len(b) + 1)]
    best = above[-1]
    for i, left in enumerate(a):
        row = [0 if head else i + 1]
        for j, right in enumerate(b):
            row.append(above[j] if left == right else min(above[j + 1], row[j]) + 1)
        above = row
        best = min(best, above[-1])
    return best if tail else above[-1]


@given(CODES, CODES, st.booleans(), st.booleans())
def test_fits_take_the_fewest_edits(a: list[int], b: list[int], head: bool, tail: bool) -> None:
    """As few as the textbook says, and the matches are those of so many edits."""
    found = fit(codes(a), codes(b), free_head=head, free_tail=tail)
    assert found is not None
    assert found.edits == fewest(a, b, head=head, tail=tail)
    one, other = found.matches.a, found.matches.b
    assert [a[i] for i in one] == [b[j] for j in other]
    assert all(np.diff(one) > 0)
    assert all(np.diff(other) > 0)
    inside = (int(one[-1] - one[0]) + 1 if len(one) else 0) + len(b) - 2 * len(one)
    assert head or tail or found.edits == len(a) + len(b) - 2 * len(one)
    assert not (head and tail) or found.edits >= inside


def test_of_places_that_take_as_few_edits_that_with_most_matches_counts() -> None:
    """Both recordings lost kernels of steps of four: to leave out four takes as few as the truth.

    That leaves out one of the short recording and three of the long one.
    """
    long = [4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15]
    short = [4, 5, 6, 8, 9, 11, 12, 13, 15]
    of_long, of_short = (codes([it % 4 for it in of]) for of in (long, short))
    found = fit(of_long, of_short, free_head=True, free_tail=True)
    assert found is not None
    assert (found.edits, len(found.matches.a)) == (4, 8)


@given(
    st.lists(st.integers(0, 1), min_size=1, max_size=12), st.lists(st.integers(0, 1), max_size=4)
)
def test_places_of_an_exact_fit_are_its_occurrences(a: list[int], b: list[int]) -> None:
    """Where the short sequence stands in the long one as it is, each of these places counts."""
    occurrences = [at for at in range(len(a) - len(b) + 1) if a[at : at + len(b)] == b]
    found = fit(codes(a), codes(b), free_head=True, free_tail=True)
    assert found is not None
    assert (found.edits == 0) == bool(occurrences)
    if occurrences:
        assert found.places == len(occurrences)
        assert found.matches.a.tolist() == [*range(occurrences[0], occurrences[0] + len(b))]


def test_places_are_counted_where_a_kernel_is_lost() -> None:
    """Two of five rounds without one kernel: four places, whatever the place of the loss."""
    found = fit(codes([0, 1, 2] * 5), codes([0, 1, 2, 0, 2]), free_head=True, free_tail=True)
    assert found is not None
    assert (found.edits, found.places) == (1, 4)


@pytest.mark.parametrize("limits", [Limits(edits=2), Limits(cells=20)])
def test_limits_give_up(limits: Limits) -> None:
    """Sequences that have nothing in common are not matched beyond the limits."""
    a, b = codes([0] * 8), codes([1] * 6)
    assert fit(a, b, free_head=True, free_tail=True, limits=limits) is None
