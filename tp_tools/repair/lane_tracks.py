"""Rows that are new in a repaired trace: lanes for moved slices, and names for rows without one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import is_in, met, met_where
from tp_tools.repair.ids import free

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.repair.ids import Ids
    from tp_tools.trace.model import Scalar, Trace


@dataclass(frozen=True)
class Lane:
    """A row of its own for moved slices.

    Attributes:
        track: index in Trace.tracks of the row that it belongs to.
        number: from 2; the row itself is 1.
        pid, tid: the ids of its thread.
        name: what its thread is called, "stream 7 (2)".
        sort_index: where the viewer puts it; None where the row has no place of its own either.
    """

    track: int
    number: int
    pid: int
    tid: int
    name: str
    sort_index: int | None


def make_lanes(trace: Trace, wanted: set[tuple[int, int]], ids: Ids) -> dict[tuple[int, int], Lane]:
    """Thread ids just above the row's, since viewers before v57 sort threads by tid."""
    names, indices = thread_metadata(trace)
    taken: dict[object, set[int]] = {}
    for pid, tid in zip(ids.pids, ids.tids, strict=True):
        taken.setdefault(pid, {_int(pid)}).add(_int(tid))
    lanes = {}
    for track, number in sorted(wanted):
        pid, tid = ids.pids[track], _int(ids.tids[track])
        name = names.get(track) or default_name(trace, track)
        lanes[track, number] = Lane(
            track,
            number,
            _int(pid),
            free(tid + 1, taken[pid]),
            f"{name.strip()} ({number})",
            indices.get(track),
        )
    return lanes


def _int(value: object) -> int:
    """An id that is in use is an integer by now; others stand for none."""
    return value if isinstance(value, int) else 0


def default_name(trace: Trace, track: int) -> str:
    """What a row without a name is called: by its recorded id, or its kind of work."""
    tid = trace.tracks[track][1]
    if tid is None or isinstance(tid, str):
        return tid or "no thread"
    cats = {trace.cats[cat] for cat in met(trace.cat[trace.track == track]).tolist()}
    kind = "stream" if cats & {"kernel", "gpu_memcpy", "gpu_memset"} else "thread"
    return f"{kind} {tid}"


def make_names(trace: Trace, ids: Ids, split: set[int]) -> Iterator[tuple[str, int, int, str]]:
    """Names for nameless rows that have lanes, and for changed ids: what was recorded as the id."""
    threads, _ = thread_metadata(trace)
    named = {
        trace.tracks[trace.track[event]][0]
        for event in trace.metadata
        if trace.names[trace.name[event]] == "process_name"
    }
    used = met_where(trace.track, len(trace.tracks), lambda here: ~ids.is_process_metadata[here])
    for track in np.flatnonzero(used).tolist():
        (pid, tid), new_pid, new_tid = trace.tracks[track], ids.pids[track], ids.tids[track]
        if new_pid != pid and pid not in named:
            named.add(pid)
            yield "process_name", _int(new_pid), _int(new_tid), _process_label(trace, pid)
        if (new_tid != tid or track in split) and track not in threads:
            yield "thread_name", _int(new_pid), _int(new_tid), default_name(trace, track)


def label_in(pid: Scalar) -> str | None:
    """The text id of a process, where mergers of others keep its rank: "[TP03] 0".

    It is what Perfetto shows, instead of the process's name, which is the same for every rank.
    """
    return pid if isinstance(pid, str) and pid.startswith("[") else None


def _process_label(trace: Trace, pid: Scalar) -> str:
    """What was recorded as its id, or what it does: Kineto writes its own overhead as pid -1."""
    if isinstance(pid, str):
        return pid or "no process"
    return f"{only_category(trace, pid) or 'process'} {pid}"


def only_category(trace: Trace, pid: Scalar) -> str | None:
    """The category of all that a process holds; None if there are several."""
    tracks = [i for i, (other, _) in enumerate(trace.tracks) if other == pid]
    cats = {trace.cats[cat] for cat in met(trace.cat[is_in(trace.track, tracks)])} - {""}
    return cats.pop() if len(cats) == 1 else None


def thread_metadata(trace: Trace) -> tuple[dict[int, str], dict[int, int]]:
    """Names and sort indices of threads by track, as the trace's metadata events say."""
    names: dict[int, str] = {}
    indices: dict[int, int] = {}
    for event, value in trace.metadata.items():
        key, track = trace.names[trace.name[event]], int(trace.track[event])
        if key == "thread_name" and isinstance(value, str):
            names[track] = value
        elif key == "thread_sort_index" and isinstance(value, int):
            indices[track] = value
    return names, indices
