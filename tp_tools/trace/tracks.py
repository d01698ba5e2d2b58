"""Name and order the tracks of a trace, its (pid, tid) pairs, and find free ids for new ones."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tp_tools.columns import distinct, is_in
from tp_tools.trace.categories import GPU_WORK, has_category
from tp_tools.trace.model import is_phase

if TYPE_CHECKING:
    from collections.abc import Collection

    from tp_tools.trace.model import Scalar, Trace


def default_name(trace: Trace, track: int) -> str:
    """Return the name for a track without one: its text id, or "stream 7" or "thread 7".

    Args:
        trace: the trace.
        track: index in Trace.tracks.
    """
    tid = trace.tracks[track][1]
    if tid is None or isinstance(tid, str):
        return tid or "no thread"
    cats = {trace.cats[cat] for cat in distinct(trace.cat[trace.track == track]).tolist()}
    kind = "stream" if cats & GPU_WORK else "thread"
    return f"{kind} {tid}"


def label_in(pid: Scalar) -> str | None:
    """Return the pid if other tools' merges put the rank into it, for example "[TP03] 0".

    The pid is then written as the name of the process, since the recorded name is the same for all
    ranks.
    """
    return pid if isinstance(pid, str) and pid.startswith("[") else None


def only_category(trace: Trace, pid: Scalar) -> str | None:
    """Return the category that all events of a process have; None if there are several."""
    tracks = [i for i, (other, _) in enumerate(trace.tracks) if other == pid]
    cats = {trace.cats[cat] for cat in distinct(trace.cat[is_in(trace.track, tracks)])} - {""}
    return cats.pop() if len(cats) == 1 else None


def thread_metadata(trace: Trace) -> tuple[dict[int, str], dict[int, int]]:
    """Return names and sort indices of threads by track, from the trace's metadata events."""
    names: dict[int, str] = {}
    indices: dict[int, int] = {}
    for event, value in trace.metadata.items():
        key, track = trace.names[trace.name[event]], int(trace.track[event])
        if key == "thread_name" and isinstance(value, str):
            names[track] = value
        elif key == "thread_sort_index" and isinstance(value, int):
            indices[track] = value
    return names, indices


ID_LIMIT = 1 << 32
"""Perfetto's JSON importer keeps ids below this."""


PROCESS_METADATA = ("process_name", "process_labels", "process_sort_index")
"""Names of metadata events that describe a process."""


def free_id(start: int, taken: set[int]) -> int:
    """Return the lowest id from `start` on that is not taken, and add it to `taken`.

    Args:
        start: lowest id to try; ids from 1 on are tried if none is left below ID_LIMIT.
        taken: ids in use.
    """
    number = start
    while number in taken:
        number += 1
    if number >= ID_LIMIT:
        return free_id(1, taken)
    taken.add(number)
    return number


def process_names(trace: Trace) -> dict[Scalar, str]:
    """Return the names of processes by pid, from the trace's metadata events."""
    return {
        trace.tracks[trace.track[event]][0]: name
        for event, name in trace.metadata.items()
        if trace.names[trace.name[event]] == "process_name" and isinstance(name, str)
    }


def tracks_of(trace: Trace, cats: Collection[str]) -> list[int]:
    """Return the indices of the tracks that hold X events of these categories, ascending."""
    tracks = distinct(trace.track[is_phase(trace, "X") & has_category(trace, cats)])
    return [int(track) for track in tracks]


def natural_key(name: str) -> list[object]:
    """Return a sort key that puts "rank 10" after "rank 9"."""
    parts = enumerate(_DIGITS.split(name))
    return [(len(part.lstrip("0")), part.lstrip("0")) if i % 2 else part for i, part in parts]


_DIGITS = re.compile(r"(\d+)")
