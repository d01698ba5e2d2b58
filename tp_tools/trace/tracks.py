"""Tracks of a trace: names, order and kind of each (pid, tid), and ids for new ones."""

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
    """What a row without a name is called: by its recorded id, or its kind of work."""
    tid = trace.tracks[track][1]
    if tid is None or isinstance(tid, str):
        return tid or "no thread"
    cats = {trace.cats[cat] for cat in distinct(trace.cat[trace.track == track]).tolist()}
    kind = "stream" if cats & GPU_WORK else "thread"
    return f"{kind} {tid}"


def label_in(pid: Scalar) -> str | None:
    """The text id of a process, where mergers of others keep its rank: "[TP03] 0".

    It is what Perfetto shows, instead of the process's name, which is the same for every rank.
    """
    return pid if isinstance(pid, str) and pid.startswith("[") else None


def only_category(trace: Trace, pid: Scalar) -> str | None:
    """The category of all that a process holds; None if there are several."""
    tracks = [i for i, (other, _) in enumerate(trace.tracks) if other == pid]
    cats = {trace.cats[cat] for cat in distinct(trace.cat[is_in(trace.track, tracks)])} - {""}
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


ID_LIMIT = 1 << 32


PROCESS_METADATA = ("process_name", "process_labels", "process_sort_index")


def free_id(start: int, taken: set[int]) -> int:
    """The lowest number from `start` on that is not taken (from 1 on if none is left); takes it."""
    number = start
    while number in taken:
        number += 1
    if number >= ID_LIMIT:
        return free_id(1, taken)
    taken.add(number)
    return number


def process_names(trace: Trace) -> dict[Scalar, str]:
    """What processes are called, by pid, as the trace's metadata events say."""
    return {
        trace.tracks[trace.track[event]][0]: said
        for event, said in trace.metadata.items()
        if trace.names[trace.name[event]] == "process_name" and isinstance(said, str)
    }


def tracks_of(trace: Trace, cats: Collection[str]) -> list[int]:
    """Indices of the tracks that hold slices of these categories."""
    tracks = distinct(trace.track[is_phase(trace, "X") & has_category(trace, cats)])
    return [int(track) for track in tracks]


def natural_key(name: str) -> list[object]:
    """A key that sorts "rank 10" behind "rank 9"."""
    return [(part.isdigit(), int(part) if part.isdigit() else part) for part in _DIGITS.split(name)]


_DIGITS = re.compile(r"(\d+)")
