"""Select the events of a trace that a query needs, so that only these are loaded."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import distinct, is_in
from tp_tools.trace.categories import FORMER, GPU_WORK, GRAPH, STEP_PREFIX, has_category
from tp_tools.trace.flows import flows_of
from tp_tools.trace.model import NO_ID, is_phase

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from tp_tools.trace import Slices, Trace

FLOWS = "flows"
"""Name among the categories for flow events."""

OP, OP_MARKS = "cpu_op", "op_marks"
"""Category of ops, and the name among the categories for some of them, which queries about steps
and collectives look for by name: steps, as PyTorch 1.8 and 1.9 wrote them, and those of c10d."""

MARKS = (STEP_PREFIX, "record_param_comms", "c10d::", "c10d_functional::", "_c10d_functional::")
"""Starts of the names of `OP_MARKS`."""

CALLS, LAUNCH_CALLS = frozenset({"cuda_runtime", "cuda_driver", "xpu_runtime"}), "launch_calls"
"""Categories of calls, and the name among the categories for those of them that launch GPU work or
hold their thread, with one of each thread, by which it is known to call at all."""

HOLDING = re.compile(
    "Synchronize|Memcpy|Malloc|Free|MemAlloc|HostAlloc|Host.*egister|MemCreate|MemMap|MemUnmap"
    "|MemSetAccess|MemRelease|ModuleLoad|LibraryLoad|GraphInstantiate"
)
"""Finds the names of calls that may hold their thread: `tpt_is_holding_call!`."""


def select_events(trace: Trace, table: Slices, needs: frozenset[str]) -> NDArray[np.bool_]:
    """Select metadata, and the events of the categories that a query needs.

    A flow event is selected if the query needs flows and the slice that it belongs to is selected:
    on a track without its slice, Perfetto would draw the flow to another slice. Who needs kernels
    gets replays of graphs, too, that stand for theirs.

    Args:
        trace: the trace.
        table: its slices.
        needs: categories as Kineto writes them today, `FLOWS` for flow events, `OP_MARKS` and
            `LAUNCH_CALLS`.

    Returns:
        bool array (events,).
    """
    wanted = needs | {GRAPH} if "kernel" in needs else needs
    keep = _of_today(trace, wanted)
    if OP_MARKS in needs:
        keep |= _op_marks(trace)
    if LAUNCH_CALLS in needs:
        keep |= _launch_calls(trace)
    keep &= ~is_phase(trace, "stf")
    pairs = table.closing >= 0
    keep[table.closing[pairs]] = keep[table.event[pairs]]
    if FLOWS in needs:
        selected = table.event[keep[table.event]].tolist()
        keep[list(flows_of(trace, table, dict.fromkeys(selected, 0)))] = True
    return keep | is_phase(trace, "M")


def _of_today(trace: Trace, categories: Collection[str]) -> NDArray[np.bool_]:
    """Mark the events of categories as Kineto writes them today."""
    return is_in(
        trace.cat, [code for code, it in enumerate(trace.cats) if FORMER.get(it, it) in categories]
    )


def _op_marks(trace: Trace) -> NDArray[np.bool_]:
    marks = [code for code, name in enumerate(trace.names) if name.startswith(MARKS)]
    return _of_today(trace, {OP}) & is_in(trace.name, marks)


def _launch_calls(trace: Trace) -> NDArray[np.bool_]:
    calls = _of_today(trace, CALLS)
    if trace.links.odd:  # a correlation id as text may be that of a number
        return calls
    has_link = trace.link != NO_ID
    work = distinct(trace.link[has_category(trace, GPU_WORK) & has_link]).tolist()
    names = [code for code, name in enumerate(trace.names) if HOLDING.search(name)]
    keep: NDArray[np.bool_] = is_in(trace.name, names) | (has_link & is_in(trace.link, work))
    no_correlation = np.count_nonzero(trace.links.plain[:1] == 0)  # 0 stands for none
    can_launch = np.flatnonzero(calls & (trace.link >= no_correlation))
    keep[can_launch[np.unique(trace.track[can_launch], return_index=True)[1]]] = True
    return keep & calls
