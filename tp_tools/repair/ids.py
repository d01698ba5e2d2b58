"""Choose process and thread ids that Perfetto reads correctly, where it misreads the recorded ones.

Perfetto's JSON importer (v51 to v58) keeps integers of 32 bits. It turns other numbers into 0, so
that Kineto's overhead (pid -1) lands in GPU 0; text into a number of its own choice; and tid 0
under another pid into the pid, so that stream 0 of device 7 lands in stream 7.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import is_in, occurs_where
from tp_tools.repair.perfetto_import import is_read_exactly
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.plan import Ids, Plan
from tp_tools.trace.tracks import PROCESS_METADATA, free_id

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from tp_tools.trace import Trace
    from tp_tools.trace.model import Scalar


def choose_ids(trace: Trace) -> Ids:
    """Choose an id pair for each track that Perfetto reads as it is, and as no other track's.

    The same trace always gets the same ids.
    """
    is_metadata = is_in(
        trace.name, [i for i, name in enumerate(trace.names) if name in PROCESS_METADATA]
    )
    is_metadata &= is_phase(trace, "M")
    repairs: Counter[str] = Counter()
    pids = _pids(trace, repairs)
    tids = _tids(trace, pids, is_metadata, repairs)
    changed = [
        (pid, tid) != track for pid, tid, track in zip(pids, tids, trace.tracks, strict=True)
    ]
    if trace.quoted is not None:
        repairs["quoted_ids"] = int(trace.quoted.sum())
    return Ids(pids, tids, np.array(changed, np.bool_), is_metadata, repairs, trace.quoted)


def plan_of_ids(trace: Trace) -> Plan:
    """Return the plan that gives a trace ids that Perfetto reads, and changes nothing else."""
    return Plan({}, {}, {}, {}, [], [], 0, choose_ids(trace), [])


def _pids(trace: Trace, repairs: Counter[str]) -> list[Scalar]:
    """Choose the pid of each track.

    An integer pid that only global instants have stays: Perfetto ignores it. A text pid does not,
    because its number may be that of another process.
    """

    def has_process(block: slice) -> NDArray[np.bool_]:
        found = ~is_in(trace.phase[block], b"iIR")
        found |= trace.bound[block] != ord("g")
        return found

    used = _pids_where(trace, lambda block: np.ones(block.stop - block.start, np.bool_))
    read = _pids_where(trace, has_process)
    recorded = dict.fromkeys(pid for pid, _ in trace.tracks)
    taken = _integers(recorded) | _integers(tid for _, tid in trace.tracks)
    new: dict[Scalar, Scalar] = {}
    for pid in recorded:
        if is_read_exactly(pid) or pid not in (used if isinstance(pid, str) else read):
            new[pid] = pid
        else:
            repairs[_kind(pid, "pids")] += 1
            new[pid] = free_id(_highest(recorded) + 1, taken)
    return [new[pid] for pid, _ in trace.tracks]


def _tids(
    trace: Trace, pids: list[Scalar], is_metadata: NDArray[np.bool_], repairs: Counter[str]
) -> list[Scalar]:
    """Choose the tid of each track, given the pid to write."""
    taken: dict[Scalar, set[int]] = {}
    highest: dict[Scalar, int] = {}
    for pid, (_, tid) in zip(pids, trace.tracks, strict=True):
        # no new tid equals the pid: Perfetto takes that thread for the main thread
        taken.setdefault(pid, _integers([pid])).update(_integers([tid]))
        highest[pid] = max(highest.get(pid, 0), *_integers([pid, tid]), 0)
    used = _tracks_where(trace, lambda block: ~is_metadata[block])
    read = _tracks_where(trace, lambda block: ~is_metadata[block] & _is_on_thread(trace, block))
    new: list[Scalar] = []
    for i, (pid, (_, tid)) in enumerate(zip(pids, trace.tracks, strict=True)):
        is_read = read[i] or (used[i] and isinstance(tid, str))
        if not is_read or (is_read_exactly(tid) and (tid != 0 or pid == 0)):
            new.append(tid)
        elif tid == 0:
            repairs["zero_tids"] += 1
            new.append(free_id(1, taken[pid]))  # stream 0 stays the first stream
        else:
            repairs[_kind(tid, "tids")] += 1
            new.append(free_id(highest[pid] + 1, taken[pid]))
    return new


def _pids_where(trace: Trace, condition: Callable[[slice], NDArray[np.bool_]]) -> set[Scalar]:
    """Return the pids of the tracks that `_tracks_where` finds."""
    used = _tracks_where(trace, condition)
    return {pid for (pid, _), is_used in zip(trace.tracks, used, strict=True) if is_used}


def _tracks_where(trace: Trace, condition: Callable[[slice], NDArray[np.bool_]]) -> list[bool]:
    """Tell for each track whether it holds an event that meets a condition and will be written.

    Args:
        trace: the trace.
        condition: marks the events of a range that meet it.
    """

    def is_found(block: slice) -> NDArray[np.bool_]:
        is_written: NDArray[np.bool_] = trace.ts[block] != UNTIMED
        is_written |= trace.phase[block] == ord("M")
        return is_written & condition(block)

    found: list[bool] = occurs_where(trace.track, len(trace.tracks), is_found).tolist()
    return found


def _is_on_thread(trace: Trace, block: slice) -> NDArray[np.bool_]:
    """Mark the events that Perfetto puts on a thread, not for example counters.

    On other events a misread integer tid does no harm. A text tid does: Perfetto may take its
    thread for another.
    """
    phase = trace.phase[block]
    on_thread: NDArray[np.bool_] = is_in(phase, b"iIR") & (trace.bound[block] == 0)
    return on_thread | is_in(phase, b"XBEstfM")


def _integers(values: Iterable[Scalar]) -> set[int]:
    """Return the values that Perfetto reads as they are."""
    return {int(value) for value in values if is_read_exactly(value) and value is not None}


def _highest(values: Iterable[Scalar]) -> int:
    return max(_integers(values), default=0)


def _kind(value: Scalar, ids: str) -> str:
    """Return the kind of repair, a key of `summary.REPAIRS`: "text_pids"."""
    if isinstance(value, str):
        return f"text_{ids}"
    if isinstance(value, int | float) and value < 0:
        return f"negative_{ids}"
    return f"other_{ids}"
