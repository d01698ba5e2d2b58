"""Give ranks that share no collective with the others the clock of a rank on their machine.

A machine is identified by its `host_name`. Its base time does not identify it: Kineto counts from
the start of a quarter of a year (libkineto/src/output_json.h, ChromeTraceBaseTime), not from boot.
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
    clocks: Sequence[Clock], component: Ints, hosts: Sequence[str]
) -> tuple[list[Clock], dict[int, int]]:
    """Move the clocks of ranks not connected with the first rank, by a rank on the same machine.

    All ranks of a component move together.

    Args:
        clocks: clock of each rank.
        component: int (ranks,), equal for connected ranks; UNKNOWN for a rank without any.
        hosts: host name of each rank; "" if it is unknown.

    Returns:
        The clocks; and for each rank that moved, the rank whose clock its component follows.
    """
    moved = list(clocks)
    follows: dict[int, int] = {}
    done = component == component[0] if component[0] != UNKNOWN else np.arange(len(hosts)) == 0
    connected = component >= 0
    groups = [
        np.flatnonzero(component == number) for number in np.unique(component[connected]).tolist()
    ]
    groups += [np.array([rank]) for rank in np.flatnonzero(~connected).tolist()]
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
            _move_group(moved, group.tolist(), *pair)
            follows.update(dict.fromkeys(group.tolist(), pair[1]))
        done[group] = True
    return moved, follows


def _move_group(clocks: list[Clock], group: list[int], rank: int, other: int) -> None:
    """Change the clocks of a group, in place, so that one of its ranks agrees with another rank.

    Args:
        clocks: clock of each rank.
        group: ranks to move together.
        rank: the rank of the group that must agree.
        other: the rank to agree with, on the same machine.
    """
    old, target = clocks[rank], clocks[other]
    target_offset = target.offset_ns + (old.at_ns - target.at_ns) * target.drift_ppt // PPT
    shift, drift = target_offset - old.offset_ns, target.drift_ppt - old.drift_ppt
    for member in group:
        clock = clocks[member]
        elapsed = clock.at_ns + clock.offset_ns - old.at_ns - old.offset_ns
        clocks[member] = Clock(
            clock.offset_ns + shift + elapsed * drift // PPT, clock.drift_ppt + drift, clock.at_ns
        )
