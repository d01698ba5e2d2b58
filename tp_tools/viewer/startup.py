"""Make the startup commands of the Perfetto UI: pin GPU tracks, list overlaps in a tab.

Sources, Perfetto v52.0: docs/visualization/commands-automation-reference.md for the commands,
ui/src/public/utils.ts for the titles of tracks.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from msgspec import Struct

from tp_tools import library
from tp_tools.trace.categories import GPU_WORK
from tp_tools.trace.tracks import natural_key, process_names, thread_metadata, tracks_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tp_tools.repair import Analysis
    from tp_tools.trace.model import Scalar

_Command: TypeAlias = "dict[str, str | tuple[str, ...]]"

MAX_PINNED = 12
"""Titles of tracks that are pinned at most; more would cover the other tracks."""

TITLE = "overlaps"
TAB = "overlaps_tab"
MOST_EVENTS = 25_000
"""Events of a trace on which the query runs by itself; on others a button runs it. It takes 0.25 s
of CPU time on 24,656 events (vLLM on a B200) and 3.2 s on 239,093. It may take a second on opening:
in Chromium on two quiet cores it takes 0.3 s, and 0.51 to 0.56 s with the wait for the tracks that
are drawn."""

LATER = "later"
"""Key of a command that view.js gives a button instead of running it: the text of that button."""

_ANY_STREAM = r"^(rank \d+ · )?stream \d+\b"
_OF_A_RANK = r"^rank \d+ · (.*) \d+$"
_ANY_GROUP = r"^ranks \d"
_COLLECTIVES = ("collective",)
"""The category of slices that `tp-tools merge` adds: a track per process group, over all ranks."""


class _Track(Struct, frozen=True):
    """A track to be shown.

    Attributes:
        title: title of the track in the UI: "stream 7 7".
        process: title of its process in the UI: "python3 0".
        weight: sum of its durations in ns; the heaviest tracks are pinned.
    """

    title: str
    process: str
    weight: int


def commands(analysis: Analysis | None, most_events: int = MOST_EVENTS) -> str:
    """Make the value of the UI's key `startupCommands`.

    Args:
        analysis: the trace and its repair; None if the file was not analyzed: tracks are then
            pinned by patterns, and no query runs, since nobody knows how long it would take.
        most_events: events of a trace on which the query of overlaps runs by itself; on others a
            button does.

    Returns:
        A JSON list of commands; those with a member `LATER` are for view.js.
    """
    if analysis is None:
        return json.dumps([_pin(_ANY_GROUP), _pin(_ANY_STREAM)])
    tracks = [*_tracks(analysis, _COLLECTIVES), *_tracks(analysis, GPU_WORK)]
    result = [_pin(_match_titles([title])) for title in _titles_to_pin(tracks)]
    if tracks:
        processes = _match_titles(sorted({track.process for track in tracks}))
        result.insert(0, _command("ExpandTracksByRegex", processes, "name"))
    if is_overlapping(analysis):
        script = library.expand(library.read(library.check(TAB)))
        command = _command("RunQueryAndShowTab", script, TITLE)
        later = {} if len(analysis.trace) <= most_events else {LATER: "Overlaps"}
        result.append({**command, **later})
    return json.dumps(result)


def is_overlapping(analysis: Analysis) -> bool:
    """Tell whether slices of the trace overlapped."""
    return bool(analysis.plan.moves or analysis.plan.trims)


def _titles_to_pin(tracks: list[_Track]) -> list[str]:
    """Return the titles of the heaviest tracks, in the order of tracks.

    Tracks of several ranks may share a title; the UI pins them all, so their weights add up. A
    stream is pinned of all ranks or of none, unless the heaviest alone are too many.
    """
    weight, alike = Counter[str](), dict[str, Counter[str]]()
    for track in tracks:
        same = re.sub(_OF_A_RANK, r"\1", track.title)
        weight[same] += track.weight
        alike.setdefault(same, Counter())[track.title] += track.weight
    pinned = set[str]()
    for same, _ in weight.most_common():
        room = MAX_PINNED - len(pinned)
        if not pinned or len(alike[same]) <= room:
            pinned.update(title for title, _ in alike[same].most_common(room))
    return [title for title in dict.fromkeys(track.title for track in tracks) if title in pinned]


def _tracks(analysis: Analysis, cats: Collection[str]) -> Iterator[_Track]:
    """Yield the tracks of the repaired trace with slices of these categories, and their lanes."""
    trace, plan = analysis.trace, analysis.plan
    threads, _ = thread_metadata(trace)
    added: dict[tuple[Scalar, Scalar], str] = {
        (pid, tid): name for key, pid, tid, name in plan.names if key == "thread_name"
    }
    processes = process_names(trace)
    for event, name in plan.process_names.items():
        processes[trace.tracks[trace.track[event]][0]] = name
    given: dict[Scalar, str] = {
        pid: name for key, pid, _, name in plan.names if key == "process_name"
    }
    ids = {track: (plan.ids.pids[track], plan.ids.tids[track]) for track in tracks_of(trace, cats)}
    for track, (pid, tid) in sorted(ids.items(), key=lambda item: natural_key(str(item[1]))):
        of_process = processes.get(trace.tracks[track][0]) or given.get(pid)
        process = f"{of_process} {pid}" if of_process else f"Process {pid}"
        thread = threads.get(track) or added.get((pid, tid))
        weight = int(np.maximum(trace.dur[trace.track == track], 0).sum())
        yield _Track(f"{thread} {tid}" if thread else f"Thread {tid}", process, weight)
        for lane in plan.lanes.values():
            if lane.track == track:
                yield _Track(f"{lane.name} {lane.tid}", process, weight)


def _pin(pattern: str) -> _Command:
    return _command("PinTracksByRegex", pattern, "name")


def _match_titles(titles: Iterable[str]) -> str:
    """Make a JavaScript regular expression that matches exactly these titles."""
    return f"^({'|'.join(map(re.escape, titles))})$"


def _command(name: str, *args: str) -> _Command:
    """Make a command; versions of the UI that take one argument ignore the others."""
    return {"id": f"dev.perfetto.{name}", "args": args}
