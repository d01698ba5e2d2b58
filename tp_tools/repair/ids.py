"""Process and thread ids as Perfetto reads them, and better ones where it misreads them.

Perfetto's JSON importer (v51 to v58) keeps integers of 32 bits. Others it turns into 0, so that
Kineto's overhead (pid -1) lands in GPU 0; text becomes a number of its own choosing; and tid 0
under another pid becomes tid = pid, so that stream 0 of device 7 lands in stream 7.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import is_in, occurs_where
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.plan import Ids
from tp_tools.trace.tracks import ID_LIMIT as _LIMIT
from tp_tools.trace.tracks import PROCESS_METADATA
from tp_tools.trace.tracks import free_id as free

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from tp_tools.trace.model import Scalar, Trace


def is_read_exactly(value: Scalar) -> bool:
    """Whether Perfetto keeps this id as it is."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _LIMIT


def read_by_perfetto(pid: Scalar, tid: Scalar) -> tuple[int | str, int | str]:
    """The (pid, tid) that Perfetto makes of these; text stays text, apart from every number."""
    read_pid, read_tid = _number(pid), _number(tid)
    if read_tid == 0 and read_pid != 0:
        read_tid = read_pid
    return read_pid, read_tid


def _number(value: Scalar) -> int | str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return 0
    return int(value) if 0 <= value < _LIMIT else 0


def choose_ids(trace: Trace) -> Ids:
    """Ids that Perfetto reads as they are, each on its own; the same for the same trace."""
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
    return Ids(pids, tids, np.array(changed, np.bool_), is_metadata, repairs)


def _pids(trace: Trace, repairs: Counter[str]) -> list[Scalar]:
    def is_of_a_process(here: slice) -> NDArray[np.bool_]:
        is_one = ~is_in(trace.phase[here], b"iIR")
        is_one |= trace.bound[here] != ord("g")
        return is_one

    used = _pids_of(trace, lambda here: np.ones(here.stop - here.start, np.bool_))
    matters = _pids_of(trace, is_of_a_process)
    recorded = dict.fromkeys(pid for pid, _ in trace.tracks)
    taken = _integers(recorded) | _integers(tid for _, tid in trace.tracks)
    new: dict[Scalar, Scalar] = {}
    for pid in recorded:
        if is_read_exactly(pid) or pid not in (used if isinstance(pid, str) else matters):
            new[pid] = pid
        else:
            repairs[_kind(pid, "pids")] += 1
            new[pid] = free(_highest(recorded) + 1, taken)
    return [new[pid] for pid, _ in trace.tracks]


def _tids(
    trace: Trace, pids: list[Scalar], is_metadata: NDArray[np.bool_], repairs: Counter[str]
) -> list[Scalar]:
    taken: dict[Scalar, set[int]] = {}
    highest: dict[Scalar, int] = {}
    for pid, (_, tid) in zip(pids, trace.tracks, strict=True):
        # a tid equal to the pid is the main thread's, in use or not
        taken.setdefault(pid, _integers([pid])).update(_integers([tid]))
        highest[pid] = max(highest.get(pid, 0), *_integers([pid, tid]), 0)
    used = _used(trace, lambda here: ~is_metadata[here])
    matters = _used(trace, lambda here: ~is_metadata[here] & _is_on_thread(trace, here))
    new: list[Scalar] = []
    for i, (pid, (_, tid)) in enumerate(zip(pids, trace.tracks, strict=True)):
        is_read = matters[i] or (used[i] and isinstance(tid, str))
        if not is_read or (is_read_exactly(tid) and (tid != 0 or pid == 0)):
            new.append(tid)
        elif tid == 0:
            repairs["zero_tids"] += 1
            new.append(free(1, taken[pid]))  # stream 0 stays before the others
        else:
            repairs[_kind(tid, "tids")] += 1
            new.append(free(highest[pid] + 1, taken[pid]))
    return new


def _pids_of(trace: Trace, is_wanted: Callable[[slice], NDArray[np.bool_]]) -> set[Scalar]:
    used = _used(trace, is_wanted)
    return {pid for (pid, _), on in zip(trace.tracks, used, strict=True) if on}


def _used(trace: Trace, is_wanted: Callable[[slice], NDArray[np.bool_]]) -> list[bool]:
    """By track, whether one of the wanted events is on it, and will be written.

    Args:
        trace: the trace.
        is_wanted: which events of a range are.
    """

    def is_written_too(here: slice) -> NDArray[np.bool_]:
        is_written: NDArray[np.bool_] = trace.ts[here] != UNTIMED
        is_written |= trace.phase[here] == ord("M")
        return is_written & is_wanted(here)

    used: list[bool] = occurs_where(trace.track, len(trace.tracks), is_written_too).tolist()
    return used


def _is_on_thread(trace: Trace, here: slice) -> NDArray[np.bool_]:
    """Events that Perfetto puts on a thread; counters, say, and asynchronous spans it does not.

    Of these a number that it misreads does no harm. Text does: its thread may be taken for another.
    """
    phase = trace.phase[here]
    on_thread: NDArray[np.bool_] = is_in(phase, b"iIR") & (trace.bound[here] == 0)
    return on_thread | is_in(phase, b"XBEstfM")


def _integers(values: Iterable[Scalar]) -> set[int]:
    return {int(value) for value in values if is_read_exactly(value) and value is not None}


def _highest(values: Iterable[Scalar]) -> int:
    return max(_integers(values), default=0)


def _kind(value: Scalar, ids: str) -> str:
    if isinstance(value, str):
        return f"text_{ids}"
    if isinstance(value, int | float) and value < 0:
        return f"negative_{ids}"
    return f"other_{ids}"
