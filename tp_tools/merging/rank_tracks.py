"""Name and order the processes and threads of a rank in a merged trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

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
    from tp_tools.trace import Plan, Trace
    from tp_tools.trace.model import Scalar

SORT_STEP = 1_000
"""Sort indices per rank: rank at position 3 has 3,001 to 4,000."""


class Process(Struct, frozen=True):
    """A process of a rank in the merged trace.

    Attributes:
        pid: its id.
        name: its name, for example "rank 3 (TP3) GPU 3".
        sort_index: its order among all processes.
    """

    pid: int
    name: str
    sort_index: int


class Thread(Struct, frozen=True):
    """A thread of a rank in the merged trace.

    Attributes:
        pid, tid: its ids.
        name: its name; "" for none.
        sort_index: its order within the process; None for none.
    """

    pid: int
    tid: int
    name: str
    sort_index: int | None


def processes(
    trace: Trace, plan: Plan, placement: RankPlacement, used: list[int]
) -> Iterator[Process]:
    """List the processes of a rank: CPU, GPUs, then the profiler's own, each kind by pid.

    Args:
        trace: the rank as recorded.
        plan: the ids in the merged trace.
        placement: the title and position of the rank.
        used: indices of the tracks that have events.
    """
    names = process_names(trace)
    gpus = _gpus(trace)
    pids: dict[Scalar, int] = {}
    for track in used:
        pids.setdefault(trace.tracks[track][0], number(plan.ids.pids[track]))
    listed = []
    for recorded, pid in pids.items():
        if recorded in gpus:
            listed.append((1, pid, f"GPU {recorded}"))
        elif isinstance(recorded, int) and recorded >= 0:
            listed.append((0, pid, f"CPU {names.get(recorded, '')}".strip()))
        else:
            listed.append((2, pid, _label(trace, recorded)))
    first = placement.position * SORT_STEP + 1
    for i, (_, pid, label) in enumerate(sorted(listed)):
        yield Process(pid, f"{placement.title} {label}", first + min(i, SORT_STEP - 1))


def _label(trace: Trace, recorded: Scalar) -> str:
    """Label a group of tracks that is no process: by its text, or by its only category.

    Kineto's "overhead" is an example of the latter.
    """
    if isinstance(recorded, str):
        return recorded or "no process"
    return only_category(trace, recorded) or f"process {recorded}"


def _gpus(trace: Trace) -> set[Scalar]:
    """Return the recorded pids that stand for devices."""
    return {trace.tracks[track][0] for track in tracks_of(trace, GPU_CATS)}


def threads(
    trace: Trace, plan: Plan, placement: RankPlacement, keep: NDArray[np.bool_], used: list[int]
) -> Iterator[Thread]:
    """List the used tracks of threads and streams, then the lanes that hold slices.

    Streams are named with their rank, as in "rank 3 · stream 7": pinned, they stand apart from the
    process that says it.

    Args:
        trace: the rank as recorded.
        plan: ids and lanes in the merged trace.
        placement: the number of the rank.
        keep: bool (events,), whether the event is written.
        used: indices of the tracks that have events.
    """
    names, indices = thread_metadata(trace)
    gpus = _gpus(trace)

    def titled(track: int, name: str) -> str:
        return f"rank {placement.rank} · {name}" if trace.tracks[track][0] in gpus else name

    for track in used:
        pid, tid = number(plan.ids.pids[track]), number(plan.ids.tids[track])
        recorded_pid, recorded_tid = trace.tracks[track]
        needs_name = recorded_pid in gpus or not is_number(recorded_tid)
        name = names.get(track) or (default_name(trace, track) if needs_name else "")
        yield Thread(pid, tid, titled(track, name), indices.get(track))
    moved = {(int(trace.track[event]), lane) for event, lane in plan.moves.items() if keep[event]}
    for key in sorted(moved):
        lane = plan.lanes[key]
        yield Thread(lane.pid, lane.tid, titled(key[0], lane.name), lane.sort_index)


def is_number(value: Scalar) -> bool:
    """Tell whether an id is an integer; some are text."""
    return isinstance(value, int) and not isinstance(value, bool)


def number(value: Scalar) -> int:
    """Return an id that is an integer; 0 for any other."""
    return value if isinstance(value, int) else 0
