"""Write the names of processes and threads, as Kineto's metadata events have them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.nsys import tables
from tp_tools.nsys.values import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.nsys.recording import Recording

_GPU_SORT = 5_000_000
"""Kineto's process_sort_index of GPU 0: GPUs stand below the host."""


def name_events(recording: Recording) -> Iterator[str]:
    """Yield the metadata events of all processes and threads that have events."""
    layout = recording.layout
    for host in layout.hosts.values():
        yield _named("process_name", host.pid, 0, _host_name(host.rank, host.name, host.real_pid))
        yield _labelled(host.pid, "CPU")
    gpus = {stream.pid: stream.device for stream in layout.streams.values()}
    for (pid, tid), name in layout.names.items():
        if tid is None:
            yield _named("process_name", pid, 0, name)
            yield _labelled(pid, f"GPU {gpus[pid]}")
            yield _sorted("process_sort_index", pid, 0, _GPU_SORT + gpus[pid])
        else:
            yield _named("thread_name", pid, tid, name)
    for stream in layout.streams.values():
        yield _sorted("thread_sort_index", stream.pid, stream.tid, stream.tid)
    names = _thread_names(recording)
    for thread in sorted(recording.threads):
        pid, tid = recording.thread(thread)
        yield _named("thread_name", pid, tid, _thread_name(tid, names.get(thread)))


def _host_name(rank: int | None, name: str, pid: int) -> str:
    if rank is None:
        return name or f"process {pid}"
    return f"rank {rank} {name or 'process'} ({pid})"


def _thread_name(tid: int, name: str | None) -> str:
    return f"thread {tid} ({name})" if name else f"thread {tid}"


def _thread_names(recording: Recording) -> dict[int, str]:
    """Return the name of each thread; of several that of the lowest priority number.

    Names that programs gave their threads have 10, those of the system 20 (seen in exports).
    """
    rows = recording.database.all(tables.THREAD_NAMES, ["globalTid", "priority", "nameId"])
    ordered = sorted(
        (row for row in rows if isinstance(row[0], int)),
        key=lambda row: row[1] if isinstance(row[1], int) else 0,
        reverse=True,
    )
    return {
        thread: recording.strings[name] for thread, _, name in ordered if name in recording.strings
    }


def _named(kind: str, pid: int, tid: int, name: str) -> str:
    return _metadata(kind, pid, tid, f'"name":{json_text(name)}')


def _labelled(pid: int, label: str) -> str:
    return _metadata("process_labels", pid, 0, f'"labels":{json_text(label)}')


def _sorted(kind: str, pid: int, tid: int, index: int) -> str:
    return _metadata(kind, pid, tid, f'"sort_index":{index}')


def _metadata(kind: str, pid: int, tid: int, member: str) -> str:
    return f'{{"ph":"M","name":"{kind}","pid":{pid},"tid":{tid},"ts":0,"args":{{{member}}}}}'
