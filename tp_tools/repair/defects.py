"""What is wrong with a trace, as far as that is known without asking SQL. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tp_tools.errors import InputError
from tp_tools.repair import ids, planner
from tp_tools.repair.analysis import place_slices
from tp_tools.repair.summary import hidden_of

if TYPE_CHECKING:
    from tp_tools.repair.summary import Hidden
    from tp_tools.trace.model import Trace


@dataclass(frozen=True)
class Defects:
    """What `tp-tools fix` would repair.

    Attributes:
        overlapping: slices for which there is no room on their row: they start inside another one
            and end behind it. Which of them move and which are trimmed is for SQL to say.
        hidden: what Perfetto v51 to v56 would not show.
        rebase_ns: what would be taken from all times, so that none is rounded.
        mended: what else would be put right, by kind.
        hopeless: why `fix` would refuse; None if it would not.
    """

    overlapping: int
    hidden: Hidden
    rebase_ns: int
    mended: dict[str, int]
    hopeless: str | None

    def is_sound(self) -> bool:
        """Whether there is nothing to repair."""
        return not (self.overlapping or self.rebase_ns or self.mended or self.hopeless)

    def as_object(self) -> dict[str, Any]:
        """For JSON."""
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


def defects(trace: Trace) -> Defects:
    """Finds them."""
    placed, chosen = place_slices(trace), ids.choose_ids(trace)
    overlapping, counts = int((placed.lane > 0).sum()), trace.repairs + chosen.repairs
    hidden = hidden_of(trace, placed.hidden())
    try:
        edits = planner.make_plan(trace, placed.table, [], chosen)
    except InputError as error:
        return Defects(overlapping, hidden, 0, dict(sorted(counts.items())), str(error))
    counts["durationless"] = len(edits.durationless)
    counts["untimed"] = len(edits.untimed)
    return Defects(
        overlapping,
        hidden,
        edits.rebase_ns,
        {kind: count for kind, count in sorted(counts.items()) if count},
        None,
    )
