"""List launch flows that a repair leaves as they are, for the proof of its result."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import is_in
from tp_tools.repair.flow_bindings import exactly_bound
from tp_tools.trace.flow_slices import NONE
from tp_tools.trace.model import NO_ID

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.repair.flow_bindings import Pairs
    from tp_tools.trace import Plan, Slices, Trace


def kept_launches(
    trace: Trace, table: Slices, plan: Plan, pairs: Pairs
) -> Iterator[tuple[int, int]]:
    """List launch flows that stay as recorded, though their id is not the correlation they join.

    Perfetto draws each from a call to work of one correlation: the launch that the id names may be
    missing, or the id may be no correlation at all.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: the repairs.
        pairs: those of `recorded_pairs`.

    Yields:
        The event numbers of the call and of the work.
    """
    unsure = np.flatnonzero(~pairs.sure)
    if len(unsure):
        pairs = exactly_bound(trace, table, plan, pairs, unsure)
    is_bound = (pairs.out != NONE) & (pairs.into != NONE)
    link = np.where(is_bound, trace.link[pairs.out], NO_ID)
    kept = (link != NO_ID) & (link == trace.link[pairs.into]) & (link != pairs.correlation)
    kept &= ~is_in(pairs.start, plan.flows.left_out)
    yield from zip(pairs.out[kept].tolist(), pairs.into[kept].tolist(), strict=True)
