"""The rows of each rank are those that a mask would find."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tp_tools.alignment.rank_rows import rows_by_rank


@given(st.lists(st.integers(0, 5)))
def test_rows_are_those_of_each_rank_in_order(ranks: list[int]) -> None:
    """Also of a table without rows, and of ranks that are not in order."""
    column = np.array(ranks, np.int64)
    rows = rows_by_rank(column)
    assert list(rows) == sorted(set(ranks))
    for rank, of_rank in rows.items():
        assert of_rank.tolist() == np.flatnonzero(column == rank).tolist()
