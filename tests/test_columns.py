"""What is done piece by piece gives what numpy gives for all at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools import columns

if TYPE_CHECKING:
    from collections.abc import Iterator

CODES = st.lists(st.integers(0, 40), max_size=30)


@pytest.fixture(autouse=True, scope="module")
def small() -> Iterator[None]:
    """Pieces so small that there are several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(columns, "PIECE", 4)
        yield


@PURE
@given(CODES, CODES)
def test_columns_are_searched_and_looked_up(codes: list[int], wanted: list[int]) -> None:
    """As by indexing, isin and unique."""
    column, values = np.array(codes, np.int8), np.arange(41) * 10
    assert columns.take(values, column).tolist() == values[column].tolist()
    assert columns.is_in(column, wanted).tolist() == np.isin(column, wanted).tolist()
    assert columns.distinct(column).tolist() == np.unique(column).tolist()
    assert list(columns.iterate_rows(column, column)) == list(zip(codes, codes, strict=True))


def test_a_code_that_stands_for_none_is_nowhere() -> None:
    """Codes below 0 say that something does not occur."""
    assert columns.is_in(np.array([0, 1]), [-1, 1]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("values", "bits"),
    [([], 8), ([-128, 127], 8), ([128], 16), ([-129], 16), ([1 << 15], 32), ([-1, 1 << 31], 64)],
)
def test_numbers_keep_their_value_in_few_bits(values: list[int], bits: int) -> None:
    """As few as hold them, with their sign."""
    found = columns.narrow(np.array(values, np.int64))
    assert found.dtype == np.dtype(f"int{bits}")
    assert found.tolist() == values
