"""Ranks that share no collective with the others, on the clock of their machine.

A machine is known by its `host_name`. Base times name none: Kineto counts from a quarter of a year,
wherever it runs (libkineto/src/output_json.h, ChromeTraceBaseTime), and not from a boot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.clock import PPT, Clock
from tp_tools.alignment.collectives import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.trace.model import Ints


def same_host_ranks(
    clocks: Sequence[Clock], part: Ints, hosts: Sequence[str]
) -> tuple[list[Clock], dict[int, int]]:
    """Ranks that are not tied to the first keep their relation to those on their machine.

    Args:
        clocks: by rank.
        part: by rank: ranks of one part are tied together; UNKNOWN for one that is not tied.
        hosts: by rank: the machine's name; "" if it is not known.

    Returns:
        The clocks; for each rank that moved the one whose machine it, or one tied to it, is on.
    """
    moved = list(clocks)
    follows: dict[int, int] = {}
    done = part == part[0] if part[0] != UNKNOWN else np.arange(len(hosts)) == 0
    groups = [np.flatnonzero(part == number) for number in np.unique(part[part >= 0]).tolist()]
    groups += [np.array([rank]) for rank in np.flatnonzero(part < 0).tolist()]
    for group in sorted(groups, key=lambda ranks: int(ranks[0])):
        if done[group].any():
            continue
        pair = next(
            (
                (rank, other)
                for rank in group.tolist()
                for other in np.flatnonzero(done).tolist()
                if hosts[rank] and hosts[rank] == hosts[other]
            ),
            None,
        )
        if pair is not None:
            _carry(moved, group.tolist(), *pair)
            follows.update(dict.fromkeys(group.tolist(), pair[1]))
        done[group] = True
    return moved, follows


def _carry(clocks: list[Clock], group: list[int], rank: int, other: int) -> None:
    """Moves a group of ranks so that one of them has the clock of another on its machine."""
    mine, wanted = clocks[rank], clocks[other]
    at = wanted.offset_ns + (mine.at_ns - wanted.at_ns) * wanted.drift_ppt // PPT
    shift, drift = at - mine.offset_ns, wanted.drift_ppt - mine.drift_ppt
    for member in group:
        clock = clocks[member]
        later = clock.at_ns + clock.offset_ns - mine.at_ns - mine.offset_ns
        clocks[member] = Clock(
            clock.offset_ns + shift + later * drift // PPT, clock.drift_ppt + drift, clock.at_ns
        )
