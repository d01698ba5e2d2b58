"""Statistics of differences: known values, and how often they cry wolf."""

from __future__ import annotations

import numpy as np
import pytest

from tp_tools.comparison.statistics import holm, intervals, typical, yuen


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        # means 3 and 6, variances 2.5 and 10, 5 each: t = 3 / sqrt(0.5 + 2), 100 / 17 degrees
        ([1, 2, 3, 4, 5], [2, 4, 6, 8, 10], 0.10753),
        # two each: t = 2 / sqrt(0.25 + 0.25) at 2 degrees, where P = 1 - t / sqrt(2 + t * t)
        ([1, 2], [3, 4], 1 - 8**0.5 / 10**0.5),
    ],
)
def test_known_values_without_trimming(a: list[float], b: list[float], expected: float) -> None:
    """P of Student's distribution at the degrees of freedom of Welch and Satterthwaite."""
    columns = [np.array([it], float).T for it in (a, b)]
    assert yuen(*columns, trim=0)[0] == pytest.approx(expected, abs=2e-5)


def test_yuen_by_hand() -> None:
    """Eight samples a side, two left out at either end; the outliers 900 and -500 count as others.

    a: 1..7 and 900, kept 3..6, mean 4.5, winsorized 3 3 3 4 5 6 6 6: squares about their mean 4.5
    are 14, so that d = 14 / (4 * 3). b: a + 4, but for an outlier at the other end: as much spread.
    t = 4 / sqrt(28 / 12) = 2.6186 at 6 degrees: P = 0.0396.
    """
    a = np.array([[1, 2, 3, 4, 5, 6, 7, 900]], float).T
    b = np.array([[-500, 6, 7, 8, 9, 10, 11, 12]], float).T
    assert typical(a).tolist() == [4.5]
    assert typical(b).tolist() == [8.5]
    assert yuen(a, b)[0] == pytest.approx(0.0396, abs=2e-4)
    found = intervals(a, b)
    assert 0 < found.low[0] < 4 < found.high[0] < 8


def test_few_samples_are_not_trimmed() -> None:
    """Of four the typical value is the mean, of five that of the three in the middle."""
    assert typical(np.array([[1], [2], [3], [10]], float)).tolist() == [4]
    assert typical(np.array([[1], [2], [3], [10], [30]], float)).tolist() == [5]


def test_samples_that_do_not_vary() -> None:
    """Equal ones are equal; others differ for sure."""
    a, b = np.array([[1.0, 1.0]] * 3), np.array([[1.0, 2.0]] * 3)
    assert yuen(a, b).tolist() == [1.0, 0.0]
    assert intervals(a, b).low.tolist() == [0.0, 1.0]


def test_holm_by_hand() -> None:
    """The smallest p times the number of tests, the next times one less, never falling."""
    assert holm(np.array([0.01, 0.04, 0.03, 0.005])).tolist() == pytest.approx(
        [0.03, 0.06, 0.06, 0.02]
    )


def test_holm_of_one_test() -> None:
    """One test is not corrected; p is at most 1."""
    assert holm(np.array([0.7])).tolist() == [0.7]
    assert holm(np.array([0.7, 0.8])).tolist() == [1.0, 1.0]
    assert holm(np.array([])).tolist() == []


def test_families_of_tests_cry_wolf_rarely() -> None:
    """Of 400 pairs of 20 columns without a difference, at most 8 % have any that is significant."""
    random = np.random.default_rng(1)
    alarms = 0
    for _ in range(400):
        a, b = random.normal(100, 3, (8, 20)), random.normal(100, 3, (10, 20))
        alarms += bool((holm(yuen(a, b)) < 0.05).any())
    assert alarms <= 0.08 * 400


def test_intervals_hold_the_difference() -> None:
    """Of 300 intervals of 95 %, made from 20 samples a side, at least 90 % hold the truth."""
    random = np.random.default_rng(2)
    held = 0
    for seed in range(300):
        a, b = random.normal(100, 3, (20, 1)), random.normal(105, 5, (20, 1))
        found = intervals(a, b, seed=seed)
        held += bool(found.low[0] <= 5 <= found.high[0])
    assert held >= 0.9 * 300


def test_the_same_samples_give_the_same_interval() -> None:
    """The random numbers are seeded."""
    a, b = np.arange(10.0).reshape(5, 2), np.arange(14.0).reshape(7, 2)
    one, other = intervals(a, b), intervals(a, b)
    assert (one.low.tolist(), one.high.tolist()) == (other.low.tolist(), other.high.tolist())
