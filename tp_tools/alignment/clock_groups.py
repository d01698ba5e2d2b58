"""Count the groups of ranks whose clocks were fitted each in itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.alignment.alignment import BY_COLLECTIVES
from tp_tools.alignment.connected import connected_ranks

if TYPE_CHECKING:
    from tp_tools.alignment.alignment import Alignment


def clock_groups(alignment: Alignment) -> int:
    """Count the groups of ranks of which none shares enough collectives with another.

    Within one, clocks are fitted to each other; from one to another base times stand, so that
    times may be wrong by as much as these differ.
    """
    readings = alignment.matches.readings(alignment.pool)
    _, component = connected_ranks(readings, len(alignment.ranks))
    of = zip(alignment.ranks, component.tolist(), strict=True)
    return len({number for aligned, number in of if aligned.how == BY_COLLECTIVES})
