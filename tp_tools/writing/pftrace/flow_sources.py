"""Find the flow event that each flow event continues, by Perfetto's rules."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import blocks

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.columns import Empty
    from tp_tools.trace.model import Ints

NONE = -1


def sources(
    phase: NDArray[np.uint8], key: tuple[Ints, ...], empty: Empty = np.empty
) -> NDArray[np.int32]:
    """Find the flow event that each flow event continues.

    The first `s` of an id begins a flow. A `t` or `f` behind it continues the last one of the `s`
    and the `t` behind it; a further `s` changes nothing.

    Args:
        phase: uint8 (n,), codes of s, t or f, sorted by key and then time.
        key: three columns (n,): id, category and name.
        empty: makes the column of the result.

    Returns:
        int32 (n,), rows; NONE where a flow event draws no flow.
    """
    found = empty(len(phase), np.int32)
    begun = begun_before = 0  # events `s` so far, and before the group
    last = NONE
    for block in blocks(len(phase)):
        place, is_s = np.arange(block.start, block.stop), phase[block] == ord("s")
        starts = np.ones(len(place), np.bool_)
        first = max(block.start, 1)
        differ = [it[first : block.stop] != it[first - 1 : block.stop - 1] for it in key]
        starts[first - block.start :] = np.logical_or.reduce(differ)
        before = begun + np.cumsum(is_s) - is_s
        begun = int(before[-1] + is_s[-1])
        base = np.maximum.accumulate(np.where(starts, before, begun_before))
        begun_before = int(base[-1])
        behind = before > base
        sets = (is_s & ~behind) | ((phase[block] == ord("t")) & behind)
        latest = np.maximum.accumulate(np.where(sets, place, last))
        source = np.concatenate([[last], latest[:-1]])
        last = int(latest[-1])
        found[block] = np.where(behind & ~is_s, source, NONE)
    return found
