"""Which events of a trace a query needs, so that the others need not be loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.columns import is_in
from tp_tools.trace.categories import FORMER
from tp_tools.trace.flows import flows_of
from tp_tools.trace.model import is_phase

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.trace.model import Trace
    from tp_tools.trace.slices import Slices

FLOWS = "flows"
"""Stands among the categories where flows are needed."""


def select_events(trace: Trace, table: Slices, needs: frozenset[str]) -> NDArray[np.bool_]:
    """A flag per event: names of rows always, the rest by its category.

    An arrow stays if the query asks for arrows and both the slice that it leaves, or the one at
    which it ends, stay: on a row without its slice it would be drawn to another one.

    Args:
        trace: the trace.
        table: its slices.
        needs: categories as today's Kineto writes them, with `FLOWS` for arrows.
    """
    codes = [code for code, cat in enumerate(trace.cats) if FORMER.get(cat, cat) in needs]
    keep: NDArray[np.bool_] = is_in(trace.cat, codes) & ~is_phase(trace, "stf")
    pairs = table.closing >= 0
    keep[table.closing[pairs]] = keep[table.event[pairs]]
    if FLOWS in needs:
        shown = table.event[keep[table.event]].tolist()
        keep[list(flows_of(trace, table, dict.fromkeys(shown, 0)))] = True
    return keep | is_phase(trace, "M")
