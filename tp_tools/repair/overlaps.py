"""Asks SQL what to do about the overlaps of a trace: place, load, query, until none is left."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from tp_tools import engine, library
from tp_tools.columns import distinct, indices_of, iterate_rows
from tp_tools.errors import VerificationError
from tp_tools.repair import planner
from tp_tools.repair.lanes import apart, around, assign_lanes
from tp_tools.repair.placed import placed_json
from tp_tools.repair.tolerance import TOLERANCE_NS
from tp_tools.trace.plan import Repair
from tp_tools.trace.slices import ends_of, on_lanes, subset, with_ends

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.slices import Slices

QUERY = "overlaps"
MOST_ROUNDS = 16
"""A trim can lay bare an overlap that was jitter on jitter. Real traces need one round or two."""

_GROUP = 20_000
"""Slices that an embedded engine is asked about at a time: more take longer each, and more
memory."""

_SMALL_GROUP = 5_000
"""As many take about as long as it takes to open an engine for them."""


@dataclass(frozen=True)
class OverlapOptions:
    """How the question is put.

    Attributes:
        tolerance_ns: what counts as jitter.
        engine: the TraceProcessor to ask; None for the default.
        say: gets lines about things that take seconds.
        everything: load all slices and not only those around overlaps.
        engines: how many embedded ones are asked at a time, where there is much to ask.
    """

    tolerance_ns: int = TOLERANCE_NS
    engine: str | None = None
    say: Callable[[str], None] = lambda _: None
    everything: bool = False
    engines: int = 1


def decide_repairs(
    trace: Trace, table: Slices, judge: OverlapOptions, lane: Ints | None = None
) -> list[Repair]:
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
    ends, lanes = dict[int, int](), dict[int, int]()
    now, lane = table, assign_lanes(table) if lane is None else lane
    for _ in range(MOST_ROUNDS):
        if not lane.any():
            return _repairs(table, ends, lanes)
        off = np.flatnonzero(lane)
        asked = set(distinct(now.row[off]).tolist())
        chosen = np.arange(len(now)) if judge.everything else around(now, lane, 0)
        first = ends_of(now, dict(_recorded_ends(table, ends)))
        is_whole = judge.everything or not engine.is_embedded(judge.engine)
        groups = [chosen] if is_whole else apart(now, chosen, _least(len(chosen), judge.engines))
        texts = [placed_json(trace, now, lane, first, group) for group in groups]
        found = _ask(trace, texts, judge)
        lanes = {event: on for event, on in lanes.items() if trace.track[event] not in asked}
        lanes.update({repair.event: repair.lane for repair in found if repair.lane > 1})
        ends.update({repair.event: repair.end for repair in found})
        del found  # there may be many
        where = indices_of(table.event, {*now.event[off].tolist(), *ends, *lanes})
        touched = np.zeros(len(table), np.bool_)
        touched[where] = True
        near = subset(table, around(table, touched, judge.tolerance_ns))
        rows = _unfinished(with_ends(near, ends), lanes)
        if not len(rows):
            return _repairs(table, ends, lanes)
        now = with_ends(table, ends)
        lane = _placed(now, now.row if judge.everything else rows)
    raise VerificationError(f"overlaps are left after {MOST_ROUNDS} rounds of repair.")


def _least(count: int, engines: int) -> int:
    """How many slices a group has, at least: each engine gets as many, if they are worth it."""
    rounds = -(-count // (_GROUP * engines))
    return max(_SMALL_GROUP, -(-count // (rounds * engines)))


def _unfinished(near: Slices, lanes: dict[int, int]) -> Ints:
    """The rows in which two slices still overlap on one lane.

    Args:
        near: the slices, as repaired so far, that are or come near to one that overlapped. No
            trim is longer than the tolerance, so what can overlap now came within it before.
        lanes: by event, of those that moved.
    """
    now = on_lanes(near, lanes)
    left = now.event[assign_lanes(now) > 0].tolist()
    return distinct(near.row[np.isin(near.event, left)])


def _placed(table: Slices, rows: Ints) -> Ints:
    """The lanes of all slices, 0 for those of other rows."""
    lane = np.zeros(len(table), np.int64)
    chosen = indices_of(table.row, rows.tolist())
    lane[chosen] = assign_lanes(subset(table, chosen))
    return lane


def _recorded_ends(table: Slices, events: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Of the slices that are these events: each event, and the recorded end, ns."""
    where = indices_of(table.event, events)
    return iterate_rows(table.event[where], table.end[where])


def _repairs(table: Slices, ends: dict[int, int], lanes: dict[int, int]) -> list[Repair]:
    """What is to be done to each slice that moves or ends sooner.

    Args:
        table: the slices, with recorded ends.
        ends: where each slice that SQL said something about ends now, by event, ns.
        lanes: the lanes of those that move.
    """
    trimmed = [event for event, end in _recorded_ends(table, ends) if ends[event] != end]
    return [Repair(event, lanes.get(event, 1), ends[event]) for event in sorted({*trimmed, *lanes})]


def _ask(trace: Trace, placed: list[Iterator[bytes]], judge: OverlapOptions) -> list[Repair]:
    """What sql/overlaps.sql says of some placed traces, which are parts of a trace."""
    path = library.find(QUERY)
    text = library.expand(library.read(path))
    sql = library.with_parameters(text, {"tolerance_ns": judge.tolerance_ns})

    def ask(text: Iterator[bytes]) -> list[Repair]:
        with engine.load(text, source="the overlaps", engine=judge.engine, say=judge.say) as tp:
            answer = engine.query_rows(tp, sql, path.name)
        return planner.repairs_of(answer.columns, answer.rows, trace)

    with ThreadPoolExecutor(judge.engines) as several:
        return list(chain.from_iterable(several.map(ask, placed)))
