"""Which packets have to wait, so that what starts at one time comes in the right order.

TraceProcessor sorts packets by time and leaves those of one time as they stand in the file (v52
to v58: TraceSorter). All ENDs stand first in the file. A BEGIN needs its event's args, so it is
written when its event is read. Where one would so come before another that has to be first, it
waits for the end of the file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.flows import Flows
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents

_MOST_ROUNDS = 64
_WIDE = 1 << 32


def defer_order(found: ThreadEvents, run: Codes, arrows: Flows) -> Codes:
    """0 for what is written with its run; others wait for the end, in ascending order of this.

    Args:
        found: what starts, in the order that one track wants.
        run: in which run of events each one's args are known, ascending in the file.
        arrows: of which the source has to come before the target: both start at one time, and
            the target has no END to carry its end of the arrow.
    """
    group = _groups(found)
    level = (_highest(run, group) > run).astype(np.int64)
    for _ in range(_MOST_ROUNDS):  # arrows in a circle would go on for ever
        level = _highest(level, group)
        higher = level.copy()
        np.maximum.at(higher, arrows.into, level[arrows.out] + 1)
        if (higher == level).all():
            break
        level = higher
    return _highest(level, group).astype(np.int32)


def _groups(found: ThreadEvents) -> Ints:
    """A number for each set of neighbours that start at one time on one track."""
    changes = np.ones(len(found), np.bool_)
    changes[1:] = (np.diff(found.ts) != 0) | (np.diff(found.lane) != 0) | (np.diff(found.row) != 0)
    return np.cumsum(changes)


def _highest(values: Codes | Ints, group: Ints) -> Ints:
    """The highest value so far in its group; values are below 2^32."""
    return np.maximum.accumulate(values + group * _WIDE) - group * _WIDE
