"""Asks SQL what to do about the overlaps of a trace: place, load, query, until none is left."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tp_tools import engine, plan, queries
from tp_tools.errors import VerificationError
from tp_tools.parameters import with_parameters
from tp_tools.place import around, place
from tp_tools.placed import placed_json
from tp_tools.plan import Repair
from tp_tools.slices import on_lanes, subset, with_ends

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints, Trace
    from tp_tools.slices import Slices

QUERY = "overlaps"
MOST_ROUNDS = 16
"""A trim can lay bare an overlap that was jitter on jitter. Real traces need one round or two."""


@dataclass(frozen=True)
class Judge:
    """How the question is put.

    Attributes:
        tolerance_ns: what counts as jitter.
        engine: the TraceProcessor to ask; None for the default.
        say: gets lines about things that take seconds.
        everything: load all slices and not only those around overlaps.
    """

    tolerance_ns: int
    engine: str | None
    say: Callable[[str], None]
    everything: bool = False


def decide(trace: Trace, table: Slices, judge: Judge) -> list[Repair]:
    """The repair of every slice that overlaps, in the order of the file.

    Raises:
        EngineError: TraceProcessor could not answer.
        VerificationError: the answers do not lead to a trace without overlaps.
    """
    recorded = np.zeros(len(trace), np.int64)
    recorded[table.event] = table.end
    end, lanes, now = recorded.copy(), dict[int, int](), table
    lane = place(now)
    for _ in range(MOST_ROUNDS):
        if not lane.any():
            return _repairs(recorded, end, lanes)
        answer = _ask(trace, now, lane, judge)
        found = plan.repairs_of(answer.columns, answer.rows, end)
        lanes = {repair.event: repair.lane for repair in found if repair.lane > 1}
        for repair in found:
            end[repair.event] = repair.end
        now = with_ends(table, end[table.event])
        lane = place(now) if _is_left(now, lanes, end != recorded) else np.zeros(0, np.int64)
    raise VerificationError(f"overlaps are left after {MOST_ROUNDS} rounds of repair.")


def _is_left(table: Slices, lanes: dict[int, int], trimmed: NDArray[np.bool_]) -> bool:
    """Whether two slices still overlap on one lane; one of them was edited then."""
    edited = trimmed.copy()
    edited[list(lanes)] = True
    near = around(table, edited[table.event], 0)
    return bool(place(on_lanes(subset(table, near), lanes)).any())


def _repairs(recorded: Ints, end: Ints, lanes: dict[int, int]) -> list[Repair]:
    trimmed = np.flatnonzero(end != recorded).tolist()
    return [
        Repair(event, lanes.get(event, 1), int(end[event])) for event in sorted({*trimmed, *lanes})
    ]


def _ask(trace: Trace, table: Slices, lane: Ints, judge: Judge) -> engine.Rows:
    chosen = np.arange(len(table)) if judge.everything else around(table, lane, judge.tolerance_ns)
    path = queries.find(QUERY)
    sql = with_parameters(queries.read(path), {"tolerance_ns": judge.tolerance_ns})
    blocks = placed_json(trace, table, lane, chosen)
    with engine.load(blocks, source="the overlaps", engine=judge.engine, say=judge.say) as tp:
        return engine.query_rows(tp, sql, path.name)
