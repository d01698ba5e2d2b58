"""Candidates for an offset are the windows that hold the most differences."""

from __future__ import annotations

from bisect import bisect_right
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.alignment.offset_candidates import _peaks

SERIES = st.tuples(st.integers(1, 3_000), st.integers(1, 100_000), st.integers(0, 400))
"""Number of differences that chance spreads, over how much, and of those at one place."""


@PURE
@given(SERIES, st.integers(0, 2_000), st.integers(0, 9))
def test_peaks_are_the_fullest_windows(series: tuple[int, int, int], width: int, seed: int) -> None:
    """The first peak holds as many as any window; counts are exact, and peaks lie apart."""
    count, span, crowd = series
    random = np.random.default_rng(seed)
    spread = random.integers(-span, span, count)
    place = random.integers(0, 1 + width, crowd) + span // 3
    differences = np.sort(np.concatenate([spread, place]))
    listed = differences.tolist()
    held = [bisect_right(listed, it + width) - i for i, it in enumerate(listed)]
    peaks = list(_peaks(differences, width))
    assert peaks[0][1] == max(held)
    assert [many for _, many in peaks] == sorted((many for _, many in peaks), reverse=True)
    for middle, many in peaks:
        window = [i for i, it in enumerate(listed) if it <= middle <= it + width]
        assert many in {held[i] for i in window}
    offsets = sorted(middle for middle, _ in peaks)
    assert all(after - before > width for before, after in pairwise(offsets))


def test_no_difference_is_no_candidate() -> None:
    """Where no keys are equal."""
    assert list(_peaks(np.empty(0, np.int64), 5)) == []
