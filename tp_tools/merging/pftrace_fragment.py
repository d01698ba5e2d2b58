"""Write a rank of a merged trace as packets of a `.pftrace`, by the writer of `tp-tools fix`.

A temporary file of Chrome JSON lies between: it has the new times and ids and all repairs but the
moves, which the writer shows as lanes of one track, and flows between ranks as `bind_id` of slices,
since the writer draws flows between slices of one rank only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np
from msgspec.structs import replace

from tp_tools.chrome import read
from tp_tools.files import Source
from tp_tools.merging import json_fragment
from tp_tools.merging.placement import RANK_IDS
from tp_tools.repair import ids
from tp_tools.trace import Plan
from tp_tools.trace.plan import FlowEdits
from tp_tools.trace.slices import slices
from tp_tools.writing import PftraceOptions
from tp_tools.writing.pftrace.writer import rewrite

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from tp_tools.merging.json_events import Match
    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.placement import RankPlacement
    from tp_tools.trace import Lane, Trace


def fragment(
    source: Source,
    placed: PlacedRank,
    placement: RankPlacement,
    matched: Mapping[int, Match],
    between: Path,
) -> Iterator[bytes]:
    """Write the packets of a rank, block by block.

    Args:
        source: the file that the rank was read from; it is read again.
        placed: the rank in the merged trace.
        placement: its ids and its clock.
        matched: the match of each kernel of a matched collective, by event.
        between: path for a temporary file as large as the rank's text; it is removed at the end.

    Raises:
        InputError: the file changed since it was read.
    """
    lanes = {lane.tid for lane in placed.plan.lanes.values()}
    unmoved = replace(
        placed,
        plan=replace(placed.plan, moves={}, flows=replace(placed.plan.flows, ends={})),
        threads=[thread for thread in placed.threads if thread.tid not in lanes],
    )
    blocks = json_fragment.fragment(source, unmoved, placement, matched)
    trace = written(blocks, placement.start_ns, between)
    first = int(np.flatnonzero(trace.phase != ord("M"))[0]) if placed.keep.any() else 0
    options = PftraceOptions(
        number=placement.position, first_place=1 + placement.position * RANK_IDS
    )
    yield from packets(between, trace, _plan(trace, placed, first), options)
    between.unlink()


def written(
    blocks: Iterable[bytes],
    start_ns: int,
    between: Path,
    members: Mapping[str, object] | None = None,
) -> Trace:
    """Write events as a file of Chrome JSON, and read its columns.

    Args:
        blocks: text of the events, each followed by a comma.
        start_ns: time that their timestamps count from, ns since the epoch.
        between: the file to write.
        members: other members of the outermost object.
    """
    head = {"baseTimeNanoseconds": start_ns, **(members or {})}
    with between.open("wb") as file:
        file.write(msgspec.json.encode(head)[:-1] + b',"traceEvents":[')
        for block in json_fragment.without_last_comma(blocks):
            file.write(block)
        file.write(b"]}")
    return read(Source(between, between.name))


def packets(between: Path, trace: Trace, plan: Plan, options: PftraceOptions) -> Iterator[bytes]:
    """Write a temporary file as packets.

    Args:
        between: the file.
        trace: its columns.
        plan: its remaining repairs.
        options: its position among the fragments of the output.
    """
    source = Source(between, between.name)
    next(source.blocks(), b"")
    yield from rewrite(source, trace, slices(trace), plan, options=options)


def nothing_to_do(trace: Trace) -> Plan:
    """Return a plan that changes nothing."""
    return Plan({}, {}, {}, {}, [], [], 0, ids.choose_ids(trace), [])


def _plan(trace: Trace, placed: PlacedRank, first: int) -> Plan:
    """Return the moves and the flows that remain, by event numbers of the temporary file.

    Args:
        trace: the temporary file's columns.
        placed: the rank in the merged trace.
        first: number of the first event of the rank, behind the metadata events.
    """
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
