"""One rank as it stands in a merged trace: times on the common clock, ids of its own, its names.

Pure: a repaired rank (trace and plan) becomes another trace and plan, that any writer carries out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.errors import InputError
from tp_tools.merging.placement import HIGHEST_RANK, RANK_IDS, RankPlacement
from tp_tools.merging.rank_tracks import is_number, number, processes, threads
from tp_tools.merging.selection import kept
from tp_tools.trace.model import UNTIMED, is_phase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.merging.rank_tracks import Process, Thread
    from tp_tools.merging.selection import Selection
    from tp_tools.trace.model import Ints, Scalar, Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.trace.slices import Slices


@dataclass(frozen=True)
class PlacedRank:
    """A rank in the merged trace.

    Attributes:
        trace: with times in ns after Placement.start_ns; as the plan's trims.
        plan: with the ids to write; it rebases nothing.
        keep: by event: whether it is written.
        processes, threads: those that have events, in the order in which they are shown.
        args: the args to write of events that are no collectives; None for all.
    """

    trace: Trace
    plan: Plan
    keep: NDArray[np.bool_]
    processes: list[Process]
    threads: list[Thread]
    args: frozenset[str] | None = None

    def row_of(self, event: int) -> tuple[int, int]:
        """The pid and tid under which an event is written."""
        track = int(self.trace.track[event])
        pid, tid = number(self.plan.ids.pids[track]), number(self.plan.ids.tids[track])
        if event in self.plan.moves:
            tid = self.plan.lanes[track, self.plan.moves[event]].tid
        return pid, tid


def place_rank(
    trace: Trace, plan: Plan, table: Slices, where: RankPlacement, wanted: Selection
) -> PlacedRank:
    """Puts a rank into the merged trace.

    Args:
        trace: as recorded.
        plan: its repairs.
        table: its slices, as recorded.
        where: its place.
        wanted: which of its events are.

    Raises:
        InputError: it has too many processes and threads, or too high a number.
    """
    keep = kept(trace, plan, table, where, wanted)
    moved, edited = _on_common_clock(trace, plan, where)
    edited = _with_ids(edited, _ids(plan, where))
    used = np.unique(trace.track[keep]).tolist()
    rows = list(processes(trace, edited, where, used)), list(threads(trace, edited, keep, used))
    return PlacedRank(moved, edited, keep, *rows, wanted.args)


def _on_common_clock(trace: Trace, plan: Plan, where: RankPlacement) -> tuple[Trace, Plan]:
    def common(times: Ints) -> Ints:
        return where.clock.common(times + where.base_ns) - where.start_ns

    timed = trace.ts != UNTIMED
    ts, dur = trace.ts.copy(), trace.dur.astype(np.int64)
    ts[timed] = common(trace.ts[timed])
    lasting = timed & is_phase(trace, "X") & (trace.dur > 0)
    dur[lasting] = common(trace.ts[lasting] + trace.dur[lasting]) - ts[lasting]
    trims = dict(zip(plan.trims, common(np.array([*plan.trims.values()], np.int64)), strict=True))
    exact = {event: int(end) for event, end in trims.items()}
    return replace(trace, ts=ts, dur=dur), replace(plan, trims=exact, rebase_ns=0)


def _ids(plan: Plan, where: RankPlacement) -> dict[int, int]:
    """New ids by old ones, in the same order, and the same number as before where there is room.

    One table for processes and threads: a main thread's id stays that of its process.

    Raises:
        InputError: they do not fit.
    """
    if where.rank > HIGHEST_RANK:
        raise InputError(f"rank {where.rank}: ids are left for ranks up to {HIGHEST_RANK}.")
    numbers = {it for it in (*plan.ids.pids, *plan.ids.tids) if is_number(it) and number(it) >= 0}
    numbers |= {lane.tid for lane in plan.lanes.values()}
    if len(numbers) > RANK_IDS:
        raise InputError(f"{where.title}: has {len(numbers)} process and thread ids, too many.")
    first = (where.rank + 1) * RANK_IDS
    left = len(numbers)
    mapped = {}
    for old in sorted(map(number, numbers)):
        mapped[old] = first + min(old, RANK_IDS - left)
        left -= 1
    return mapped


def _with_ids(plan: Plan, mapped: dict[int, int]) -> Plan:
    pids: list[Scalar] = [mapped.get(number(pid), 0) for pid in plan.ids.pids]
    # a track whose tid means nothing (of process metadata) may hold one that is no number
    tids: list[Scalar] = [
        mapped.get(number(tid), number(pid)) if is_number(tid) else pid
        for tid, pid in zip(plan.ids.tids, pids, strict=True)
    ]
    ids = replace(plan.ids, pids=pids, tids=tids, changed=np.ones(len(pids), np.bool_))
    lanes = {
        key: replace(lane, pid=mapped[lane.pid], tid=mapped[lane.tid])
        for key, lane in plan.lanes.items()
    }
    return replace(plan, ids=ids, lanes=lanes)
