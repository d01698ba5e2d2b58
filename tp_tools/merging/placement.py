"""Describe the position of a rank in a merged trace: its ids, its name, its clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    from tp_tools.alignment import Clock


RANK_IDS = 100_000
"""Process and thread ids of a rank: rank 3 has 400,000 to 499,999, its GPU 3 is 400,003."""


HIGHEST_RANK = (1 << 31) // RANK_IDS - 2
"""Ids are below 2^31."""


class RankPlacement(Struct, frozen=True):
    """The ids, the name and the clock of a rank in the merged trace.

    Attributes:
        rank: its number.
        title: its name, for example "rank 3 (TP3)".
        position: its index among the ranks, from 0.
        clock: converts its times to the common clock.
        base_ns: time that its recorded timestamps count from, ns since the epoch.
        start_ns: time that all timestamps of the merged trace count from, ns since the epoch.
        first_flow: the first id for its flows.
    """

    rank: int
    title: str
    position: int
    clock: Clock
    base_ns: int
    start_ns: int
    first_flow: int
