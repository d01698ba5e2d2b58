"""Ask sql/overlaps.sql how to repair the overlaps of a trace, round by round until none is left.

In each round slices are put on lossless lanes, those near overlaps are loaded into TraceProcessor,
and the rows of the query become repairs. `tp_tools.repair.crowds` decides about crowds.
"""

from __future__ import annotations

from functools import partial
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools import engine, library
from tp_tools.chrome.metadata import is_exported
from tp_tools.columns import distinct, indices_of, is_in, iterate_rows
from tp_tools.errors import VerificationError
from tp_tools.progress import SILENT
from tp_tools.repair import planner
from tp_tools.repair.crowds import repair_crowd, split_crowds
from tp_tools.repair.lanes import assign_lanes, independent_groups, slices_near
from tp_tools.repair.placed import placed_json
from tp_tools.repair.tolerance import TOLERANCE_NS
from tp_tools.trace import Repair
from tp_tools.trace.pairs import sorted_from
from tp_tools.trace.slices import ends_of, on_lanes, subset, with_ends

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tp_tools.progress import Reporter
    from tp_tools.trace import Slices, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.trace.slice_times import Times

QUERY = "overlaps"
MAX_ROUNDS = 16
"""A trim can cause a new overlap within the tolerance; real traces need one round or two."""

MAX_GROUP = 20_000
"""Slices per query of an embedded engine; larger groups take more time per slice and memory."""

MIN_GROUP = 5_000
"""Slices that take about as long to query as an engine takes to open."""

MAX_LANES = 32
"""Lanes of slices that hang together by overlaps, above which they are a crowd: SQL takes 8 s for
800 slices that all overlap, four times as long for twice as many. Recorded traces need up to 4."""


class OverlapOptions(Struct, frozen=True):
    """How to ask SQL about overlaps.

    Attributes:
        tolerance_ns: overlaps up to this long count as jitter, ns; None for `TOLERANCE_NS`, and for
            none where a trace is that of an export, whose times are whole ns as recorded.
        engine: the TraceProcessor to use; None for the default.
        everything: load all slices, not only those near overlaps.
        engines: number of embedded engines to use at a time, where overlaps are many.
        min_group, max_group: slices per query of an embedded engine, about.
        max_lanes: lanes above which slices are a crowd, see `tp_tools.repair.crowds`.
    """

    tolerance_ns: int | None = None
    engine: str | None = None
    everything: bool = False
    engines: int = 1
    min_group: int = MIN_GROUP
    max_group: int = MAX_GROUP
    max_lanes: int = MAX_LANES

    def tolerance_of(self, trace: Trace) -> int:
        """Return the longest overlap that counts as jitter in a trace, ns."""
        if self.tolerance_ns is not None:
            return self.tolerance_ns
        return 0 if is_exported(trace) else TOLERANCE_NS


def decide_repairs(
    trace: Trace,
    table: Slices,
    options: OverlapOptions,
    lane: Ints | None = None,
    reporter: Reporter = SILENT,
) -> list[Repair]:
    """Decide the repair of every slice that overlaps, in the order of the file.

    Tracks are independent: each is asked about again until nothing overlaps on its lanes.

    Args:
        trace: the trace.
        table: its slices, as recorded.
        options: how to ask SQL.
        lane: int (slices,), their lossless lanes; None to assign them here.
        reporter: receives a note about a step that takes seconds.

    Raises:
        EngineError: TraceProcessor could not answer.
        VerificationError: the answers do not lead to a trace without overlaps.
    """
    ends, lanes = dict[int, int](), dict[int, int]()
    current, lane = table, assign_lanes(table) if lane is None else lane
    for _ in range(MAX_ROUNDS):
        if not lane.any():
            return _repairs(trace, table, ends, lanes)
        off = np.flatnonzero(lane)
        asked_tracks = set(distinct(current.track[off]).tolist())
        recorded = ends_of(current, dict(_recorded_ends(table, ends)))
        found = _one_round(trace, current, lane, recorded, options=options, reporter=reporter)
        lanes = {event: on for event, on in lanes.items() if trace.track[event] not in asked_tracks}
        lanes.update({repair.event: repair.lane for repair in found if repair.lane > 1})
        ends.update({repair.event: repair.end for repair in found})
        del found  # frees memory: there may be many repairs
        touched = np.zeros(len(table), np.bool_)
        touched[indices_of(table.event, {*current.event[off].tolist(), *ends, *lanes})] = True
        near = subset(table, slices_near(table, touched, options.tolerance_of(trace)))
        tracks = _unfinished_tracks(with_ends(near, ends), lanes)
        if not len(tracks):
            return _repairs(trace, table, ends, lanes)
        current = with_ends(table, ends)
        lane = _lanes_on(current, current.track if options.everything else tracks)
    raise VerificationError(f"overlaps are left after {MAX_ROUNDS} rounds of repair.")


def _one_round(
    trace: Trace,
    current: Slices,
    lane: Ints,
    recorded: Times,
    *,
    options: OverlapOptions,
    reporter: Reporter,
) -> list[Repair]:
    """Decide about the slices near overlaps: SQL about most, `repair_crowd` about crowds.

    Args:
        trace: the trace.
        current: its slices, as the rounds before left them.
        lane: int (slices,), their lossless lanes.
        recorded: their ends as recorded, ns (slices,).
        options: how to ask SQL.
        reporter: receives a note about a step that takes seconds.

    Raises:
        EngineError: TraceProcessor could not answer.
    """
    chosen = np.arange(len(current)) if options.everything else slices_near(current, lane, 0)
    chosen, crowds = split_crowds(current, lane, chosen, options.max_lanes)
    texts = [
        placed_json(trace, current, lane, recorded, group)
        for group in _groups(current, chosen, options)
    ]
    found = _ask(trace, texts, options, reporter)
    for crowd in crowds:
        tolerance_ns = options.tolerance_of(trace)
        found += repair_crowd(trace, current, lane, recorded, crowd, tolerance_ns=tolerance_ns)
    return found


def _groups(table: Slices, chosen: Ints, options: OverlapOptions) -> list[Ints]:
    """Split the chosen slices into groups, one per query."""
    if not len(chosen):
        return []
    if options.everything or not engine.is_embedded(options.engine):
        return [chosen]
    return independent_groups(table, chosen, _min_group_size(len(chosen), options))


def _min_group_size(count: int, options: OverlapOptions) -> int:
    """Divide slices evenly among the engines, in groups of `min_group` slices or more."""
    rounds = -(-count // (options.max_group * options.engines))
    return max(options.min_group, -(-count // (rounds * options.engines)))


def _unfinished_tracks(near: Slices, lanes: dict[int, int]) -> Ints:
    """Return the tracks on which two slices still overlap on one lane.

    Args:
        near: the slices near overlaps, as repaired so far. No trim is longer than the tolerance,
            so slices that overlap after it were within the tolerance before.
        lanes: lane by event, of the slices that moved.
    """
    table = on_lanes(near, lanes)
    overlapping = table.event[assign_lanes(table) > 0].tolist()
    return distinct(near.track[np.isin(near.event, overlapping)])


def _lanes_on(table: Slices, tracks: Ints) -> Ints:
    """Assign lanes to the slices of some tracks; slices of other tracks get 0."""
    lane = np.zeros(len(table), np.int64)
    chosen = indices_of(table.track, tracks.tolist())
    lane[chosen] = assign_lanes(subset(table, chosen))
    return lane


def _recorded_ends(table: Slices, events: Iterable[int]) -> Iterator[tuple[int, int]]:
    """Return (event, recorded end in ns) of the slices of these events."""
    index = indices_of(table.event, events)
    return iterate_rows(table.event[index], table.end[index])


def _repairs(
    trace: Trace, table: Slices, ends: dict[int, int], lanes: dict[int, int]
) -> list[Repair]:
    """List the slices that move or end sooner than recorded, in the order of the file.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        ends: end in ns by event, of every slice that SQL returned.
        lanes: lane by event, of the slices that move.
    """
    trimmed = {
        event: ends[event] for event, end in _recorded_ends(table, ends) if ends[event] != end
    }
    if trimmed and (table.closing >= 0).any():
        sooner = _trimmed_to_pairs(table, trimmed, sorted_from(trace))
        for event, end in _ending_with(table, trimmed, lanes, sooner):
            trimmed[event] = end - 1
    return [
        Repair(event, lanes.get(event, 1), trimmed[event] if event in trimmed else ends[event])
        for event in sorted({*trimmed, *lanes})
    ]


def _trimmed_to_pairs(table: Slices, trimmed: dict[int, int], start: int) -> set[int]:
    """Return the pairs of B and E events that would end in the ns in which another pair begins.

    Only those whose E event stands behind the other's B event: Perfetto puts the other inside them.

    Args:
        table: all slices.
        trimmed: new end in ns by event.
        start: time from which E events come first, ns; see `sorted_from`.
    """
    paired = np.flatnonzero(table.closing >= 0)
    own = paired[is_in(table.event[paired], list(trimmed))]
    near = paired[is_in(table.track[paired], distinct(table.track[own]).tolist())]
    in_order = near[np.argsort(table.event[near])[::-1]]  # the first of the file is taken last
    rows = iterate_rows(table.track[in_order], table.ts[in_order], table.event[in_order])
    first = {(track, ts): event for track, ts, event in rows}
    rows = iterate_rows(table.event[own], table.track[own], table.ts[own], table.closing[own])
    return {
        event
        for event, track, ts, closing in rows
        if ts < trimmed[event] < start and first.get((track, trimmed[event]), closing) < closing
    }


def _ending_with(
    table: Slices, trimmed: dict[int, int], lanes: dict[int, int], chosen: set[int]
) -> list[tuple[int, int]]:
    """Return event and end, ns, of the chosen slices, and of those inside that end with them."""
    holders = indices_of(table.event, chosen)
    rows = iterate_rows(table.event[holders], table.track[holders], table.ts[holders])
    starts = {(track, lanes.get(event, 1), trimmed[event]): ts for event, track, ts in rows}
    near = np.flatnonzero(is_in(table.track, distinct(table.track[holders]).tolist()))
    columns = (table.event[near], table.track[near], table.ts[near], table.end[near])
    found = []
    for event, track, ts, recorded in iterate_rows(*columns):
        end = trimmed.get(event, recorded)
        if starts.get((track, lanes.get(event, 1), end), end) <= ts < end:
            found.append((event, end))
    return found


def _ask(
    trace: Trace, texts: list[Iterator[bytes]], options: OverlapOptions, reporter: Reporter
) -> list[Repair]:
    """Run sql/overlaps.sql on each group of slices.

    Args:
        trace: the trace.
        texts: Chrome JSON of each group, in blocks.
        options: how to ask SQL.
        reporter: receives a note about a step that takes seconds.
    """
    path = library.find(QUERY)
    query = library.expand(library.read(path))
    sql = library.with_parameters(query, {"tolerance_ns": options.tolerance_of(trace)})

    load = partial(engine.load, source="the overlaps", engine=options.engine, reporter=reporter)

    def ask(text: Iterator[bytes]) -> list[Repair]:
        with load(text) as tp:
            answer = engine.query_rows(tp, sql, path.name)
        return planner.repairs_of(answer.columns, answer.rows, trace)

    return list(chain.from_iterable(engine.map_on_threads(ask, texts, options.engines)))
