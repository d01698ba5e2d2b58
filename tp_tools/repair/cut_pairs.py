"""Find the slices of B and E events that Perfetto ends too soon in JSON.

At one time Perfetto v52 handles X events, longest first, before B events in the order of the file.
Each holds those that it handles later. So a slice of B and E events is inside X events that start
with it, and inside pairs that start with it and stand before it in the file; where one of these
ends sooner, it ends the slice with itself, and the E event finds nothing to end. Sources: Perfetto
v52.0, sorter/trace_sorter.cc and importers/common/slice_tracker.cc, MaybeCloseStack. A `.pftrace`
gives the slices in their order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import distinct, is_in, iterate_rows
from tp_tools.formatting import plural

if TYPE_CHECKING:
    from tp_tools.trace import Slices
    from tp_tools.trace.model import Ints

_NEVER = np.iinfo(np.int64).max


def cut_pairs(table: Slices) -> tuple[Ints, Ints]:
    """Find the slices of B and E events that are inside one of the same start that ends sooner.

    Args:
        table: all slices.

    Returns:
        Indices of these slices, ascending, and the ends that Perfetto gives them, ns.
    """
    paired = np.flatnonzero(table.closing >= 0)
    near = np.flatnonzero(is_in(table.track, distinct(table.track[paired]).tolist()))
    track, ts, end = table.track[near], table.ts[near], table.end[near]
    starts_new = np.ones(len(near), np.bool_)
    starts_new[1:] = (np.diff(track) != 0) | (np.diff(ts) != 0)
    group = np.cumsum(starts_new) - 1
    is_pair = table.closing[near] >= 0
    # of the X events of a group, which are sorted longest first, the last that is no point
    holders = np.flatnonzero(~is_pair & (end > ts))
    ends_first = np.full(len(near), _NEVER)
    ends_first[group[holders]] = end[holders]
    pairs = np.flatnonzero(is_pair)
    pairs = pairs[np.lexsort((table.event[near[pairs]], group[pairs]))]
    ends = _ends(group[pairs], end[pairs], ends_first[group[pairs]])
    cut = np.flatnonzero(ends < end[pairs])
    order = np.argsort(pairs[cut])
    return near[pairs[cut]][order], ends[cut][order]


def _ends(group: Ints, end: Ints, ends_first: Ints) -> Ints:
    """Return the end that Perfetto gives each pair: the soonest of its own and those around it.

    Args:
        group: a number for pairs of one track and start; equal ones stand together.
        end: recorded ends, ns, in the order of the file within a group.
        ends_first: the soonest end of the X events of the group, ns.
    """
    soonest, before, ends = _NEVER, -1, []
    for number, own, around in iterate_rows(group, end, ends_first):
        soonest = min(around if number != before else soonest, own)
        before = number
        ends.append(soonest)
    return np.array(ends, np.int64)


def cut_text(count: int) -> str:
    """Say how many slices Perfetto ends too soon, and where it does not."""
    return (
        f"{plural(count, 'slice')} of B and E events: Perfetto v51-56 ends them sooner than "
        "recorded, with another of the same start. In a .pftrace they are whole"
    )


def cut_by_unended_text(count: int) -> str:
    """Say how many slices Perfetto ends with the slice around a B event that has no E event."""
    return (
        f"{plural(count, 'slice')} inside B events without an E: Perfetto v51-56 ends them sooner "
        "than recorded, with the slice around these. In a .pftrace they are whole"
    )
