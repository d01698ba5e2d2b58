"""Write what threads of the host did: calls of CUDA and of the system, overhead of the profiler."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tp_tools.nsys import tables
from tp_tools.nsys.recording import arrow
from tp_tools.nsys.values import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.nsys.database import Row
    from tp_tools.nsys.recording import Recording

_VERSION = re.compile(r"_v\d+$")
_CATEGORIES = {None: "cuda_runtime", 0: "cuda_runtime", 1: "cuda_driver"}
_OTHER_CALL = "library_call"
"""Category of calls of EGL, cuDNN, cuBLAS and others that stand in the table of CUDA calls."""


def call_events(recording: Recording) -> Iterator[list[str]]:
    """Yield the calls of the CUDA runtime and driver as JSON, and the starts of their arrows.

    Raises:
        InputError: the file is damaged.
    """
    columns = ["start", "end", "globalTid", "correlationId", "eventClass", "nameId", "returnValue"]
    names = _call_names(recording)
    for rows in recording.database.rows(tables.API, columns):
        yield list(_calls(recording, rows, names))


def _call_names(recording: Recording) -> dict[int, str]:
    """Return the JSON text of the names of calls, without their versions, by id."""
    used = {name for (name,) in recording.database.all(tables.API, ["nameId"], distinct=True)}
    return {
        key: json_text(_VERSION.sub("", recording.strings[key]))
        for key in used & recording.strings.keys()
    }


def _calls(recording: Recording, rows: list[Row], names: dict[int, str]) -> Iterator[str]:
    keys = [recording.layout.key(row[2], row[3]) for row in rows]
    starts = [row[0] if isinstance(row[0], int) else -1 for row in rows]
    launch = recording.launches.begin(keys, starts).tolist()
    for row, key, is_launch in zip(rows, keys, launch, strict=True):
        start, end, thread, correlation, kind, name, result = row
        times = recording.times(start, end, "CUDA call")
        if times is None or recording.lacks_thread(thread, "CUDA call"):
            continue
        pid, tid = recording.thread(thread)
        args = []
        if key:
            args.append(f'"correlation":{key}')
        if key != correlation and key:
            args.append(f'"nsys correlation":{correlation}')
        if result:
            args.append(f'"return value":{json_text(result)}')
        yield (
            f'{{"ph":"X","cat":"{_CATEGORIES.get(kind, _OTHER_CALL)}",'
            f'"name":{names.get(name, _UNNAMED)},"pid":{pid},"tid":{tid},{times},'
            f'"args":{{{",".join(args)}}}}}'
        )
        if is_launch:
            yield arrow(key, pid, tid, recording.moment(start), is_start=True)
        recording.drawn[tables.API] += 1


_UNNAMED = '"CUDA call"'


def system_events(recording: Recording) -> Iterator[list[str]]:
    """Yield the calls of the C library, and the overhead of the profiler, as JSON.

    Overhead has rows of its own: it may begin and end within calls.

    Raises:
        InputError: the file is damaged.
    """
    for table, category, added in (
        (tables.OS_CALLS, "os_runtime", ""),
        (tables.OVERHEAD, "overhead", "CUPTI overhead"),
        (tables.PROFILER_OVERHEAD, "overhead", "profiler overhead"),
    ):
        for rows in recording.database.rows(table, ["start", "end", "globalTid", "nameId"]):
            lines = []
            for start, end, thread, name in rows:
                times = recording.times(start, end, category)
                if times is None or recording.lacks_thread(thread, category):
                    continue
                pid, tid = recording.thread(thread)
                if added:
                    tid = recording.layout.added_row(pid, (table, tid), f"{added} {tid}")
                lines.append(
                    f'{{"ph":"X","cat":"{category}","name":{recording.name(name, category)},'
                    f'"pid":{pid},"tid":{tid},{times}}}'
                )
                recording.drawn[table] += 1
            yield lines
