"""Find the defects of a trace that are known without asking SQL; reads no file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from tp_tools.columns import iterate_rows
from tp_tools.errors import InputError
from tp_tools.repair import ids, planner
from tp_tools.repair.analysis import place_slices
from tp_tools.repair.launch_flows import with_flows
from tp_tools.repair.summary import hidden_of, repairs_of
from tp_tools.trace import Repair

if TYPE_CHECKING:
    from tp_tools.repair.summary import Hidden
    from tp_tools.trace import Slices, Trace
    from tp_tools.trace.flow_slices import ExternalIds
    from tp_tools.trace.model import Ints


class Defects(Struct, frozen=True):
    """The defects that `tp-tools fix` would repair.

    Attributes:
        overlapping: number of slices off lane 0: they start inside another slice of their track
            and end after it. SQL decides which of them move and which are trimmed.
        hidden: slices that Perfetto v51 to v56 does not show.
        rebase_ns: ns that `fix` would subtract from all times, so that Perfetto rounds none.
        mended: number of other repairs, by kind.
        hopeless: the reason why `fix` would refuse the trace; None if it would not.
    """

    overlapping: int
    hidden: Hidden
    rebase_ns: int
    mended: dict[str, int]
    hopeless: str | None

    def is_sound(self) -> bool:
        """Tell whether there is nothing to repair."""
        return not (self.overlapping or self.rebase_ns or self.mended or self.hopeless)

    def as_object(self) -> dict[str, Any]:
        """Return the defects as an object for JSON."""
        return {
            "sound": self.is_sound(),
            "overlapping": self.overlapping,
            "hidden": {
                "slices": self.hidden.slices,
                "kernels": self.hidden.kernels,
                "kernel_ns": self.hidden.kernel_ns,
                "share": round(self.hidden.share, 6),
            },
            "rebase_ns": self.rebase_ns,
            "mended": self.mended,
            "hopeless": self.hopeless,
        }


def _moved(table: Slices, lane: Ints) -> list[Repair]:
    """Move every slice that overlaps, in place of the repairs that only SQL can decide."""
    off = np.flatnonzero(lane)
    columns = (table.event[off], lane[off] + 1, table.end[off])
    return [Repair(*row) for row in iterate_rows(*columns)]


def defects(trace: Trace, external: ExternalIds | None = None) -> Defects:
    """Find the defects of a trace.

    Args:
        trace: the trace.
        external: reads the External ids of events; None if they cannot be read.
    """
    placed, chosen = place_slices(trace), ids.choose_ids(trace)
    overlapping, counts = int((placed.lane > 0).sum()), trace.repairs + chosen.repairs
    hidden = hidden_of(trace, placed.hidden())
    try:
        plan = planner.make_plan(trace, placed.table, _moved(placed.table, placed.lane), chosen)
        plan = with_flows(trace, placed.table, plan, external)
    except InputError as error:
        return Defects(overlapping, hidden, 0, dict(sorted(counts.items())), str(error))
    return Defects(overlapping, hidden, plan.rebase_ns, repairs_of(trace, plan), None)
