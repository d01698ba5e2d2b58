"""Rows that are new in a repaired trace: lanes for moved slices, and names for rows without one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import occurs_where
from tp_tools.trace.plan import Lane
from tp_tools.trace.tracks import default_name, free_id, only_category, thread_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.trace.model import Scalar, Trace
    from tp_tools.trace.plan import Ids


def make_lanes(trace: Trace, wanted: set[tuple[int, int]], ids: Ids) -> dict[tuple[int, int], Lane]:
    """Thread ids just above the row's, since viewers before v57 sort threads by tid."""
    names, indices = thread_metadata(trace)
    taken: dict[object, set[int]] = {}
    for pid, tid in zip(ids.pids, ids.tids, strict=True):
        taken.setdefault(pid, {_int(pid)}).add(_int(tid))
    lanes = {}
    behind: dict[int, int] = {}  # all ids from the row's own up to there are taken
    for track, number in sorted(wanted):
        pid, tid = ids.pids[track], _int(ids.tids[track])
        name = names.get(track) or default_name(trace, track)
        own = free_id(behind.get(track, tid + 1), taken[pid])
        behind[track] = own + 1
        lanes[track, number] = Lane(
            track,
            number,
            _int(pid),
            own,
            f"{name.strip()} ({number})",
            indices.get(track),
        )
    return lanes


def _int(value: object) -> int:
    """An id that is in use is an integer by now; others stand for none."""
    return value if isinstance(value, int) else 0


def make_names(trace: Trace, ids: Ids, split: set[int]) -> Iterator[tuple[str, int, int, str]]:
    """Names for nameless rows that have lanes, and for changed ids: what was recorded as the id."""
    threads, _ = thread_metadata(trace)
    named = {
        trace.tracks[trace.track[event]][0]
        for event in trace.metadata
        if trace.names[trace.name[event]] == "process_name"
    }
    used = occurs_where(trace.track, len(trace.tracks), lambda here: ~ids.is_process_metadata[here])
    for track in np.flatnonzero(used).tolist():
        (pid, tid), new_pid, new_tid = trace.tracks[track], ids.pids[track], ids.tids[track]
        if new_pid != pid and pid not in named:
            named.add(pid)
            yield "process_name", _int(new_pid), _int(new_tid), _process_label(trace, pid)
        if (new_tid != tid or track in split) and track not in threads:
            yield "thread_name", _int(new_pid), _int(new_tid), default_name(trace, track)


def _process_label(trace: Trace, pid: Scalar) -> str:
    """What was recorded as its id, or what it does: Kineto writes its own overhead as pid -1."""
    if isinstance(pid, str):
        return pid or "no process"
    return f"{only_category(trace, pid) or 'process'} {pid}"
