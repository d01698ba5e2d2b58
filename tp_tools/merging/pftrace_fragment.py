"""A merged trace as `.pftrace`: a rank as it stands in the merge is written by the usual writer.

On its way it is Chrome JSON in a temporary file: with new times and ids and all repairs but the
moves, which the writer shows as lanes of one row, and with arrows that slices carry themselves,
since those may join the slices of several ranks.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome.reader import read
from tp_tools.files.source import Source
from tp_tools.merging import json_fragment
from tp_tools.merging.placement import RANK_IDS
from tp_tools.repair import ids
from tp_tools.trace.plan import FlowEdits, Plan
from tp_tools.trace.slices import slices
from tp_tools.writing.pftrace.options import PftraceOptions
from tp_tools.writing.pftrace.writer import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tp_tools.merging.json_events import Match
    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.placement import RankPlacement
    from tp_tools.trace.model import Trace
    from tp_tools.trace.plan import Lane


def fragment(
    source: Source,
    placed: PlacedRank,
    where: RankPlacement,
    matched: Mapping[int, Match],
    between: Path,
) -> Iterator[bytes]:
    """The packets of a rank, block by block.

    Args:
        source: the file that the rank was read from; it is read again.
        placed: the rank in the merged trace.
        where: its place in it.
        matched: by event: the collective that it is a part of.
        between: a temporary file, as large as the rank's text; in the end it is gone.

    Raises:
        InputError: the file changed meanwhile.
    """
    lanes = {lane.tid for lane in placed.plan.lanes.values()}
    unmoved = replace(
        placed,
        plan=replace(placed.plan, moves={}, flows=replace(placed.plan.flows, ends={})),
        threads=[thread for thread in placed.threads if thread.tid not in lanes],
    )
    blocks = json_fragment.fragment(source, unmoved, where, matched)
    trace = written(blocks, where.start_ns, between)
    first = int(np.flatnonzero(trace.phase != ord("M"))[0]) if placed.keep.any() else 0
    part = PftraceOptions(number=where.position, first_place=1 + where.position * RANK_IDS)
    yield from packets(between, trace, _plan(trace, placed, first), part)
    between.unlink()


def written(
    blocks: Iterable[bytes],
    start_ns: int,
    between: Path,
    members: Mapping[str, object] | None = None,
) -> Trace:
    """Writes events, each with a comma behind it, as Chrome JSON, and reads their columns.

    Args:
        blocks: the events.
        start_ns: what their times are counted from, ns since the epoch.
        between: the file to write.
        members: what else the file says.
    """
    head = {"baseTimeNanoseconds": start_ns, **(members or {})}
    with between.open("wb") as file:
        file.write(msgspec.json.encode(head)[:-1] + b',"traceEvents":[')
        for block in json_fragment.without_last_comma(blocks):
            file.write(block)
        file.write(b"]}")
    return read(Source(between, between.name))


def packets(between: Path, trace: Trace, plan: Plan, part: PftraceOptions) -> Iterator[bytes]:
    """The packets of a temporary file.

    Args:
        between: the file.
        trace: its columns.
        plan: what is left to do.
        part: where it stands among the parts of the output.
    """
    source = Source(between, between.name)
    next(source.blocks(), b"")
    yield from rewrite(source, trace, slices(trace), plan, options=part)


def nothing_to_do(trace: Trace) -> Plan:
    """A plan that changes nothing."""
    return Plan({}, {}, {}, {}, [], [], 0, ids.choose_ids(trace), [])


def _plan(trace: Trace, placed: PlacedRank, first: int) -> Plan:
    """The moves and arrows that are left, on the events as they are numbered now."""
    plan = nothing_to_do(trace)
    number = np.cumsum(placed.keep) - 1 + first
    track_of = {track: place for place, track in enumerate(trace.tracks)}
    lanes: dict[tuple[int, int], Lane] = {}
    moves = {}
    for event, lane_number in placed.plan.moves.items():
        if placed.keep[event]:
            track = int(placed.trace.track[event])
            lane = placed.plan.lanes[track, lane_number]
            ids_of = placed.plan.ids
            place = track_of[ids_of.pids[track], ids_of.tids[track]]
            lanes[place, lane_number] = replace(lane, track=place)
            moves[int(number[event])] = lane_number
    arrows = [
        (int(number[out]), int(number[work]))
        for out, work in placed.plan.flows.arrows
        if placed.keep[out] and placed.keep[work]
    ]
    return replace(plan, lanes=lanes, moves=moves, flows=FlowEdits(arrows=arrows))
