"""Hold the values of a few rows of a column; all others have a default."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints


class SparseColumn:
    """The values of a few rows of a column; all others have a default.

    Attributes:
        keys: int64 (n,), numbers of the rows, ascending.
        values: int64 (n,), their values.
    """

    def __init__(self, keys: Ints, values: Ints) -> None:
        """Take numbers in any order, and their values; of an equal number the last one counts."""
        numbers, last = np.unique(np.asarray(keys, np.int64)[::-1], return_index=True)
        self.keys = numbers
        self.values = np.asarray(values, np.int64)[::-1][last]

    @classmethod
    def of(cls, mapping: Mapping[int, int]) -> SparseColumn:
        """Make a column of the values of a mapping."""
        count = len(mapping)
        keys = np.fromiter(mapping.keys(), np.int64, count)
        return cls(keys, np.fromiter(mapping.values(), np.int64, count))

    def __len__(self) -> int:
        return len(self.keys)

    def changed(self, keys: Ints, values: Ints) -> SparseColumn:
        """Return the column with more or other values."""
        return SparseColumn(
            np.concatenate([self.keys, keys]), np.concatenate([self.values, values])
        )

    def has(self, rows: Ints) -> NDArray[np.bool_]:
        """Mark the rows that have a value of their own."""
        return self._found(rows)[0]

    def put(self, rows: Ints, out: NDArray[np.signedinteger[Any]]) -> None:
        """Set `out[i]` to the value of row `rows[i]`, where that has one."""
        has, place = self._found(rows)
        out[has] = self.values[place[has]]

    def _found(self, rows: Ints) -> tuple[NDArray[np.bool_], NDArray[np.intp]]:
        """Say which rows have a value, and where it stands."""
        if not len(self):
            return np.zeros(len(rows), np.bool_), np.zeros(len(rows), np.intp)
        place = np.minimum(np.searchsorted(self.keys, rows), len(self) - 1)
        return self.keys[place] == rows, place
