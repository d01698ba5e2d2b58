"""Which ranks the collectives that they share tie together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.collectives import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.alignment.clock import Readings
    from tp_tools.trace.model import Ints

LEAST = 8
"""Matched collectives that tie two ranks together."""


def connected_ranks(readings: Readings, ranks: int) -> tuple[NDArray[np.bool_], Ints]:
    """Which readings tie ranks together, and the part of each rank.

    A rank counts if it shares LEAST collectives or more with others that count.

    Returns:
        By reading whether it is used; by rank the number of its part (its lowest rank), UNKNOWN
        for one that is not tied.
    """
    used = np.ones(len(readings.rank), np.bool_)
    while True:
        present = np.bincount(readings.collective[used], minlength=_size(readings))
        enough = np.bincount(readings.rank[used], minlength=ranks) >= LEAST
        now = used & (present[readings.collective] > 1) & enough[readings.rank]
        if (now == used).all():
            break
        used = now
    return used, _parts(readings.where(used), ranks)


def _size(readings: Readings) -> int:
    return int(readings.collective.max(initial=-1)) + 1


def _parts(readings: Readings, ranks: int) -> Ints:
    """The lowest rank that each rank is connected with; UNKNOWN for those without readings."""
    part = np.where(np.bincount(readings.rank, minlength=ranks) > 0, np.arange(ranks), UNKNOWN)
    while True:
        lowest = np.full(_size(readings), ranks)
        np.minimum.at(lowest, readings.collective, part[readings.rank])
        now = part.copy()
        np.minimum.at(now, readings.rank, lowest[readings.collective])
        if (now == part).all():
            return part
        part = now
