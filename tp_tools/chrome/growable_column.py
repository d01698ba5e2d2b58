"""Grow a column at its end: in memory, and from some length on in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tp_tools.files.scratch import IN_MEMORY

if TYPE_CHECKING:
    from numpy.typing import DTypeLike, NDArray

    from tp_tools.files.scratch import Scratch

_FIRST_CAPACITY = 1 << 14


class GrowableColumn:
    """A column that grows at its end, held once, in the widest dtype added so far."""

    def __init__(
        self, dtype: type[np.generic], scratch: Scratch = IN_MEMORY, mapped: int = 0
    ) -> None:
        """Make an empty column.

        Args:
            dtype: its dtype until wider values are added.
            scratch: where it lies once it is long.
            mapped: values from which it is.
        """
        first = None if mapped else scratch.mapped(_FIRST_CAPACITY, dtype)
        self._values: NDArray[Any] = np.empty(_FIRST_CAPACITY, dtype) if first is None else first
        self._count = 0
        self._scratch, self._mapped = scratch, mapped

    def extend(self, values: NDArray[Any]) -> None:
        """Append values; widen the column if their dtype is wider."""
        dtype = np.promote_types(self._values.dtype, values.dtype)
        end = self._count + len(values)
        if dtype != self._values.dtype or end > len(self._values):
            capacity = len(self._values) if end <= len(self._values) else end + end // 2
            self._make_room(end, capacity, dtype)
        self._values[self._count : end] = values
        self._count = end

    def _make_room(self, end: int, capacity: int, dtype: DTypeLike) -> None:
        """Hold up to `capacity` values of a dtype; there will be `end` of them next."""
        array = self._scratch.mapped(capacity, dtype) if end >= self._mapped else None
        if array is None and dtype == self._values.dtype and self._is_in_memory():
            # realloc moves the pages of a large array without copying them
            self._values.resize(capacity, refcheck=False)
            return
        array = np.empty(capacity, dtype) if array is None else array
        array[: self._count] = self._values[: self._count]
        self._values = array

    def _is_in_memory(self) -> bool:
        return self._values.base is None

    def whole(self) -> NDArray[Any]:
        """Return all values, shape (n,), without a copy; `extend` may not be called after it."""
        if not self._is_in_memory():
            return self._values[: self._count]
        self._values.resize(self._count, refcheck=False)
        return self._values
