"""Search in columns of times that are looked up in the trace."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.handmade import cpu, text, trace_of
from tests.support.strategies import PURE
from tp_tools.trace.slice_times import searched
from tp_tools.trace.slices import slices


@PURE
@given(
    st.lists(st.integers(0, 30), min_size=1, max_size=40),
    st.lists(st.integers(-2, 33), max_size=8),
    st.sampled_from([0, 1, 2, 1000]),
)
def test_search_agrees_with_numpy(starts: list[int], at: list[int], few: int) -> None:
    """Bisection and the lookup of all times in between give the indices of np.searchsorted."""
    table = slices(trace_of(text(cpu("k", start, start + 5) for start in starts)))
    times = np.array(at, np.int64) * 1000
    found = searched(table.ts, times, few)
    assert found.tolist() == np.searchsorted(table.ts[:], times).tolist()
