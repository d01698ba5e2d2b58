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


def decide(trace: Trace, table: Slices, judge: Judge, lane: Ints | None = None) -> list[Repair]:
    """The repair of every slice that overlaps, in the order of the file.

    Each row is asked about again until nothing overlaps on its lanes, whatever other rows need.

    Args:
        trace: the trace.
        table: its slices.
        judge: how SQL is asked.
        lane: their lossless lanes, where they are known; else they are placed.

    Raises:
        EngineError: TraceProcessor could not answer.
        VerificationError: the answers do not lead to a trace without overlaps.
    """
    recorded = np.zeros(len(trace), np.int64)
    recorded[table.event] = table.end
    end, lanes, now = recorded.copy(), dict[int, int](), table
    lane = place(now) if lane is None else lane
    for _ in range(MOST_ROUNDS):
        if not lane.any():
            return _repairs(recorded, end, lanes)
        asked = set(np.unique(now.row[lane > 0]).tolist())
        touched = np.zeros(len(trace), np.bool_)
        touched[now.event[lane > 0]] = True
        answer = _ask(trace, now, lane, recorded, judge)
        found = plan.repairs_of(answer.columns, answer.rows, end)
        lanes = {event: on for event, on in lanes.items() if trace.track[event] not in asked}
        lanes.update({repair.event: repair.lane for repair in found if repair.lane > 1})
        for repair in found:
            end[repair.event] = repair.end
        touched |= end != recorded
        touched[list(lanes)] = True
        near = subset(table, around(table, touched[table.event], judge.tolerance_ns))
        rows = _unfinished(with_ends(near, end[near.event]), lanes)
        if not len(rows):
            return _repairs(recorded, end, lanes)
        now = with_ends(table, end[table.event])
        lane = _placed(now, now.row if judge.everything else rows)
    raise VerificationError(f"overlaps are left after {MOST_ROUNDS} rounds of repair.")


def _unfinished(near: Slices, lanes: dict[int, int]) -> Ints:
    """The rows in which two slices still overlap on one lane.

    Args:
        near: the slices, as repaired so far, that are or come near to one that overlapped. No
            trim is longer than the tolerance, so what can overlap now came within it before.
        lanes: by event, of those that moved.
    """
    now = on_lanes(near, lanes)
    row_of = dict(zip(near.event.tolist(), near.row.tolist(), strict=True))
    return np.array([row_of[event] for event in now.event[place(now) > 0].tolist()], np.int64)


def _placed(table: Slices, rows: Ints) -> Ints:
    """The lanes of all slices, 0 for those of other rows."""
    lane = np.zeros(len(table), np.int64)
    chosen = np.flatnonzero(np.isin(table.row, rows))
    lane[chosen] = place(subset(table, chosen))
    return lane


def _repairs(recorded: Ints, end: Ints, lanes: dict[int, int]) -> list[Repair]:
    trimmed = np.flatnonzero(end != recorded).tolist()
    return [
        Repair(event, lanes.get(event, 1), int(end[event])) for event in sorted({*trimmed, *lanes})
    ]


def _ask(trace: Trace, table: Slices, lane: Ints, recorded: Ints, judge: Judge) -> engine.Rows:
    chosen = np.arange(len(table)) if judge.everything else around(table, lane, judge.tolerance_ns)
    path = queries.find(QUERY)
    sql = with_parameters(queries.read(path), {"tolerance_ns": judge.tolerance_ns})
    blocks = placed_json(trace, table, lane, recorded[table.event], chosen)
    with engine.load(blocks, source="the overlaps", engine=judge.engine, say=judge.say) as tp:
        return engine.query_rows(tp, sql, path.name)
