"""Select the events of a trace that a query needs, so that only these are loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.columns import is_in
from tp_tools.trace.categories import FORMER, GRAPH, STEP_PREFIX
from tp_tools.trace.flows import flows_of
from tp_tools.trace.model import is_phase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.trace import Slices, Trace

FLOWS = "flows"
"""Name among the categories for flow events."""

OP, OP_MARKS = "cpu_op", "op_marks"
"""Category of ops, and the name among the categories for some of them, which queries about steps
and collectives look for by name: steps, as PyTorch 1.8 and 1.9 wrote them, and those of c10d."""

MARKS = (STEP_PREFIX, "record_param_comms", "c10d::", "c10d_functional::", "_c10d_functional::")
"""Starts of the names of `OP_MARKS`."""


def select_events(trace: Trace, table: Slices, needs: frozenset[str]) -> NDArray[np.bool_]:
    """Select metadata, and the events of the categories that a query needs.

    A flow event is selected if the query needs flows and the slice that it belongs to is selected:
    on a track without its slice, Perfetto would draw the flow to another slice. Who needs kernels
    gets replays of graphs, too, that stand for theirs.

    Args:
        trace: the trace.
        table: its slices.
        needs: categories as Kineto writes them today, `FLOWS` for flow events, and `OP_MARKS`.

    Returns:
        bool array (events,).
    """
    wanted = needs | {GRAPH} if "kernel" in needs else needs
    codes = [code for code, cat in enumerate(trace.cats) if FORMER.get(cat, cat) in wanted]
    keep: NDArray[np.bool_] = is_in(trace.cat, codes)
    if OP_MARKS in needs:
        keep |= _op_marks(trace)
    keep &= ~is_phase(trace, "stf")
    pairs = table.closing >= 0
    keep[table.closing[pairs]] = keep[table.event[pairs]]
    if FLOWS in needs:
        selected = table.event[keep[table.event]].tolist()
        keep[list(flows_of(trace, table, dict.fromkeys(selected, 0)))] = True
    return keep | is_phase(trace, "M")


def _op_marks(trace: Trace) -> NDArray[np.bool_]:
    ops = [code for code, cat in enumerate(trace.cats) if FORMER.get(cat, cat) == OP]
    marks = [code for code, name in enumerate(trace.names) if name.startswith(MARKS)]
    return is_in(trace.cat, ops) & is_in(trace.name, marks)
