"""Columns of millions of values, worked on piece by piece.

numpy widens indices to 64 bits, and each step of an expression makes a column of its own: done on
all at once, that takes more memory than the columns themselves, and more time than the caches do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from numpy.typing import NDArray

    Whole = NDArray[np.integer[Any]]

T = TypeVar("T", bound=np.generic)

PIECE = 1 << 16


class Column(Protocol):
    """Values of which some can be asked for."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: slice, /) -> NDArray[Any]: ...


def blocks(count: int) -> Iterator[slice]:
    """Where the pieces of a column of so many values are."""
    for start in range(0, count, PIECE):
        yield slice(start, min(start + PIECE, count))


def take(values: NDArray[T], index: Whole) -> NDArray[T]:
    """The values at these places: `values[index]`."""
    found = np.empty(len(index), values.dtype)
    for here in blocks(len(index)):
        found[here] = values[index[here]]
    return found


def is_in(column: Whole, codes: Iterable[int]) -> NDArray[np.bool_]:
    """Which values of a column are among these: `np.isin(column, codes)`. None is below 0."""
    return take(_marked(column, codes), column)


def _marked(column: Whole, codes: Iterable[int]) -> NDArray[np.bool_]:
    """A flag per number that a column may have: whether it is among these."""
    wanted = [code for code in codes if code >= 0]
    is_wanted = np.zeros(max([int(column.max(initial=0)), *wanted]) + 1, np.bool_)
    is_wanted[wanted] = True
    return is_wanted


def indices_of(column: Whole, codes: Iterable[int]) -> NDArray[np.intp]:
    """Where a column of numbers from 0 on has one of these: `np.flatnonzero(is_in(...))`."""
    is_wanted = _marked(column, codes)
    found = [np.flatnonzero(is_wanted[column[here]]) + here.start for here in blocks(len(column))]
    return np.concatenate([np.empty(0, np.intp), *found])


def distinct(codes: Whole) -> NDArray[np.intp]:
    """The numbers that occur in a column of indices, ascending: `np.unique(codes)`."""
    found = np.zeros(int(codes.max()) + 1 if len(codes) else 0, np.bool_)
    for here in blocks(len(codes)):
        found[codes[here]] = True
    return np.flatnonzero(found)


def occurs_where(
    codes: Whole, count: int, is_wanted: Callable[[slice], NDArray[np.bool_]]
) -> NDArray[np.bool_]:
    """A flag for each of so many numbers: whether it occurs in a column of them where it is wanted.

    Args:
        codes: the column.
        count: how many numbers there are.
        is_wanted: says for a range which of its places are.
    """
    found = np.zeros(count, np.bool_)
    for here in blocks(len(codes)):
        found[codes[here][is_wanted(here)]] = True
    return found


def iterate_rows(*columns: Column) -> Iterator[tuple[Any, ...]]:
    """The rows of equally long columns as tuples of Python values, which take ten times as much."""
    for here in blocks(len(columns[0])):
        yield from zip(*(column[here].tolist() for column in columns), strict=True)


def narrow(values: NDArray[np.signedinteger[Any]]) -> NDArray[np.signedinteger[Any]]:
    """The same numbers in as few bits as hold them."""
    highest, lowest = int(values.max(initial=0)), int(values.min(initial=0))
    return values.astype(np.min_scalar_type(min(lowest, ~highest)))  # of a negative one: signed
