"""Choose the processes, threads and streams of a trace for the rows of a rocpd database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from msgspec import Struct, field

from tp_tools.nsys.values import json_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.nsys.database import Database

Key: TypeAlias = tuple[Any, Any]
"""guid of a process's part of the database, and id of a row in it."""

_FREE_PID = 1_000_000_000
"""Pids from here on belong to no process of a system."""

TABLES = {
    "rocpd_info_agent": ("guid", "id", "type", "type_index"),
    "rocpd_info_process": ("guid", "id", "pid"),
    "rocpd_info_thread": ("guid", "id", "tid", "name"),
}


class Layout(Struct):
    """Who is who in the trace.

    Attributes:
        gpus: number of each GPU by its agent; agents that are no GPU are not here.
        pids: pid of each process.
        threads: tid of each thread.
        offset: what is added to ids of correlation, by process, so that no two share one.
        names: names of processes and threads, by (pid, tid or None).
    """

    gpus: dict[Key, int]
    pids: dict[Key, int]
    threads: dict[Key, tuple[int, str]]
    offset: dict[Key, int]
    names: dict[tuple[int, int | None], str] = field(default_factory=dict)
    _gpu_pids: dict[tuple[Key, int], int] = field(default_factory=dict)

    def gpu(self, process: Key, number: int) -> int:
        """Return the pid of a GPU of a process."""
        key = process, number
        if key not in self._gpu_pids:
            taken = {*self._gpu_pids.values(), *self.pids.values()}
            pid = number if number not in taken else _FREE_PID + len(taken)
            whose = f" (process {self.pids.get(process, 0)})" if len(self.pids) > 1 else ""
            self._gpu_pids[key] = pid
            self.names[pid, None] = f"GPU {number}{whose}"
        return self._gpu_pids[key]

    def stream(self, pid: int, stream: object, queue: object) -> int:
        """Return the tid of a stream of a GPU; of its queue where no stream is recorded."""
        is_stream = isinstance(stream, int)
        tid = stream if is_stream else queue
        tid = tid if isinstance(tid, int) else 0
        self.names[pid, tid] = f"{'stream' if is_stream else 'queue'} {tid}"
        return tid

    def thread(self, process: Key, thread: Key) -> tuple[int, int]:
        """Return pid and tid of a thread of the host."""
        pid = self.pids.get(process, 0)
        tid, name = self.threads.get(thread, (0, ""))
        self.names[pid, None] = f"process {pid}"
        self.names[pid, tid] = name or f"thread {tid}"
        return pid, tid

    def correlation(self, process: Key, stack: object) -> int:
        """Return the id that a call shares with what it launched; 0 for none."""
        if not isinstance(stack, int) or stack <= 0:
            return 0
        return stack + self.offset.get(process, 0)

    def events(self) -> Iterator[str]:
        """Yield the metadata that names processes and threads, as JSON."""
        for (pid, tid), name in self.names.items():
            what, row = ("process", 0) if tid is None else ("thread", tid)
            yield (
                f'{{"ph":"M","name":"{what}_name","pid":{pid},"tid":{row},"ts":0,'
                f'"args":{{"name":{json_text(name)}}}}}'
            )


def layout(database: Database) -> Layout:
    """Read who is in a database.

    Raises:
        InputError: the file is damaged.
    """
    agents, processes, threads = (database.all(table, of) for table, of in TABLES.items())
    gpus = {
        (guid, number): index if isinstance(index, int) else place
        for place, (guid, number, kind, index) in enumerate(agents)
        if kind == "GPU"
    }
    pids = {(guid, number): pid for guid, number, pid in processes if isinstance(pid, int)}
    tids = {
        (guid, number): (tid, str(name or ""))
        for guid, number, tid, name in threads
        if isinstance(tid, int)
    }
    step = 10 ** len(str(database.extreme("MAX", "rocpd_event", "stack_id") or 0))
    offset = {key: step * place for place, key in enumerate(sorted(pids, key=str))}
    return Layout(gpus, pids, tids, offset)
