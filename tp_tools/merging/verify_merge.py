"""Prove a merged file of Chrome JSON: read it back, load it, compare both with the ranks.

The file must hold every selected event of each rank, in its order, with its time on the common
clock, its new thread and its name; TraceProcessor must load all of it and show each slice, those of
the collectives too, and a flow from each launch to its own work.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome import read
from tp_tools.columns import distinct
from tp_tools.files import Source
from tp_tools.merging.output import first_flows, placement_of
from tp_tools.merging.place_rank import place_stored
from tp_tools.merging.placement import RANK_IDS
from tp_tools.merging.read_rank import load_rank
from tp_tools.merging.unsorted_pairs import unsorted_pairs
from tp_tools.processes.pool import ALONE
from tp_tools.progress import SILENT
from tp_tools.repair import verify_flows
from tp_tools.repair.shown import Loading, ask
from tp_tools.repair.verify_flows import Launches, correlation_of, slice_key
from tp_tools.repair.verify_json import codes, planned_names, planned_times
from tp_tools.repair.verify_shown import LISTING, failed, prove_shown, written_keys
from tp_tools.trace.model import is_phase

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.merging.place_rank import PlacedRank
    from tp_tools.merging.preparation import MergePlan
    from tp_tools.merging.read_rank import StoredRank
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.repair.verify_flows import SliceKey
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints

_NOWHERE = slice_key(-1, -1, -1, None, None)
"""Stands for slices that were not selected."""


def verify(
    path: Path, name: str, plan: MergePlan, reporter: Reporter = SILENT, pool: Pool = ALONE
) -> None:
    """Prove the merged file.

    Args:
        path: current path of the file.
        name: its final path, for messages.
        plan: the merge; its ranks are still in their temporary files.
        reporter: receives stages of the work, and notes.
        pool: a worker of it loads the file while this process reads it.

    Raises:
        VerificationError: the file differs from the ranks and the plan.
        EngineError: TraceProcessor failed.
    """
    for line in unsorted_pairs(plan):
        raise failed(name, line)
    answer = ask(Loading(path, name, plan.options.engine, None, allow_loss=True), pool)
    source = Source(path, name)
    with reporter.stage(f"verifying: reading {name}", source.size()) as stage:
        result = read(source, stage)
    numbers = np.flatnonzero(~is_phase(result, "M"))
    launches = Launches(Counter(), {}, set(), {})
    done = 0
    selection = plan.selection()
    for index, first_flow in enumerate(first_flows(plan)[:-1]):
        stored = load_rank(plan.spools[index])
        rank = place_stored(stored, placement_of(plan, index, first_flow), selection)
        mine = numbers[done : done + int(rank.keep.sum())]
        _compare(f"{name}: {plan.ranks[index].title}", rank, result, mine)
        found = _expected(stored, rank, result, mine)
        launches.origin.update(found.origin)
        launches.kept.update(found.kept)
        launches.tied.update(dict.fromkeys(found.tied, index))
        launches.flows.update(found.flows)
        done += len(mine)
    _check_rest(name, result, numbers[done:])
    with reporter.stage(LISTING):
        written = written_keys(name, result, reporter)
    prove_shown(name, written, launches, answer, reporter)


def _compare(name: str, rank: PlacedRank, result: Trace, mine: Ints) -> None:
    """Check that events of the file are those of a rank, one by one.

    Args:
        name: the file and the rank, for messages.
        rank: the rank.
        result: the events of the file.
        mine: numbers of those that should be the rank's.
    """
    trace, plan, keep = rank.trace, rank.plan, rank.keep
    if len(mine) != int(keep.sum()):
        raise failed(name, f"it has {len(mine)} events instead of {int(keep.sum())}")
    ts, end = planned_times(trace, plan)
    columns = {
        "phases": (result.phase, trace.phase),
        "starts": (result.ts, ts),
        "ends": (result.ts + np.maximum(result.dur, 0), end),
        "threads": (result.track, _tracks(rank, result)),
        "names": (result.name, planned_names(trace, plan, result)),
        "categories": (result.cat, codes(trace.cats, result.cats)[trace.cat]),
    }
    for column, (actual, planned) in columns.items():
        wrong = int((actual[mine] != planned[keep]).sum())
        if wrong:
            raise failed(name, f"the {column} of {wrong} of its events are not those of the input")


def _tracks(rank: PlacedRank, result: Trace) -> Ints:
    """Return the result's track that each event should be on; -1 where it has no such track."""
    known: dict[object, int] = {track: code for code, track in enumerate(result.tracks)}
    ids = rank.plan.ids
    codes_of = [known.get(track, -1) for track in zip(ids.pids, ids.tids, strict=True)]
    tracks: Ints = np.array(codes_of, np.int64)[rank.trace.track]
    for event in rank.plan.moves:
        tracks[event] = known.get(rank.track_of(event), -1)
    return tracks


def _expected(stored: StoredRank, rank: PlacedRank, result: Trace, mine: Ints) -> Launches:
    """List the flows from launches to work that are expected of a rank."""
    number_of = np.full(len(rank.trace), -1)
    number_of[rank.keep] = mine

    def key(event: int) -> SliceKey:
        number = int(number_of[event])
        if number < 0:
            return _NOWHERE
        pid, tid = (it if isinstance(it, int) else 0 for it in result.tracks[result.track[number]])
        text = result.names[result.name[number]]
        return slice_key(pid, tid, int(result.ts[number]), text, correlation_of(result, number))

    found = verify_flows.expected(stored.trace, stored.table, stored.plan, key)
    for flow in [flow for flow in found.flows if _NOWHERE in flow]:
        del found.flows[flow]
    return found


def _check_rest(name: str, result: Trace, rest: Ints) -> None:
    """Check that behind the ranks there are collectives alone, in a process of their own."""
    slices = rest[is_phase(result, "X")[rest]]
    pids = {result.tracks[code][0] for code in distinct(result.track[slices]).tolist()}
    others = ~is_phase(result, "Xstf")[rest]
    if others.any() or any(not isinstance(pid, int) or pid >= RANK_IDS for pid in pids):
        raise failed(name, "it has events of no rank")
