"""Processes and threads of a rank as a merged trace shows them: names and order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tp_tools.merging.selection import GPU_CATS
from tp_tools.trace.tracks import (
    default_name,
    only_category,
    process_names,
    thread_metadata,
    tracks_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.merging.placement import RankPlacement
    from tp_tools.trace.model import Scalar, Trace
    from tp_tools.trace.plan import Plan

SORT_STEP = 1_000
"""Sort indices of a rank's processes; the ranks follow each other."""


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


def processes(trace: Trace, plan: Plan, where: RankPlacement, used: list[int]) -> Iterator[Process]:
    """CPU, GPUs, then what the profiler writes about itself, each kind as it was numbered."""
    names = process_names(trace)
    gpus = _gpus(trace)
    shown: dict[Scalar, int] = {}
    for track in used:
        shown.setdefault(trace.tracks[track][0], number(plan.ids.pids[track]))
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
    return only_category(trace, recorded) or f"process {recorded}"


def _gpus(trace: Trace) -> set[Scalar]:
    """The recorded pids that stand for devices."""
    return {trace.tracks[track][0] for track in tracks_of(trace, GPU_CATS)}


def threads(trace: Trace, plan: Plan, keep: NDArray[np.bool_], used: list[int]) -> Iterator[Thread]:
    """Rows of threads and streams that are in use, then lanes that hold something."""
    names, indices = thread_metadata(trace)
    gpus = _gpus(trace)
    for track in used:
        pid, tid = number(plan.ids.pids[track]), number(plan.ids.tids[track])
        recorded_pid, recorded_tid = trace.tracks[track]
        odd = recorded_pid in gpus or not is_number(recorded_tid)
        name = names.get(track) or (default_name(trace, track) if odd else "")
        yield Thread(pid, tid, name, indices.get(track))
    moved = {(int(trace.track[event]), lane) for event, lane in plan.moves.items() if keep[event]}
    for key in sorted(moved):
        lane = plan.lanes[key]
        yield Thread(lane.pid, lane.tid, lane.name, lane.sort_index)


def is_number(value: Scalar) -> bool:
    """Whether an id is an integer; some are text."""
    return isinstance(value, int) and not isinstance(value, bool)


def number(value: Scalar) -> int:
    """An id that is an integer; 0 for others."""
    return value if isinstance(value, int) else 0
