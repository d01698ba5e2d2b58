"""What the Perfetto UI does once a trace is loaded: GPU rows to the top, overlaps in a tab.

Sources: of the commands, Perfetto v52.0, docs/visualization/commands-automation-reference.md; of
what rows are called, ui/src/public/utils.ts.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tp_tools import library
from tp_tools.trace.categories import GPU_WORK
from tp_tools.trace.tracks import natural_key, process_names, thread_metadata, tracks_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from tp_tools.repair.analysis import Analysis
    from tp_tools.trace.model import Scalar

_Command: TypeAlias = "dict[str, str | tuple[str, ...]]"

MOST_PINNED = 12
"""Rows of different titles; more would leave no room for the others."""

QUERY = "overlaps"
_ANY_STREAM = r"^stream \d+\b"
_ANY_GROUP = r"^ranks \d"
_COLLECTIVES = ("collective",)
"""The category of what `tp-tools merge` adds: a row per process group, over all ranks."""


@dataclass(frozen=True)
class _Row:
    """A row worth seeing, as the UI writes it.

    Attributes:
        title: of the row.
        process: title of the group that it is in.
        weight: what is heavier is pinned where there are too many.
    """

    title: str
    process: str
    weight: int


def commands(examined: Analysis | None) -> str:
    """The commands, as the UI's key `startupCommands` takes them: JSON.

    Args:
        examined: the trace and its repair; None where the file was not looked into.
    """
    ask = _command("RunQueryAndShowTab", library.expand(library.read(library.find(QUERY))), QUERY)
    if examined is None:
        return json.dumps([_pin(_ANY_GROUP), _pin(_ANY_STREAM), ask])
    rows = [*_rows(examined, _COLLECTIVES), *_rows(examined, GPU_WORK)]
    wanted = [_pin(_exactly([title])) for title in _to_pin(rows)]
    if rows:
        expanded = _exactly(sorted({row.process for row in rows}))
        wanted.insert(0, _command("ExpandTracksByRegex", expanded, "name"))
    if examined.plan.moves or examined.plan.trims:
        wanted.append(ask)
    return json.dumps(wanted)


def _to_pin(rows: list[_Row]) -> list[str]:
    """Titles of the heaviest rows, in the order of the rows; ranks may have rows of one title."""
    weight = Counter[str]()
    for row in rows:
        weight[row.title] += row.weight
    heaviest = {title for title, _ in weight.most_common(MOST_PINNED)}
    return [title for title in weight if title in heaviest]


def _rows(examined: Analysis, cats: Collection[str]) -> Iterator[_Row]:
    """The rows of the repaired trace that hold slices of these categories, with their lanes."""
    trace, plan = examined.trace, examined.plan
    threads, _ = thread_metadata(trace)
    added: dict[tuple[Scalar, Scalar], str] = {
        (pid, tid): name for key, pid, tid, name in plan.names if key == "thread_name"
    }
    processes = process_names(trace)
    ids = {track: (plan.ids.pids[track], plan.ids.tids[track]) for track in tracks_of(trace, cats)}
    for track, (pid, tid) in sorted(ids.items(), key=lambda item: natural_key(str(item[1]))):
        recorded = processes.get(trace.tracks[track][0])
        process = f"{recorded} {pid}" if recorded else f"Process {pid}"
        name = threads.get(track) or added.get((pid, tid))
        weight = int(np.maximum(trace.dur[trace.track == track], 0).sum())
        yield _Row(f"{name} {tid}" if name else f"Thread {tid}", process, weight)
        for lane in plan.lanes.values():
            if lane.track == track:
                yield _Row(f"{lane.name} {lane.tid}", process, weight)


def _pin(pattern: str) -> _Command:
    return _command("PinTracksByRegex", pattern, "name")


def _exactly(titles: Iterable[str]) -> str:
    """A regular expression of JavaScript for these titles."""
    return f"^({'|'.join(map(re.escape, titles))})$"


def _command(name: str, *args: str) -> _Command:
    """Versions that know only the first argument leave the others alone."""
    return {"id": f"dev.perfetto.{name}", "args": args}
