"""Choose the processes, threads and streams of a trace for the rows of an export.

As in a trace of Kineto, a GPU is a process whose pid is its number, and a stream is a thread of it.
A process of the host keeps its pid. Where numbers clash, the later one gets another, and its name
says which it had.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from tp_tools.nsys import tables
from tp_tools.nsys.devices import gpu_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.nsys.database import Database

StreamKey: TypeAlias = tuple[int, int, int, int]
"""globalPid, deviceId, contextId and streamId; -1 for a context or stream that is not recorded."""

_FREE_PID = 1_000_000_000
_FREE_TID = 1_000_000_000
"""Pids and tids from here on belong to no process or thread of a system."""

_CORRELATIONS = 1 << 48
"""Ids of correlation are below: those of CUPTI have 32 bits, and with it those of 9,000 processes
are apart in 64."""


class Host(Struct, frozen=True):
    """A process of the host.

    Attributes:
        pid: its pid in the trace.
        real_pid: its pid in the export.
        name: name of its program; "" where the export has none.
        rank: its rank where several processes use GPUs, else None.
        offset: what is added to its correlation ids, so that no two processes share one.
    """

    pid: int
    real_pid: int
    name: str
    rank: int | None = None
    offset: int = 0


class Stream(Struct, frozen=True):
    """A stream as a thread of a GPU.

    Attributes:
        pid: of its GPU in the trace.
        tid: in the trace.
        device: number of its GPU.
        name: of the thread: "stream 7".
    """

    pid: int
    tid: int
    device: int
    name: str


class Layout(Struct):
    """Who is who in the trace.

    Attributes:
        hosts: processes by globalPid.
        streams: threads of GPUs by the key of their stream.
        names: names of processes and threads for GPUs and added rows, by (pid, tid or None).
        gpus: pids of GPUs, by globalPid and deviceId.
        notes: lines on choices that nothing in the export says.
        counted: the line that ranks were counted; "" where the export states them, or has none.
        sole: globalPid of the one process that calls CUDA, whose all work is that names no process;
            0 where there are several, or none.
    """

    hosts: dict[int, Host] = field(default_factory=dict)
    streams: dict[StreamKey, Stream] = field(default_factory=dict)
    names: dict[tuple[int, int | None], str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    gpus: dict[tuple[int, int], int] = field(default_factory=dict)
    counted: str = ""
    sole: int = 0
    _next_tid: int = _FREE_TID
    _added: dict[tuple[int, object], int] = field(default_factory=dict)

    def host(self, global_pid: int) -> Host:
        """Return a process of the host; one that no table named is added."""
        if global_pid not in self.hosts:
            pid = tables.process_id(global_pid)
            if any(pid == host.pid for host in self.hosts.values()):
                pid = _FREE_PID + len(self.hosts)
            self.hosts[global_pid] = Host(pid, tables.process_id(global_pid), "")
        return self.hosts[global_pid]

    def key(self, process: object, correlation: object) -> int:
        """Return the correlation id of a process as one that is unique in the trace; 0 for none.

        Args:
            process: its globalPid, or a globalTid of it.
            correlation: the id; no number, 0 or less, or more than 48 bits for none.
        """
        if not isinstance(correlation, int) or not 0 < correlation < _CORRELATIONS:
            return 0
        owner = tables.process_of(process) if isinstance(process, int) else self.sole
        return correlation + self.host(owner).offset

    def stream_key(
        self, process: object, device: object, context: object, stream: object
    ) -> StreamKey:
        """Return the key of a stream; 0 and -1 stand for numbers that are not recorded."""
        return (
            process if isinstance(process, int) else self.sole,
            device if isinstance(device, int) else 0,
            context if isinstance(context, int) else -1,
            stream if isinstance(stream, int) else -1,
        )

    def gpu_pid(self, process: object, device: object) -> int:
        """Return the pid of a GPU; that of the process where no work on that GPU is recorded."""
        owner, number, _, _ = self.stream_key(process, device, None, None)
        if (owner, number) in self.gpus:
            return self.gpus[owner, number]
        return self.host(owner).pid

    def added_row(self, pid: int, key: object, name: str) -> int:
        """Return the tid of a row that is no thread; the first call for its key adds it."""
        if (pid, key) not in self._added:
            self._added[pid, key] = self._next_tid
            self.names[pid, self._next_tid] = name
            self._next_tid += 1
        return self._added[pid, key]


def layout(database: Database) -> Layout:
    """Read which processes, GPUs and streams the tables name, and choose their numbers.

    Raises:
        InputError: the file is damaged.
    """
    found = Layout(sole=_sole_caller(database))
    keys = _stream_keys(database, found)
    busy = sorted({key[0] for key in keys})
    threads = {
        tid
        for table in tables.ON_THREADS
        for (tid,) in database.all(table, ["globalTid"], distinct=True)
        if isinstance(tid, int)
    }
    processes = sorted({*busy, *map(tables.process_of, threads)})
    numbers = gpu_numbers(database, sorted({key[:2] for key in keys}), found.notes)
    ranks = _ranks(database, busy)
    if ranks is None:
        ranks = _counted_ranks(busy, numbers)
        found.counted = (
            f"{len(busy)} processes use GPUs, and the export does not state a rank of each: they "
            "are counted in the order of their GPUs."
        )
        found.notes.append(found.counted)
    step = _correlation_step(database)
    program = _programs(database)
    for place, process in enumerate(processes):
        plain = found.host(process)
        offset = step * place if len(processes) > 1 else 0
        name = program.get(process, "")
        found.hosts[process] = Host(plain.pid, plain.real_pid, name, ranks.get(process), offset)
    _place_streams(found, keys, numbers)
    return found


def _sole_caller(database: Database) -> int:
    """Return the globalPid of the one process that calls CUDA; 0 where it is not one."""
    threads = database.all(tables.API, ["globalTid"], distinct=True)
    found = {tables.process_of(tid) for (tid,) in threads if isinstance(tid, int)}
    return found.pop() if len(found) == 1 else 0


def _stream_keys(database: Database, found: Layout) -> list[StreamKey]:
    columns = ["globalPid", "deviceId", "contextId", "streamId"]
    return sorted(
        {
            found.stream_key(*row)
            for table in tables.GPU_WORK
            for row in database.all(table, columns, distinct=True)
        }
    )


def _programs(database: Database) -> dict[int, str]:
    rows = database.all(tables.PROCESSES, ["globalPid", "name"])
    return {process: name for process, name in rows if isinstance(name, str)}


def _correlation_step(database: Database) -> int:
    """Return a power of ten above all correlation ids: ids of the n-th process grow by n of it."""
    highest = max(
        database.extreme("MAX", table, "correlationId") or 0
        for table in (tables.API, *tables.GPU_WORK)
    )
    return int(10 ** len(str(min(highest, _CORRELATIONS))))


def _ranks(database: Database, busy: list[int]) -> dict[int, int] | None:
    """Return the ranks of processes that use GPUs, if there are several.

    None if the export does not state another one for each.
    """
    if len(busy) < 2:  # noqa: PLR2004  one process is no job
        return {}
    rows = database.all(tables.MPI_RANKS, ["globalTid", "rank"])
    stated = {
        tables.process_of(tid): rank
        for tid, rank in rows
        if isinstance(tid, int) and isinstance(rank, int) and rank >= 0
    }
    found = {process: stated[process] for process in busy if process in stated}
    return found if len(set(found.values())) == len(busy) else None


def _counted_ranks(busy: list[int], numbers: dict[tuple[int, int], int]) -> dict[int, int]:
    """Return ranks for processes in the order of their GPUs."""
    first = {
        process: min(number for (owner, _), number in numbers.items() if owner == process)
        for process in busy
    }
    return {
        process: rank for rank, process in enumerate(sorted(busy, key=lambda it: (first[it], it)))
    }


def _place_streams(
    found: Layout, keys: Iterable[StreamKey], numbers: dict[tuple[int, int], int]
) -> None:
    """Give each GPU of each process a pid, and each of its streams a tid."""
    pids = found.gpus
    taken = {host.pid for host in found.hosts.values()}
    shared = len({process for process, _ in numbers}) > len(set(numbers.values()))
    for key in keys:
        process, device, context, stream = key
        number = numbers[process, device]
        host = found.hosts[process]
        if (process, device) not in pids:
            pid = number if number not in taken else _FREE_PID + len(taken)
            taken.add(pid)
            pids[process, device] = pid
            whose = f" ({host.name or 'process'} {host.real_pid})" if shared else ""
            rank = "" if host.rank is None else f"rank {host.rank} "
            found.names[pid, None] = f"{rank}GPU {number}{whose}"
        pid = pids[process, device]
        name = "no stream" if stream < 0 else f"stream {stream}"
        tid = stream
        if stream < 0 or (pid, tid) in found.names or stream >= _FREE_TID:
            name = f"{name} (context {context})"
            tid = found.added_row(pid, key, name)
        found.names[pid, tid] = name
        found.streams[key] = Stream(pid, tid, number, name)
