"""Where a rank stands in a merged trace: its ids, its name, its clock."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tp_tools.alignment.clock import Clock


RANK_IDS = 100_000
"""Process and thread ids of a rank: rank 3 has 400,000 to 499,999, its GPU 3 is 400,003."""


HIGHEST_RANK = (1 << 31) // RANK_IDS - 2
"""Ids are below 2^31."""


@dataclass(frozen=True)
class RankPlacement:
    """What a rank is given.

    Attributes:
        rank: its number.
        title: what it is called, "rank 3 (TP3)".
        position: its place among the ranks, from 0.
        clock: its relation to the common clock.
        base_ns: what its recorded times are counted from, ns since the epoch.
        start_ns: what all times in the merged trace are counted from, ns since the epoch.
        first_flow: the first number for its arrows.
    """

    rank: int
    title: str
    position: int
    clock: Clock
    base_ns: int
    start_ns: int
    first_flow: int
