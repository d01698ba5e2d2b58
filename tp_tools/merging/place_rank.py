"""Move one rank into a merged trace: times on the common clock, ids of its own, its names.

Pure: a repaired rank (trace and plan) becomes another trace and plan for any writer.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.columns import distinct
from tp_tools.errors import InputError
from tp_tools.merging.placement import HIGHEST_RANK, RANK_IDS, RankPlacement
from tp_tools.merging.rank_tracks import is_number, number, processes, threads
from tp_tools.merging.selection import select_events as select
from tp_tools.trace.model import UNTIMED, is_phase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.merging.rank_tracks import Process, Thread
    from tp_tools.merging.read_rank import StoredRank
    from tp_tools.merging.selection import Selection
    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.model import Ints, Scalar


class PlacedRank(Struct, frozen=True):
    """A rank in the merged trace.

    Attributes:
        trace: the rank's trace; its times, as those of the plan's trims, are ns after
            RankPlacement.start_ns.
        plan: the repairs, with the ids to write; it rebases nothing.
        keep: bool (events,), whether the event is written.
        processes, threads: those that have events, in the order in which they are shown.
        args: keys of the args to write of events other than collectives; None for all.
    """

    trace: Trace
    plan: Plan
    keep: NDArray[np.bool_]
    processes: list[Process]
    threads: list[Thread]
    args: frozenset[str] | None = None

    def track_of(self, event: int) -> tuple[int, int]:
        """Return the pid and tid with which an event is written."""
        track = int(self.trace.track[event])
        pid, tid = number(self.plan.ids.pids[track]), number(self.plan.ids.tids[track])
        if event in self.plan.moves:
            tid = self.plan.lanes[track, self.plan.moves[event]].tid
        return pid, tid


def place_stored(stored: StoredRank, placement: RankPlacement, selection: Selection) -> PlacedRank:
    """Move a stored rank into the merged trace, with the names of the selection: `place_rank`."""
    edits = replace(stored.plan, short_names=selection.short_names)
    return place_rank(stored.trace, edits, stored.table, placement, selection)


def place_rank(
    trace: Trace, plan: Plan, table: Slices, placement: RankPlacement, selection: Selection
) -> PlacedRank:
    """Move a rank into the merged trace.

    Args:
        trace: the rank as recorded.
        plan: its repairs.
        table: its slices, with recorded ends.
        placement: its ids, name and clock in the merged trace.
        selection: the events to write.

    Raises:
        InputError: it has too many processes and threads, or too high a number.
    """
    keep = select(trace, plan, table, placement, selection)
    shifted, shifted_plan = on_common_clock(trace, plan, placement)
    shifted_plan = _with_ids(shifted_plan, _new_ids(plan, placement))
    used = distinct(trace.track[keep]).tolist()
    tracks = (
        list(processes(trace, shifted_plan, placement, used)),
        list(threads(trace, shifted_plan, placement, keep, used)),
    )
    return PlacedRank(shifted, shifted_plan, keep, *tracks, selection.args)


def on_common_clock(trace: Trace, plan: Plan, placement: RankPlacement) -> tuple[Trace, Plan]:
    """Convert the times of a trace and its plan to ns after `placement.start_ns`."""

    def common(times: Ints) -> Ints:
        return placement.clock.common(times + placement.base_ns) - placement.start_ns

    timed = trace.ts != UNTIMED
    ts, dur = trace.ts.copy(), trace.dur.astype(np.int64)
    ts[timed] = common(trace.ts[timed])
    lasting = timed & is_phase(trace, "X") & (trace.dur > 0)
    dur[lasting] = common(trace.ts[lasting] + trace.dur[lasting]) - ts[lasting]
    trims = dict(zip(plan.trims, common(np.array([*plan.trims.values()], np.int64)), strict=True))
    new_trims = {event: int(end) for event, end in trims.items()}
    return replace(trace, ts=ts, dur=dur), replace(plan, trims=new_trims, rebase_ns=0)


def _new_ids(plan: Plan, placement: RankPlacement) -> dict[int, int]:
    """Map recorded ids to ids in the rank's range, in the same order.

    An id keeps its last digits where the range has them free: 1234 of rank 3 becomes 401234.
    Processes and threads share one table: the id of a main thread stays that of its process.

    Raises:
        InputError: they do not fit.
    """
    if placement.rank > HIGHEST_RANK:
        raise InputError(f"rank {placement.rank}: ids are left for ranks up to {HIGHEST_RANK}.")
    recorded = (*plan.ids.pids, *plan.ids.tids)
    numbers = {scalar for scalar in recorded if is_number(scalar) and number(scalar) >= 0}
    numbers |= {lane.tid for lane in plan.lanes.values()}
    if len(numbers) > RANK_IDS:
        raise InputError(f"{placement.title}: has {len(numbers)} process and thread ids, too many.")
    first = (placement.rank + 1) * RANK_IDS
    left = len(numbers)
    mapped = {}
    for old in sorted(map(number, numbers)):
        mapped[old] = first + min(old, RANK_IDS - left)
        left -= 1
    return mapped


def _with_ids(plan: Plan, mapped: dict[int, int]) -> Plan:
    """Return the plan with new ids of tracks and lanes; a pid that is no number becomes 0."""
    pids: list[Scalar] = [mapped.get(number(pid), 0) for pid in plan.ids.pids]
    # the tid of process metadata has no meaning, and need not be a number
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
