"""One rank as it stands in a merged trace: times on the common clock, ids of its own, its names.

Pure: a repaired rank (trace and plan) becomes another trace and plan, that any writer carries out.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.arrows import following
from tp_tools.chrome.events import NO_LINK, UNTIMED, is_phase
from tp_tools.errors import InputError
from tp_tools.header import FLOWS
from tp_tools.lanes import default_name, thread_metadata
from tp_tools.wanted import wanted as needed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints, Scalar, Trace
    from tp_tools.clock import Clock
    from tp_tools.plan import Plan
    from tp_tools.slices import Slices

RANK_IDS = 100_000
"""Process and thread ids of a rank: rank 3 has 400,000 to 499,999, its GPU 3 is 400,003."""

HIGHEST_RANK = (1 << 31) // RANK_IDS - 2
SORT_STEP = 1_000
"""Sort indices of a rank's processes; the ranks follow each other."""

GPU_CATS = frozenset(
    {"kernel", "gpu_memcpy", "gpu_memset", "gpu_user_annotation", "Kernel", "Memcpy", "Memset"}
)


@dataclass(frozen=True)
class Placement:
    """What a rank is given.

    Attributes:
        rank: its number.
        title: what it is called, "rank 3 (TP3)".
        position: its place among the ranks, from 0.
        clock: its relation to the common clock.
        base_ns: what its recorded times are counted from, ns since the epoch.
        start_ns: what all times in the merged trace are counted from, ns since the epoch.
        first_flow: the first number for its arrows.
    """

    rank: int
    title: str
    position: int
    clock: Clock
    base_ns: int
    start_ns: int
    first_flow: int


@dataclass(frozen=True)
class Selection:
    """Which events are wanted.

    Attributes:
        gpu_only: only work and annotations of GPUs.
        excluded: categories to leave out.
        start_ns, end_ns: only what runs within this window, in ns after the epoch on the common
            clock; None is open.
        needs: only these categories, as `wanted` takes them; None for all.
        args: the args to keep of events that are no collectives; None for all.
    """

    gpu_only: bool = False
    excluded: frozenset[str] = frozenset()
    start_ns: int | None = None
    end_ns: int | None = None
    needs: frozenset[str] | None = None
    args: frozenset[str] | None = None

    def is_everything(self) -> bool:
        """Whether nothing is left out."""
        return self == Selection()


@dataclass(frozen=True)
class Process:
    """A process of a rank as it will be shown.

    Attributes:
        pid: its id in the merged trace.
        name: what it is called, "rank 3 (TP3) GPU 3".
        sort_index: its place among all processes.
    """

    pid: int
    name: str
    sort_index: int


@dataclass(frozen=True)
class Thread:
    """A thread of a rank as it will be shown; `name` is "" and `sort_index` None if it has none."""

    pid: int
    tid: int
    name: str
    sort_index: int | None


@dataclass(frozen=True)
class Placed:
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
        pid, tid = _int(self.plan.ids.pids[track]), _int(self.plan.ids.tids[track])
        if event in self.plan.moves:
            tid = self.plan.lanes[track, self.plan.moves[event]].tid
        return pid, tid


def placed(trace: Trace, plan: Plan, table: Slices, where: Placement, wanted: Selection) -> Placed:
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
    keep = _kept(trace, plan, table, where, wanted)
    mapped = _ids(plan, where)
    moved = _on_common_clock(trace, plan, where)
    result = Placed(*moved, keep, [], [])
    edited = _with_ids(result.plan, mapped)
    used = np.unique(trace.track[keep]).tolist()
    processes = list(_processes(trace, edited, where, used))
    threads = list(_threads(trace, edited, keep, used))
    return Placed(result.trace, edited, keep, processes, threads, wanted.args)


def _on_common_clock(trace: Trace, plan: Plan, where: Placement) -> tuple[Trace, Plan]:
    def common(times: Ints) -> Ints:
        return where.clock.common(times + where.base_ns) - where.start_ns

    timed = trace.ts != UNTIMED
    ts, dur = trace.ts.copy(), trace.dur.copy()
    ts[timed] = common(trace.ts[timed])
    lasting = timed & is_phase(trace, "X") & (trace.dur > 0)
    dur[lasting] = common(trace.ts[lasting] + trace.dur[lasting]) - ts[lasting]
    trims = dict(zip(plan.trims, common(np.array([*plan.trims.values()], np.int64)), strict=True))
    exact = {event: int(end) for event, end in trims.items()}
    return replace(trace, ts=ts, dur=dur), replace(plan, trims=exact, rebase_ns=0)


def _ids(plan: Plan, where: Placement) -> dict[int, int]:
    """New ids by old ones, in the same order, and the same number as before where there is room.

    One table for processes and threads: a main thread's id stays that of its process.

    Raises:
        InputError: they do not fit.
    """
    if where.rank > HIGHEST_RANK:
        raise InputError(f"rank {where.rank}: ids are left for ranks up to {HIGHEST_RANK}.")
    numbers = {it for it in (*plan.ids.pids, *plan.ids.tids) if _is_int(it) and _int(it) >= 0}
    numbers |= {lane.tid for lane in plan.lanes.values()}
    if len(numbers) > RANK_IDS:
        raise InputError(f"{where.title}: has {len(numbers)} process and thread ids, too many.")
    first = (where.rank + 1) * RANK_IDS
    left = len(numbers)
    mapped = {}
    for number in sorted(map(_int, numbers)):
        mapped[number] = first + min(number, RANK_IDS - left)
        left -= 1
    return mapped


def _with_ids(plan: Plan, mapped: dict[int, int]) -> Plan:
    pids: list[Scalar] = [mapped.get(_int(pid), 0) for pid in plan.ids.pids]
    # a track whose tid means nothing (of process metadata) may hold one that is no number
    tids: list[Scalar] = [
        mapped.get(_int(tid), _int(pid)) if _is_int(tid) else pid
        for tid, pid in zip(plan.ids.tids, pids, strict=True)
    ]
    ids = replace(plan.ids, pids=pids, tids=tids, changed=np.ones(len(pids), np.bool_))
    lanes = {
        key: replace(lane, pid=mapped[lane.pid], tid=mapped[lane.tid])
        for key, lane in plan.lanes.items()
    }
    return replace(plan, ids=ids, lanes=lanes)


def _is_int(value: Scalar) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _int(value: Scalar) -> int:
    return value if isinstance(value, int) else 0


def _kept(
    trace: Trace, plan: Plan, table: Slices, where: Placement, wanted: Selection
) -> NDArray[np.bool_]:
    """All but metadata, which is written anew, and what has no time or is not wanted."""
    keep = ~is_phase(trace, "M")
    keep[plan.untimed] = False
    if wanted.is_everything():
        return keep
    cats = [
        cat in wanted.excluded or (wanted.gpu_only and cat not in GPU_CATS) for cat in trace.cats
    ]
    flows = is_phase(trace, "stf")
    keep &= ~np.array([*cats, False], np.bool_)[trace.cat] | flows
    end = trace.ts + np.where(is_phase(trace, "X"), np.maximum(trace.dur, 0), 0)
    end[table.event] = table.end
    since = where.clock.common(trace.ts + where.base_ns)
    until = where.clock.common(end + where.base_ns)
    if wanted.start_ns is not None:
        keep &= (until > wanted.start_ns) | (since >= wanted.start_ns)
    if wanted.end_ns is not None:
        keep &= since < wanted.end_ns
    if wanted.needs is not None:
        keep &= needed(trace, table, wanted.needs)
    pairs = table.closing >= 0
    keep[table.closing[pairs]] = keep[table.event[pairs]]
    keep[flows] = False
    if wanted.needs is None or FLOWS in wanted.needs:
        keep[_whole_arrows(trace, table, keep)] = True
    return keep


def _whole_arrows(trace: Trace, table: Slices, keep: NDArray[np.bool_]) -> Ints:
    """Flow events of arrows of which every end is at a slice that is kept."""
    flows = np.flatnonzero(is_phase(trace, "stf") & (trace.link != NO_LINK))
    shown = table.event[keep[table.event]].tolist()
    at_shown = np.isin(flows, list(following(trace, table, dict.fromkeys(shown, 0))))
    arrow = trace.link[flows].astype(np.int64) * len(trace.cats) + trace.cat[flows]
    return flows[~np.isin(arrow, arrow[~at_shown])]


def _processes(trace: Trace, plan: Plan, where: Placement, used: list[int]) -> Iterator[Process]:
    """CPU, GPUs, then what the profiler writes about itself, each kind as it was numbered."""
    names = {
        trace.tracks[trace.track[event]][0]: name
        for event, name in trace.metadata.items()
        if trace.names[trace.name[event]] == "process_name" and isinstance(name, str)
    }
    gpus = _gpus(trace)
    shown: dict[Scalar, int] = {}
    for track in used:
        shown.setdefault(trace.tracks[track][0], _int(plan.ids.pids[track]))
    listed = []
    for recorded, pid in shown.items():
        if recorded in gpus:
            listed.append((1, pid, f"GPU {recorded}"))
        elif isinstance(recorded, int) and recorded >= 0:
            listed.append((0, pid, f"CPU {names.get(recorded, '')}".strip()))
        else:
            listed.append((2, pid, _label(trace, recorded)))
    first = where.position * SORT_STEP + 1
    for place, (_, pid, label) in enumerate(sorted(listed)):
        yield Process(pid, f"{where.title} {label}", first + min(place, SORT_STEP - 1))


def _label(trace: Trace, recorded: Scalar) -> str:
    """A process that is none: by its text, or, as Kineto's overhead, by what it holds."""
    if isinstance(recorded, str):
        return recorded or "no process"
    tracks = [i for i, (pid, _) in enumerate(trace.tracks) if pid == recorded]
    cats = {trace.cats[cat] for cat in np.unique(trace.cat[np.isin(trace.track, tracks)])} - {""}
    return cats.pop() if len(cats) == 1 else f"process {recorded}"


def _gpus(trace: Trace) -> set[Scalar]:
    """The recorded pids that stand for devices."""
    cats = [code for code, cat in enumerate(trace.cats) if cat in GPU_CATS]
    tracks = np.unique(trace.track[np.isin(trace.cat, cats) & is_phase(trace, "X")])
    return {trace.tracks[track][0] for track in tracks.tolist()}


def _threads(
    trace: Trace, plan: Plan, keep: NDArray[np.bool_], used: list[int]
) -> Iterator[Thread]:
    names, indices = thread_metadata(trace)
    gpus = _gpus(trace)
    for track in used:
        pid, tid = _int(plan.ids.pids[track]), _int(plan.ids.tids[track])
        recorded_pid, recorded_tid = trace.tracks[track]
        odd = recorded_pid in gpus or not _is_int(recorded_tid)
        name = names.get(track) or (default_name(trace, track) if odd else "")
        yield Thread(pid, tid, name, indices.get(track))
    moved = {(int(trace.track[event]), lane) for event, lane in plan.moves.items() if keep[event]}
    for key in sorted(moved):
        lane = plan.lanes[key]
        yield Thread(lane.pid, lane.tid, lane.name, lane.sort_index)
