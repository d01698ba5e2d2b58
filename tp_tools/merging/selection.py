"""Select the events of a rank that a merged trace holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from tp_tools.columns import distinct, is_in
from tp_tools.trace.categories import GPU_ANNOTATION, GPU_WORK
from tp_tools.trace.flows import flows_of
from tp_tools.trace.model import NO_ID, UNTIMED, is_phase
from tp_tools.writing import select_events as select_needed
from tp_tools.writing.select import FLOWS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tp_tools.merging.placement import RankPlacement
    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.model import Ints

GPU_CATS = GPU_WORK | {GPU_ANNOTATION}
"""Categories of GPU work and of its annotations."""


_ANNOTATIONS = {"user_annotation", GPU_ANNOTATION}
_GLOO = "gloo:"


class Selection(Struct, frozen=True):
    """The events to write.

    Attributes:
        gpu_only: only work and annotations of GPUs.
        excluded: categories to leave out.
        start_ns, end_ns: the window that an event has to touch, in ns after the epoch on the common
            clock; None is open.
        needs: only these categories, as `writing.select` takes them; None for all.
        args: keys of the args to keep of events other than collectives; None for all.
        short_names: new name by name, of kernels, see `trace.renaming`; leaves out nothing.
        has_context: whether the window has what explains its GPU work as well: from the launch of
            the first of it on, all that CPUs did, and annotations of any time.
    """

    gpu_only: bool = False
    excluded: frozenset[str] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None
    needs: frozenset[str] | None = None
    args: frozenset[str] | None = None
    short_names: Mapping[str, str] = field(default_factory=dict)
    has_context: bool = False

    def is_everything(self) -> bool:
        """Tell whether the selection leaves nothing out."""
        return self == Selection(short_names=self.short_names)


def select_events(
    trace: Trace, plan: Plan, table: Slices, placement: RankPlacement, selection: Selection
) -> NDArray[np.bool_]:
    """Mark the events to write.

    Metadata events are left out, since the merge writes its own, and so are events without a time.

    Args:
        trace: the rank as recorded.
        plan: its repairs.
        table: its slices, with recorded ends.
        placement: its clock.
        selection: the events to keep.

    Returns:
        bool array (events,).
    """
    keep = ~is_phase(trace, "M")
    keep[plan.untimed] = False
    keep[plan.flows.left_out] = False
    if selection.is_everything():
        return keep
    cats = [
        cat in selection.excluded or (selection.gpu_only and cat not in GPU_CATS)
        for cat in trace.cats
    ]
    flows = is_phase(trace, "stf")
    cats_kept = ~np.array([*cats, False], np.bool_)[trace.cat]
    keep &= cats_kept | flows
    end = trace.ts + np.where(is_phase(trace, "X"), np.maximum(trace.dur, 0), 0)
    end[table.event] = table.end[:]
    since = placement.clock.common(trace.ts + placement.base_ns)
    until = placement.clock.common(end + placement.base_ns)
    if selection.start_ns is not None:
        keep &= (until > selection.start_ns) | (since >= selection.start_ns)
    if selection.end_ns is not None:
        keep &= since < selection.end_ns
    if selection.has_context:
        keep |= _context(trace, keep, since, until, selection.start_ns) & cats_kept
    if selection.needs is not None:
        keep &= select_needed(trace, table, selection.needs)
    pairs = table.closing >= 0
    keep[table.closing[pairs]] = keep[table.event[pairs]]
    keep[flows] = False
    if selection.needs is None or FLOWS in selection.needs:
        keep[_complete_flows(trace, table, keep)] = True
        keep[plan.flows.left_out] = False
    return keep


def _context(
    trace: Trace, keep: NDArray[np.bool_], since: Ints, until: Ints, start_ns: int | None
) -> NDArray[np.bool_]:
    """Mark what explains the GPU work of a window.

    Args:
        trace: the rank.
        keep: bool (events,), the events of the window.
        since: start of each event, ns on the common clock.
        until: end of each event, likewise.
        start_ns: start of the window, likewise; None is open.
    """
    gpu = is_in(trace.cat, [code for code, cat in enumerate(trace.cats) if cat in GPU_CATS])
    has_link = trace.link != NO_ID
    launched = distinct(trace.link[keep & gpu & has_link])
    calls = ~gpu & has_link & is_phase(trace, "XB") & is_in(trace.link, launched.tolist())
    notes = is_in(trace.cat, [code for code, cat in enumerate(trace.cats) if cat in _ANNOTATIONS])
    # annotations of gloo are collectives themselves
    gloo = [code for code, name in enumerate(trace.names) if name.startswith(_GLOO)]
    found: NDArray[np.bool_] = notes & ~is_in(trace.name, gloo) & is_phase(trace, "XB")
    if start_ns is not None and calls.any():
        found |= ~gpu & ~notes & (until > since[calls].min()) & (since < start_ns)
    found[trace.ts == UNTIMED] = False
    return found


def _complete_flows(trace: Trace, table: Slices, keep: NDArray[np.bool_]) -> Ints:
    """Return the events of flows of which every event lies on a slice that is kept."""
    flows = np.flatnonzero(is_phase(trace, "stf") & (trace.link != NO_ID))
    kept = table.event[keep[table.event]].tolist()
    on_kept = np.isin(flows, list(flows_of(trace, table, dict.fromkeys(kept, 0))))
    flow = trace.link[flows].astype(np.int64) * len(trace.cats) + trace.cat[flows]
    return flows[~np.isin(flow, flow[~on_kept])]
