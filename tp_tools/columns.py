"""Work on numpy columns of millions of values in blocks.

numpy widens indices to 64 bits, and each step of an expression allocates a column of its own. On
whole columns that takes more memory than the columns themselves, and runs out of the CPU caches;
on blocks of 65,536 values it does neither.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import DTypeLike, NDArray

    Integers = NDArray[np.integer[Any]]

T = TypeVar("T", bound=np.generic)
Empty: TypeAlias = "Callable[[int, DTypeLike], NDArray[Any]]"
"""Makes a column whose values are undefined, as `np.empty` does."""

BLOCK_SIZE = 1 << 16
"""Values of a column that are worked on at a time."""

_TABLE_OF = 4  # entries of a table for each value of a column, at most
_HALF = 32  # bits of a number that are summed at a time
_LOW = (1 << _HALF) - 1


class Column(Protocol):
    """A column of values that gives a range of them, such as a numpy array."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: slice, /) -> NDArray[Any]: ...


def blocks(count: int) -> Iterator[slice]:
    """Divide a column into blocks.

    Args:
        count: number of values of the column.

    Returns:
        Slices of at most `BLOCK_SIZE` values that cover 0 to `count` in order:
        slice(0, 65536), slice(65536, 100000) for 100,000 values.
    """
    for start in range(0, count, BLOCK_SIZE):
        yield slice(start, min(start + BLOCK_SIZE, count))


def runs(counts: Iterable[int], limit: int) -> Iterator[slice]:
    """Divide consecutive groups of values into runs of groups that are worked on together.

    Args:
        counts: number of values of each group, in order.
        limit: most values of a run; a group with more is a run of its own.

    Returns:
        Slices that cover all values in order: slice(0, 5), slice(5, 9) for groups of 2, 3 and 4
        values and a limit of 6.
    """
    start = stop = 0
    for count in counts:
        if start < stop and stop + count - start > limit:
            yield slice(start, stop)
            start = stop
        stop += count
    if start < stop:
        yield slice(start, stop)


def take(values: NDArray[T], index: Integers, empty: Empty = np.empty) -> NDArray[T]:
    """Compute `values[index]`.

    Args:
        values: values of any dtype, shape (m,).
        index: indices into `values`, shape (n,).
        empty: makes the column of the result.

    Returns:
        The values at the indices: shape (n,), dtype of `values`.
    """
    taken = empty(len(index), values.dtype)
    for block in blocks(len(index)):
        taken[block] = values[index[block]]
    return taken


def is_in(column: Integers, codes: Iterable[int], empty: Empty = np.empty) -> NDArray[np.bool_]:
    """Compute `np.isin(column, codes)`.

    Args:
        column: numbers from 0 on, shape (n,).
        codes: the numbers to look for; those below 0 stand for no number and match nothing.
        empty: makes the column of the result.

    Returns:
        Whether each value is among the codes: shape (n,), bool.
    """
    return take(_code_flags(column, codes), column, empty)


def _code_flags(column: Integers, codes: Iterable[int]) -> NDArray[np.bool_]:
    """Make a lookup table: for each number up to the largest, whether it is among the codes."""
    known = [code for code in codes if code >= 0]
    flags = np.zeros(max([int(column.max(initial=0)), *known]) + 1, np.bool_)
    flags[known] = True
    return flags


def indices_of(column: Integers, codes: Iterable[int]) -> NDArray[np.intp]:
    """Compute `np.flatnonzero(is_in(column, codes))`.

    Args:
        column: numbers from 0 on, shape (n,).
        codes: the numbers to look for; those below 0 match nothing.

    Returns:
        Ascending indices of the values that are among the codes: shape (k,), intp.
    """
    flags = _code_flags(column, codes)
    matches = [np.flatnonzero(flags[column[block]]) + block.start for block in blocks(len(column))]
    return np.concatenate([np.empty(0, np.intp), *matches])


def exact_sum(values: Integers) -> int:
    """Return the sum of integers, whose halves are summed apart: 63 bits of ns are 292 years."""
    wide = values.astype(np.int64, copy=False)
    return (int((wide >> _HALF).sum()) << _HALF) + int((wide & _LOW).sum())


def exact_sums(codes: Integers, values: Integers, width: int) -> list[int]:
    """Sum the values of each code, as `exact_sum` does; the weights of np.bincount are doubles.

    Args:
        codes: numbers from 0 to `width` - 1, shape (n,).
        values: shape (n,).
        width: number of codes.

    Returns:
        The sum of each code.
    """
    wide = values.astype(np.int64, copy=False)
    high, low = np.zeros(width, np.int64), np.zeros(width, np.int64)
    np.add.at(high, codes, wide >> _HALF)
    np.add.at(low, codes, wide & _LOW)
    return [(a << _HALF) + b for a, b in zip(high.tolist(), low.tolist(), strict=True)]


def rows_where(
    count: int, select: Callable[[slice], NDArray[np.bool_]], empty: Empty = np.empty
) -> NDArray[np.int32]:
    """Compute `np.flatnonzero` of a mask that is made block by block.

    Args:
        count: number of rows, below 2^31.
        select: given a block, returns which of its rows are selected.
        empty: makes the column of the result.

    Returns:
        Ascending numbers of the selected rows: shape (k,), int32.
    """
    found = sum(int(np.count_nonzero(select(block))) for block in blocks(count))
    rows = empty(found, np.int32)
    free = 0
    for block in blocks(count):
        here = np.flatnonzero(select(block)) + block.start
        rows[free : free + len(here)] = here
        free += len(here)
    return rows


def distinct(codes: Integers) -> NDArray[np.intp]:
    """Compute `np.unique(codes)` in linear time.

    Args:
        codes: numbers from 0 on, shape (n,).

    Returns:
        The numbers that occur, ascending: shape (k,), intp.
    """
    occurs = np.zeros(int(codes.max()) + 1 if len(codes) else 0, np.bool_)
    for block in blocks(len(codes)):
        occurs[codes[block]] = True
    return np.flatnonzero(occurs)


def unique(values: NDArray[np.int64]) -> NDArray[np.int64]:
    """Compute `np.unique(values)`, for which numpy 2.4 imports `numpy.ma`, 0.02 s of CPU time.

    Args:
        values: numbers, shape (n,).

    Returns:
        Those that occur, ascending: shape (k,).
    """
    ordered = np.sort(values)
    is_first = np.ones(len(ordered), np.bool_)
    is_first[1:] = ordered[1:] != ordered[:-1]
    return ordered[is_first]


def ranked(values: NDArray[np.signedinteger[Any]], empty: Empty = np.empty) -> NDArray[np.int32]:
    """Number the distinct values in their order: `np.unique(values, return_inverse=True)[1]`.

    It takes a table where that is no larger than some columns.
    """
    low, high = int(values.min(initial=0)), int(values.max(initial=0))
    if high - low >= _TABLE_OF * len(values) + BLOCK_SIZE:
        numbers: NDArray[np.int32] = np.unique(values, return_inverse=True)[1].astype(np.int32)
        return numbers
    occurs = empty(high - low + 1, np.bool_)
    occurs[:] = False
    for block in blocks(len(values)):
        occurs[values[block].astype(np.int64) - low] = True
    rank = np.cumsum(occurs, dtype=np.int32, out=empty(len(occurs), np.int32))
    rank -= 1
    numbers = empty(len(values), np.int32)
    for block in blocks(len(values)):
        numbers[block] = rank[values[block].astype(np.int64) - low]
    return numbers


def occurs_where(
    codes: Integers, count: int, select: Callable[[slice], NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """Mark the numbers that occur among selected values of a column.

    Args:
        codes: numbers from 0 to `count` - 1, shape (n,).
        count: how many different numbers there may be.
        select: given a block, returns which of its values are selected: bool, length of the block.

    Returns:
        Whether each number occurs at a selected value: shape (count,), bool.
    """
    occurs = np.zeros(count, np.bool_)
    for block in blocks(len(codes)):
        occurs[codes[block][select(block)]] = True
    return occurs


def group_order(
    count: int, groups: int, group_of: Callable[[slice], Integers], empty: Empty = np.empty
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """Sort rows by their group, in linear time; rows of a group keep their order.

    Args:
        count: number of rows, below 2^31.
        groups: number of groups.
        group_of: given a block, returns the group of each of its rows, from 0.
        empty: makes the column of the result.

    Returns:
        int32 (count,), the rows by group; int64 (groups + 1,): the rows of group i are those from
        edge i up to edge i + 1.
    """
    edges = np.zeros(groups + 1, np.int64)
    for block in blocks(count):
        edges[1:] += np.bincount(group_of(block), minlength=groups)
    np.cumsum(edges, out=edges)
    free, order = edges[:-1].copy(), empty(count, np.int32)
    for block in blocks(count):
        group = group_of(block)
        rows = np.argsort(group, kind="stable")
        sizes = np.bincount(group, minlength=groups)
        shift = free - (np.cumsum(sizes) - sizes)
        order[shift[group[rows]] + np.arange(len(rows))] = rows + block.start
        free += sizes
    return order, edges


def iterate_rows(*columns: Column) -> Iterator[tuple[Any, ...]]:
    """Iterate over the rows of equally long columns.

    Python values take ten times the memory of numpy's, so only one block of them exists at a time.

    Returns:
        A tuple of Python values per row, one value per column.
    """
    for block in blocks(len(columns[0])):
        yield from zip(*(column[block].tolist() for column in columns), strict=True)


def narrow(values: NDArray[np.signedinteger[Any]]) -> NDArray[np.signedinteger[Any]]:
    """Convert integers to the smallest signed dtype that holds them all.

    Returns:
        The same numbers: int8 for [-128, 127], int16 for [128].
    """
    highest, lowest = int(values.max(initial=0)), int(values.min(initial=0))
    # a negative number makes numpy choose a signed type; ~highest needs as many bits as highest
    return values.astype(np.min_scalar_type(min(lowest, ~highest)))
