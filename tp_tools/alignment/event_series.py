"""Hold the ends of a rank's collectives in order of time, and search the nearest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints

    Floats = NDArray[np.float64]


_KEY_STEP = 1 << 50  # ns, 13 days: keeps the times of different keys apart


class EventSeries:
    """Ends of collectives in order of time.

    Attributes:
        key: int64 (n,), small numbers from 0, equal for collectives that may match.
        end: int64 (n,), ns after a time that all series share.
        pause: median time between two ends of one key, ns.
    """

    def __init__(self, key: Ints, end: Ints) -> None:
        self.key, self.end = key, end
        place = key * _KEY_STEP + end
        self._order = np.argsort(place, kind="stable")
        self._sorted = place[self._order]
        pauses = np.diff(self._sorted)
        pauses = pauses[pauses < _KEY_STEP // 2]
        self.pause = float(np.median(pauses)) if len(pauses) else float(_KEY_STEP)

    def __len__(self) -> int:
        return len(self.key)

    def nearest(self, key: Ints, end: Floats, near: float) -> Ints:
        """Find the closest end of the same key, each at most once.

        Args:
            key: int64 (m,), keys to search.
            end: float64 (m,), times to search, ns.
            near: largest distance, ns.

        Returns:
            int64 (m,), index in the series, or -1.
        """
        if not len(self):
            return np.full(len(key), -1, np.int64)
        place = key * _KEY_STEP + np.rint(end).astype(np.int64)
        right = np.clip(np.searchsorted(self._sorted, place), 0, len(self) - 1)
        left = np.maximum(right - 1, 0)
        to_right, to_left = (np.abs(self._sorted[i] - place) for i in (right, left))
        index = self._order[np.where(to_left <= to_right, left, right)]
        distance = np.minimum(to_left, to_right)
        index[distance > near] = -1
        return _without_repeats(index, distance)


def _without_repeats(index: Ints, distance: Ints) -> Ints:
    """Keep an index that occurs several times only where it is closest; elsewhere set it to -1."""
    order = np.lexsort((distance, index))
    ordered = index[order]
    repeated = np.concatenate([[False], (ordered[1:] == ordered[:-1]) & (ordered[1:] >= 0)])
    index[order[repeated]] = -1
    return index
