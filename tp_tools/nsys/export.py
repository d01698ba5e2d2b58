"""Read an export of Nsight Systems as the text of a Kineto trace, block by block.

The order is fixed: head, GPU work, calls, annotations, names, notes. So it is the same text each
time, and may be read as often as a file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from tp_tools.nsys import tables
from tp_tools.nsys.beginnings import Beginning
from tp_tools.nsys.database import opened
from tp_tools.nsys.devices import multiprocessors, properties
from tp_tools.nsys.facts import read_facts
from tp_tools.nsys.gpu import gpu_events
from tp_tools.nsys.host import call_events, system_events
from tp_tools.nsys.launches import find_launches
from tp_tools.nsys.layout import layout
from tp_tools.nsys.naming import name_events
from tp_tools.nsys.notes import notes
from tp_tools.nsys.nvtx import nvtx_events
from tp_tools.nsys.payloads import Payloads
from tp_tools.nsys.recording import Recording
from tp_tools.nsys.values import event_blocks, json_text
from tp_tools.nsys.waits import wait_events

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tp_tools.nsys.database import Database
    from tp_tools.nsys.facts import Facts


class ExportRanks(Struct, frozen=True):
    """The ranks that an export holds.

    Attributes:
        of: the rank of each process that uses a GPU, by its globalPid; none unless there are
            several.
        note: the line that they were counted, since the export does not state them; "" if it does.
        others: the processes that use no GPU, where there are ranks.
    """

    of: dict[int, int]
    note: str = ""
    others: list[str] = field(default_factory=list)


def is_export(path: Path, name: str) -> bool:
    """Tell by its tables whether an SQLite database is an export of Nsight Systems.

    Args:
        path: the file.
        name: its name in messages.

    Raises:
        InputError: it cannot be read.
    """
    with opened(path, name) as database:
        return tables.is_of_nsight(database.columns)


def read_text(path: Path, name: str) -> Generator[bytes]:
    """Yield the text of the trace that an export holds.

    Args:
        path: the SQLite database.
        name: its name in messages.

    Returns:
        Blocks of Chrome JSON, some hundred kilobytes each.

    Raises:
        InputError: the file is damaged, locked, or of an unknown version.
    """
    with opened(path, name) as database:
        yield from _text(database, read_facts(database))


def beginning(path: Path, name: str) -> Beginning:
    """Return what an export tells before its events, without reading these.

    Args:
        path: the SQLite database.
        name: its name in messages.

    Raises:
        InputError: the file is damaged, locked, or of an unknown version.
    """
    with opened(path, name) as database:
        head = _head(read_facts(database), len(_busy_processes(database)), properties(database))
        return Beginning(
            head.encode(), database.holds(tables.GPU_WORK), database.holds(tables.DRAWN)
        )


def ranks(path: Path, name: str) -> ExportRanks:
    """Find the ranks of an export that recorded several processes.

    Args:
        path: the SQLite database.
        name: its name in messages.

    Raises:
        InputError: the file is damaged, locked, or of an unknown version.
    """
    with opened(path, name) as database:
        read_facts(database)
        found = layout(database)
    of = {process: host.rank for process, host in found.hosts.items() if host.rank is not None}
    others = [
        f"{host.name or 'process'} ({host.real_pid})"
        for host in found.hosts.values()
        if of
        if host.rank is None
    ]
    return ExportRanks(of, found.counted, others)


def read_rank(path: Path, name: str, process: int, rank: int) -> Generator[bytes]:
    """Yield the text of the trace of one of several ranks, as `read_text` does.

    Args:
        path: the SQLite database.
        name: its name in messages.
        process: the globalPid of the rank's process.
        rank: its number.

    Raises:
        InputError: the file is damaged, locked, or of an unknown version.
    """
    with opened(path, name) as database:
        others = [it for it in _busy_processes(database) if it not in {None, process}]
        database.narrow(process, others, shared=[tables.DIAGNOSTIC])
        yield from _text(database, replace(read_facts(database), rank=rank, world_size=None))


def _text(database: Database, facts: Facts) -> Iterator[bytes]:
    gpus = properties(database)
    # first of all, since many readers want no more than the beginning
    yield _head(facts, len(_busy_processes(database)), gpus).encode()
    found = layout(database)
    recording = Recording(
        database,
        found,
        find_launches(database, found),
        _strings(database),
        facts.shift_ns,
        Payloads(database),
    )
    yield from event_blocks(_event_lines(recording, gpus))
    yield f'\n],"exportNotes":{json_text(notes(recording, facts))}}}\n'.encode()


def _event_lines(recording: Recording, gpus: list[dict[str, Any]]) -> Iterator[list[str]]:
    numbers = {key[:2]: stream.device for key, stream in recording.layout.streams.items()}
    yield from gpu_events(recording, multiprocessors(recording.database, gpus, numbers))
    yield from wait_events(recording)
    yield from call_events(recording)
    yield from nvtx_events(recording)
    yield from system_events(recording)
    yield list(name_events(recording))


def _strings(database: Database) -> dict[int, str]:
    """Return the strings by their ids."""
    return {
        key: value
        for rows in database.rows(tables.STRINGS, ["id", "value"])
        for key, value in rows
        if isinstance(value, str)
    }


def _busy_processes(database: Database) -> set[object]:
    """Return the globalPids of processes that use GPUs; None where one is not recorded."""
    rows = (database.all(table, ["globalPid"], distinct=True) for table in tables.GPU_WORK)
    return {process for found in rows for (process,) in found}


def _head(facts: Facts, processes: int, gpus: list[dict[str, Any]]) -> str:
    """Return the text before the events, with the members of Kineto that the export knows."""
    head: dict[str, Any] = {"deviceProperties": gpus}
    if facts.rank is not None and processes < 2:  # noqa: PLR2004  else it is one of several
        head["distributedInfo"] = {"rank": facts.rank}
        if facts.world_size is not None:
            head["distributedInfo"]["world_size"] = facts.world_size
    if facts.host:
        head["host_name"] = facts.host
    head["nsys"] = {"product": facts.product, "schema": facts.schema, "processes": processes}
    head["displayTimeUnit"] = "ms"
    if facts.base_ns is not None:
        head["baseTimeNanoseconds"] = facts.base_ns
    return json_text(head)[:-1] + ',"traceEvents":[\n'
