"""A column that grows at its end and is in memory once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

_FIRST = 1 << 14


class GrowableColumn:
    """Values of one kind, as wide as the widest, put together piece by piece."""

    def __init__(self, kind: type[np.generic]) -> None:
        """Args: kind: what the values are at least."""
        self._values: NDArray[Any] = np.empty(_FIRST, kind)
        self._count = 0

    def extend(self, values: NDArray[Any]) -> None:
        """Puts values behind those that are there."""
        kind = np.promote_types(self._values.dtype, values.dtype)
        if kind != self._values.dtype:
            wider = np.empty(len(self._values), kind)
            wider[: self._count] = self._values[: self._count]
            self._values = wider
        end = self._count + len(values)
        if end > len(self._values):
            # the system moves pages of a large one, and copies none
            self._values.resize(end + end // 2, refcheck=False)
        self._values[self._count : end] = values
        self._count = end

    def whole(self) -> NDArray[Any]:
        """All of them; nothing can be put behind them any more."""
        self._values.resize(self._count, refcheck=False)
        return self._values
