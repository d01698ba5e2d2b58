"""Times that are looked up only where they are asked for."""

from __future__ import annotations

import numpy as np
import pytest
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
def test_places_are_those_of_numpy(starts: list[int], at: list[int], few: int) -> None:
    """Whether each is searched for on its own, or all times near them are looked up."""
    table = slices(trace_of(text(cpu("k", start, start + 5) for start in starts)))
    wanted = np.array(at, np.int64) * 1000
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tp_tools.trace.slice_times._FEW", few)
        found = searched(table.ts, wanted)
    assert found.tolist() == np.searchsorted(table.ts[:], wanted).tolist()
