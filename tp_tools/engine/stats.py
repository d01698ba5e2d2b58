"""Read data lost by a load from the table `stats` of TraceProcessor."""

from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.engine.rows import rows
from tp_tools.errors import InputError, SqlError, TraceLossError

if TYPE_CHECKING:
    from tp_tools.engine.processor import Processor

LOSS = ("error", "data_loss")
_NO_SLICE_LOST = "misplaced_end_event"
_FLOWS = "flow_"
SHOWN_LOSSES = 5


class Stat(Struct, frozen=True):
    """A counter of the table `stats` that is not zero.

    Attributes:
        name: the name of the counter.
        severity: "info", "notice" (newer versions), "data_loss" or "error".
        count: sum over all indices of the counter.
    """

    name: str
    severity: str
    count: int


def load_stats(tp: "Processor") -> dict[str, Stat]:
    """Return all counters that are not zero, by name.

    Of the counters of flows, `flow_end_without_start` and `flow_step_without_start` are "info",
    `flow_duplicate_id` and `flow_no_enclosing_slice` "error".
    """
    counters = rows(
        tp,
        "SELECT name, severity, SUM(value) FROM stats WHERE value != 0 "
        "GROUP BY name, severity ORDER BY name",
    )
    return {name: Stat(name, severity, count) for name, severity, count in counters}


def losses(tp: "Processor") -> dict[str, int]:
    """Return counts of data lost or misread on import, by name of the counter; empty if none."""
    return {stat.name: stat.count for stat in load_stats(tp).values() if stat.severity in LOSS}


def harmless(name: str) -> bool:
    """Tell whether a counter of losses costs no slice: flows, and ends without a beginning."""
    return name.startswith(_FLOWS) or name == _NO_SLICE_LOST


def drops_slices(name: str) -> bool:
    """Tell whether a counter of losses is of slices that TraceProcessor dropped."""
    return name.startswith("slice_")


def check_loaded(tp: "Processor") -> None:
    """Check that a trace is loaded.

    Raises:
        InputError: there is no table `slice`, since TraceProcessor gave up on the file.
    """
    try:
        rows(tp, "SELECT id FROM slice LIMIT 1")
    except SqlError as error:
        raise InputError(
            f"{tp.source}: TraceProcessor read no slices from it; is it cut off?"
        ) from error


def check_whole(tp: "Processor") -> None:
    """Check that no slice was lost.

    Raises:
        TraceLossError: slices were lost; the error names the counters and counts.
    """
    lost = {name: count for name, count in losses(tp).items() if not harmless(name)}
    if lost:
        most = sorted(lost.items(), key=lambda item: -item[1])
        named = ", ".join(f"{count} x {name}" for name, count in most[:SHOWN_LOSSES])
        more = f" and {len(lost) - SHOWN_LOSSES} more" if len(lost) > SHOWN_LOSSES else ""
        raise TraceLossError(f"{tp.source}: TraceProcessor lost data on loading: {named}{more}")
