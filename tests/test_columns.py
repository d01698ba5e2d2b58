"""Helpers that work in blocks give the results of numpy on whole columns."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.strategies import PURE
from tp_tools import columns

CODES = st.lists(st.integers(0, 40), max_size=30)


LENGTHS = st.sampled_from(
    [0, 1, columns.BLOCK_SIZE - 1, columns.BLOCK_SIZE, 2 * columns.BLOCK_SIZE + 5]
)


@PURE
@given(CODES, CODES, LENGTHS)
def test_lookups_in_blocks_equal_numpy(codes: list[int], searched: list[int], length: int) -> None:
    """take, is_in, indices_of, rows_where, distinct and iterate_rows equal numpy, and zip."""
    column, values = np.resize(np.array(codes, np.int8), length), np.arange(41) * 10
    matches = np.isin(column, searched)
    assert np.array_equal(columns.take(values, column), values[column])
    assert np.array_equal(columns.is_in(column, searched), matches)
    assert np.array_equal(columns.indices_of(column, searched), np.flatnonzero(matches))
    rows = columns.rows_where(length, lambda block: matches[block])
    assert np.array_equal(rows, np.flatnonzero(matches))
    assert np.array_equal(columns.distinct(column), np.unique(column))
    pairs = list(columns.iterate_rows(column, column))
    assert pairs == list(zip(column.tolist(), column.tolist(), strict=True))


@PURE
@given(st.lists(st.integers(0, 9)), st.integers(1, 20))
def test_runs_hold_whole_groups(counts: list[int], limit: int) -> None:
    """Runs cover all values in order, end where a group ends, and only a single group is longer."""
    found = list(columns.runs(counts, limit))
    ends = np.cumsum([0, *counts]).tolist()
    assert [it.start for it in found] == [0, *(it.stop for it in found)][: len(found)]
    assert sum(it.stop - it.start for it in found) == sum(counts)
    for run in found:
        inside = [
            count
            for count, end in zip(counts, ends, strict=False)
            if run.start <= end < run.stop and count
        ]
        assert run.stop in ends
        assert sum(inside) <= limit or len(inside) == 1


@PURE
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(-(2**63), 2**63 - 1))))
def test_sums_beyond_64_bits(pairs: list[tuple[int, int]]) -> None:
    """exact_sum and exact_sums are the sums of Python's integers, by code."""
    codes, values = np.array([pair[0] for pair in pairs], int), [pair[1] for pair in pairs]
    by_code = [sum(value for code, value in pairs if code == it) for it in range(3)]
    assert columns.exact_sum(np.array(values, np.int64)) == sum(values)
    assert columns.exact_sums(codes, np.array(values, np.int64), 3) == by_code


def test_a_negative_code_matches_nothing() -> None:
    """Codes below 0 stand for names that do not occur in a trace."""
    assert columns.is_in(np.array([0, 1]), [-1, 1]).tolist() == [False, True]


@pytest.mark.parametrize(
    ("values", "bits"),
    [([], 8), ([-128, 127], 8), ([128], 16), ([-129], 16), ([1 << 15], 32), ([-1, 1 << 31], 64)],
)
def test_narrow_keeps_values_and_signs(values: list[int], bits: int) -> None:
    """The dtype is the smallest signed one that holds every value."""
    narrowed = columns.narrow(np.array(values, np.int64))
    assert narrowed.dtype == np.dtype(f"int{bits}")
    assert narrowed.tolist() == values


@PURE
@given(CODES, LENGTHS)
def test_rows_are_sorted_by_group(codes: list[int], length: int) -> None:
    """group_order is a stable argsort, with the edges of all groups, empty ones too."""
    column = np.resize(np.array(codes, np.int8), length)
    order, edges = columns.group_order(len(column), 42, lambda block: column[block])
    assert np.array_equal(order, np.argsort(column, kind="stable"))
    assert np.array_equal(edges, np.searchsorted(np.sort(column), np.arange(43)))


@PURE
@given(st.lists(st.integers(-1, 40), max_size=30), st.sampled_from([1, 1 << 20]))
def test_values_are_ranked(values: list[int], apart: int) -> None:
    """By a table or, where they lie far apart, by sorting: the number of each distinct value."""
    column = np.array(values, np.int64) * apart
    expected = np.unique(column, return_inverse=True)[1]
    assert columns.ranked(column).tolist() == expected.tolist()


@PURE
@given(st.lists(st.integers(-1, 40), max_size=30))
def test_distinct_values(values: list[int]) -> None:
    """Those that occur, ascending."""
    column = np.array(values, np.int64)
    assert columns.unique(column).tolist() == np.unique(column).tolist()


def test_ranks_of_narrow_values_do_not_overflow() -> None:
    """The distance between the lowest and the highest number may need more bits than both."""
    assert columns.ranked(np.array([127, -1, -128, 127], np.int8)).tolist() == [2, 1, 0, 2]
