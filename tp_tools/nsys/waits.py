"""Write waits for GPUs as Kineto's cuda_sync, on rows of their own: times are those of the host."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.nsys import tables
from tp_tools.nsys.values import members

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.nsys.database import Row
    from tp_tools.nsys.recording import Recording

_KINDS = {1: "Event Sync", 2: "Stream Wait Event", 3: "Stream Sync", 4: "Context Sync"}
"""CUpti_ActivitySynchronizationType, in Kineto's words."""

_NONE = 0xFFFFFFFF
"""Stands for no stream and no event."""

_COLUMNS = [
    "start",
    "end",
    "globalPid",
    "deviceId",
    "contextId",
    "streamId",
    "correlationId",
    "syncType",
    "deprecatedSyncType",
    "eventId",
]


def wait_events(recording: Recording) -> Iterator[list[str]]:
    """Yield the waits for events, streams and contexts as JSON.

    Raises:
        InputError: the file is damaged.
    """
    for rows in recording.database.rows(tables.SYNC, _COLUMNS):
        yield [line for row in rows if (line := _event(recording, row)) is not None]


def _event(recording: Recording, row: Row) -> str | None:
    start, end, process, device, context, stream, correlation, kind, former, event = row
    times = recording.times(start, end, "wait")
    if times is None:
        return None
    layout = recording.layout
    pid = layout.gpu_pid(process, device)
    known = isinstance(stream, int) and stream != _NONE
    place = (
        layout.streams.get(layout.stream_key(process, device, context, stream)) if known else None
    )
    number = place.tid if place else stream
    name = f"waits of stream {number}" if known else "waits of the host"
    tid = layout.added_row(pid, (tables.SYNC, number if known else None), name)
    shown = _KINDS.get(kind or former, "Sync")  # that of a report of an older nsys
    args = {
        "cuda_sync_kind": shown,
        "device": place.device if place else device,
        "context": context,
        "stream": number if known else None,
        "correlation": layout.key(process, correlation) or None,
        "event_id": event if event not in {0, _NONE} else None,
    }
    recording.drawn[tables.SYNC] += 1
    return (
        f'{{"ph":"X","cat":"cuda_sync","name":"{shown}","pid":{pid},"tid":{tid},{times},'
        f'"args":{members(args)}}}'
    )
