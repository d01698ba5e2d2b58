"""A sparse column answers as a mapping with a default."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools.trace.sparse_column import SparseColumn


@PURE
@given(
    st.dictionaries(st.integers(0, 9), st.integers(0, 99)),
    st.dictionaries(st.integers(0, 9), st.integers(0, 99)),
    st.lists(st.integers(0, 9)),
)
def test_a_sparse_column_is_a_mapping(
    values: dict[int, int], others: dict[int, int], rows: list[int]
) -> None:
    """It puts the values of its rows, the later ones where they changed, and leaves all others."""
    column = SparseColumn.of(values).changed([*others], [*others.values()])
    known, out = values | others, np.full(len(rows), -1)
    column.put(np.array(rows, np.int64), out)
    assert out.tolist() == [known.get(row, -1) for row in rows]
    assert column.has(np.array(rows, np.int64)).tolist() == [row in known for row in rows]
    assert len(column) == len(known)
