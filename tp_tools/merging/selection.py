"""Which events of a rank are wanted in a merged trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.trace.categories import GPU_ANNOTATION, GPU_WORK
from tp_tools.trace.flows import flows_of
from tp_tools.trace.model import NO_ID, is_phase
from tp_tools.writing.select import FLOWS
from tp_tools.writing.select import select_events as needed

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.merging.placement import RankPlacement
    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.trace.slices import Slices

GPU_CATS = GPU_WORK | {GPU_ANNOTATION}
"""Categories of what runs on GPUs, with its annotations."""


@dataclass(frozen=True)
class Selection:
    """Which events are wanted.

    Attributes:
        gpu_only: only work and annotations of GPUs.
        excluded: categories to leave out.
        start_ns, end_ns: only what runs within this window, in ns after the epoch on the common
            clock; None is open.
        needs: only these categories, as `wanted` takes them; None for all.
        args: the args to keep of events that are no collectives; None for all.
    """

    gpu_only: bool = False
    excluded: frozenset[str] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None
    needs: frozenset[str] | None = None
    args: frozenset[str] | None = None

    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()


def kept(
    trace: Trace, plan: Plan, table: Slices, where: RankPlacement, wanted: Selection
) -> NDArray[np.bool_]:
    """All but metadata, which is written anew, and what has no time or is not wanted."""
    keep = ~is_phase(trace, "M")
    keep[plan.untimed] = False
    keep[plan.flows.left_out] = False
    if wanted.is_everything():
        return keep
    cats = [
        cat in wanted.excluded or (wanted.gpu_only and cat not in GPU_CATS) for cat in trace.cats
    ]
    flows = is_phase(trace, "stf")
    keep &= ~np.array([*cats, False], np.bool_)[trace.cat] | flows
    end = trace.ts + np.where(is_phase(trace, "X"), np.maximum(trace.dur, 0), 0)
    end[table.event] = table.end[:]
    since = where.clock.common(trace.ts + where.base_ns)
    until = where.clock.common(end + where.base_ns)
    if wanted.start_ns is not None:
        keep &= (until > wanted.start_ns) | (since >= wanted.start_ns)
    if wanted.end_ns is not None:
        keep &= since < wanted.end_ns
    if wanted.needs is not None:
        keep &= needed(trace, table, wanted.needs)
    pairs = table.closing >= 0
    keep[table.closing[pairs]] = keep[table.event[pairs]]
    keep[flows] = False
    if wanted.needs is None or FLOWS in wanted.needs:
        keep[_whole_arrows(trace, table, keep)] = True
        keep[plan.flows.left_out] = False
    return keep


def _whole_arrows(trace: Trace, table: Slices, keep: NDArray[np.bool_]) -> Ints:
    """Flow events of arrows of which every end is at a slice that is kept."""
    flows = np.flatnonzero(is_phase(trace, "stf") & (trace.link != NO_ID))
    shown = table.event[keep[table.event]].tolist()
    at_shown = np.isin(flows, list(flows_of(trace, table, dict.fromkeys(shown, 0))))
    arrow = trace.link[flows].astype(np.int64) * len(trace.cats) + trace.cat[flows]
    return flows[~np.isin(arrow, arrow[~at_shown])]
