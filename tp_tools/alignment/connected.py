"""Find the ranks that are connected by collectives that they share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.collectives import UNKNOWN

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.alignment.clock import Readings
    from tp_tools.trace.model import Ints

LEAST = 8
"""Least number of matched collectives that connect a rank with others."""


def connected_ranks(readings: Readings, ranks: int) -> tuple[NDArray[np.bool_], Ints]:
    """Find the readings that connect ranks, and the component of each rank.

    A rank is connected if it shares LEAST collectives or more with connected ranks.

    Args:
        readings: ends of collectives.
        ranks: number of ranks.

    Returns:
        bool (readings,), whether a reading is of connected ranks; int (ranks,), the lowest rank of
        each rank's component, UNKNOWN for a rank that is not connected.
    """
    used = np.ones(len(readings.rank), np.bool_)
    while True:
        ranks_of = np.bincount(readings.collective[used], minlength=_collective_count(readings))
        has_enough = np.bincount(readings.rank[used], minlength=ranks) >= LEAST
        still_used = used & (ranks_of[readings.collective] > 1) & has_enough[readings.rank]
        if (still_used == used).all():
            break
        used = still_used
    return used, _components(readings.where(used), ranks)


def _collective_count(readings: Readings) -> int:
    return int(readings.collective.max(initial=-1)) + 1


def _components(readings: Readings, ranks: int) -> Ints:
    """Return the lowest rank connected with each rank; UNKNOWN for a rank without readings."""
    has_readings = np.bincount(readings.rank, minlength=ranks) > 0
    component = np.where(has_readings, np.arange(ranks), UNKNOWN)
    while True:
        lowest = np.full(_collective_count(readings), ranks)
        np.minimum.at(lowest, readings.collective, component[readings.rank])
        lowered = component.copy()
        np.minimum.at(lowered, readings.rank, lowest[readings.collective])
        if (lowered == component).all():
            return component
        component = lowered
