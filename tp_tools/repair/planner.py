"""From rows of sql/overlaps.sql to edits. Pure: no file, no clock, no engine.

Only what SQL asked for becomes a move or a trim. Around these stand the edits that keep the file's
meaning: arrows follow their slice, lanes get names, ids and times get values that Perfetto keeps.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tp_tools.columns import blocks, indices_of, iterate_rows
from tp_tools.errors import EngineError, InputError
from tp_tools.repair.lane_tracks import make_lanes, make_names
from tp_tools.trace.flows import flows_of
from tp_tools.trace.model import EXACT_BELOW_NS, UNTIMED
from tp_tools.trace.plan import Plan, Repair

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from tp_tools.trace.model import Trace
    from tp_tools.trace.plan import Ids
    from tp_tools.trace.slices import Slices

DAY_NS = 86_400 * 10**9
_LATEST = (1 << 63) - 1


def repairs_of(
    columns: Iterable[str], rows: Iterable[tuple[Any, ...]], trace: Trace
) -> list[Repair]:
    """The rows of sql/overlaps.sql as typed repairs.

    Args:
        columns: the names of the rows' columns.
        rows: what the query gave.
        trace: what they are about.

    Raises:
        EngineError: a row that leads back to no event.
    """
    names = list(columns)
    repairs = []
    for values in rows:
        row: Mapping[str, Any] = dict(zip(names, values, strict=True))
        event = row["event"]
        if not isinstance(event, int):
            raise EngineError("sql/overlaps.sql gave a row without the number of its event.")
        repairs.append(Repair(event, row["lane"], int(trace.ts[event]) + row["repaired_dur"]))
    return repairs


def make_plan(trace: Trace, table: Slices, repairs: Iterable[Repair], ids: Ids) -> Plan:
    """The edits that these repairs call for.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        repairs: what SQL decided.
        ids: the ids to write.

    Raises:
        InputError: the times span too much for Perfetto to read exactly.
    """
    lane_of = {r.event: r.lane for r in repairs if r.lane > 1}
    end_of = {r.event: r.end for r in repairs}
    moves = dict(lane_of)
    trims: dict[int, int] = {}
    closings: dict[int, int] = {}
    edited = indices_of(table.event, end_of)
    for event, closing, end in iterate_rows(
        table.event[edited], table.closing[edited], table.end[edited]
    ):
        if event in lane_of and closing >= 0:
            moves[closing] = lane_of[event]
        if end_of[event] != end:
            trims[event] = end_of[event]
            if closing >= 0:
                closings[event] = closing
    moves.update(flows_of(trace, table, lane_of))
    lanes = make_lanes(trace, {(int(trace.track[e]), lane) for e, lane in lane_of.items()}, ids)
    return Plan(
        lanes=lanes,
        moves=moves,
        trims=trims,
        closings=closings,
        durationless=_durationless(trace),
        untimed=_untimed(trace),
        rebase_ns=_rebase(trace, [trims[event] for event in closings]),
        ids=ids,
        names=list(make_names(trace, ids, {track for track, _ in lanes})),
    )


def _durationless(trace: Trace) -> list[int]:
    events = np.flatnonzero(trace.dur < 0)
    events = events[(trace.phase[events] == ord("X")) & (trace.ts[events] != UNTIMED)]
    return [int(event) for event in events]


def _untimed(trace: Trace) -> list[int]:
    events = np.flatnonzero(trace.ts == UNTIMED)
    return [int(event) for event in events[trace.phase[events] != ord("M")]]


def _rebase(trace: Trace, new: Iterable[int]) -> int:
    """Whole days to take from all times, so that Perfetto's double holds them.

    Days, so that the ranks of a job keep one base. 0 where the times are exact as they are.

    Args:
        trace: the trace.
        new: times that will be written into it, ns.

    Raises:
        InputError: even so they would not be.
    """
    first, last = _LATEST, -_LATEST
    for here in blocks(len(trace)):
        ts = trace.ts[here]
        # of metadata only times before 0 count: Perfetto drops them
        timed = (ts != UNTIMED) & ((trace.phase[here] != ord("M")) | (ts < 0))
        first = int(ts.min(where=timed, initial=first))
        last = int(ts.max(where=timed, initial=last))
    rounded = trace.rounded or any(time % 1000 and time >= EXACT_BELOW_NS for time in new)
    if first >= 0 and not rounded:
        return 0
    shift = first // DAY_NS * DAY_NS
    if last - shift >= EXACT_BELOW_NS:
        raise InputError(
            f"its times span {(last - first) // DAY_NS} days; Perfetto reads at most 50 exactly. "
            "Is the time of some event wrong?"
        )
    return shift
