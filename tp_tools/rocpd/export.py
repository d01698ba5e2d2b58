"""Read a rocpd database as the text of a Kineto trace, block by block.

Source: rocpd_tables.sql and data_views.sql of ROCm's rocprofiler-sdk, schema 3. An event's stack_id
is the internal correlation id of rocprofiler, which a dispatch shares with the call behind it.

The `pftrace` that `rocpd convert` writes moves the ends of kernels that overlap to the middle of
the overlap. The times here are those of the database.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

from tp_tools.errors import InputError
from tp_tools.nsys.beginnings import Beginning
from tp_tools.nsys.database import opened
from tp_tools.nsys.recording import arrow
from tp_tools.nsys.values import event_blocks, json_text, members, microseconds
from tp_tools.rocpd.devices import properties
from tp_tools.rocpd.layout import layout

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator
    from pathlib import Path

    from tp_tools.nsys.database import Database, Row
    from tp_tools.rocpd.layout import Key, Layout

KERNELS, COPIES, CALLS = "rocpd_kernel_dispatch", "rocpd_memory_copy", "rocpd_region"
LEFT_OUT = {
    "rocpd_sample": "samples",
    "rocpd_pmc_event": "values of counters",
    "rocpd_memory_allocate": "allocations of memory",
}
_MAJOR = "3"
_KILLED = " [clone .kd]"
_WORKGROUP = ["workgroup_size_x", "workgroup_size_y", "workgroup_size_z"]
_GRID = ["grid_size_x", "grid_size_y", "grid_size_z"]
_PLACE = ["guid", "pid", "start", "end"]
_COLUMNS = {
    KERNELS: [
        *_PLACE,
        "agent_id",
        "stream_id",
        "queue_id",
        "kernel_id",
        "dispatch_id",
        "group_segment_size",
        *_GRID,
        *_WORKGROUP,
    ],
    COPIES: [
        *_PLACE,
        "dst_agent_id",
        "src_agent_id",
        "stream_id",
        "queue_id",
        "name_id",
        "size",
    ],
    CALLS: [*_PLACE, "tid", "name_id"],
}
_CATEGORIES = (
    ("HIP", "cuda_runtime"),
    ("HSA", "cuda_driver"),
    ("MARKER", "user_annotation"),
    ("RCCL", "user_annotation"),
)
"""Begin of a category of rocprofiler, and what Kineto calls such events of ROCm."""


class _Reading(Struct):
    """A database that is being read.

    Attributes:
        database: the database.
        layout: its processes and streams.
        strings, symbols: texts, and names of kernels, by guid and id.
        launched: ids of correlation of GPU work.
        called: those of calls.
        left_out: rows that became no events, by what they are.
    """

    database: Database
    layout: Layout
    strings: dict[Key, str]
    symbols: dict[Key, str]
    launched: set[int] = field(default_factory=set)
    called: set[int] = field(default_factory=set)
    left_out: Counter[str] = field(default_factory=Counter)

    def times(self, row: Row, what: str) -> str | None:
        """Return `"ts":...,"dur":...`; None, and count it, where the times are no times."""
        start, end = row[2], row[3]
        if not isinstance(start, int) or not isinstance(end, int) or not 0 <= start <= end:
            self.left_out[f"{what} without times"] += 1
            return None
        return f'"ts":{microseconds(start)},"dur":{microseconds(end - start)}'

    def key(self, row: Row) -> int:
        """Return the id of correlation of a row, whose event stands last in it."""
        return self.layout.correlation(row[:2], row[-1])


def is_export(path: Path, name: str) -> bool:
    """Tell by its tables whether an SQLite database is one of rocprofv3.

    Raises:
        InputError: it cannot be read.
    """
    with opened(path, name) as database:
        return any(table.startswith("rocpd_") for table in database.columns)


def beginning(path: Path, name: str) -> Beginning:
    """Return what a database tells before its events, without reading these.

    Args:
        path: the SQLite database.
        name: its name in messages.

    Raises:
        InputError: the file is damaged, locked, or of an unknown version.
    """
    with opened(path, name) as database:
        head = _head(database)
        return Beginning(head, database.holds((KERNELS, COPIES)), database.holds(_COLUMNS))


def read_text(path: Path, name: str) -> Generator[bytes]:
    """Yield the text of the trace that a database holds.

    Args:
        path: the SQLite database.
        name: its name in messages.

    Returns:
        Blocks of Chrome JSON, some hundred kilobytes each.

    Raises:
        InputError: the file is damaged, locked, or of an unknown version.
    """
    with opened(path, name) as database:
        yield _head(database)
        reading = _Reading(
            database,
            layout(database),
            _texts(database, "rocpd_string", "string"),
            _texts(database, "rocpd_info_kernel_symbol", "display_name"),
        )
        reading.launched = _keys(reading, KERNELS) | _keys(reading, COPIES)
        reading.called = _keys(reading, CALLS)
        yield from event_blocks(_lines(reading))
        yield f'\n],"exportNotes":{json_text(list(_notes(reading)))}}}\n'.encode()


def _head(database: Database) -> bytes:
    """Return the text before the events.

    Raises:
        InputError: the tables are of an unknown version.
    """
    head = {
        "rocpd": {"schema": _checked_schema(database)},
        "deviceProperties": properties(database),
        "displayTimeUnit": "ms",
    }
    return (json_text(head)[:-1] + ',"traceEvents":[\n').encode()


def _checked_schema(database: Database) -> str:
    rows = database.all("rocpd_metadata", ["tag", "value"])
    schema = next((str(value) for tag, value in rows if tag == "schema_version"), "")
    known = all(database.has(table, *of) for table, of in _COLUMNS.items())
    if schema.partition(".")[0] != _MAJOR or not known:
        raise InputError(
            f"{database.name}: its tables are of an unknown version (schema {schema or 'none'}). "
            "tp-tools reads rocpd databases of ROCm 7, schema 3."
        )
    return schema


def _texts(database: Database, table: str, column: str) -> dict[Key, str]:
    return {
        (guid, number): text.removesuffix(_KILLED)
        for rows in database.rows(table, ["guid", "id", column])
        for guid, number, text in rows
        if isinstance(text, str)
    }


def _rows(database: Database, table: str) -> Iterator[list[Row]]:
    """Yield rows of a table, with category and stack_id of their event behind their columns."""
    return database.joined(
        table, _COLUMNS[table], "rocpd_event", ["category_id", "stack_id"], "event_id"
    )


def _keys(reading: _Reading, table: str) -> set[int]:
    found = {reading.key(row) for rows in _rows(reading.database, table) for row in rows}
    return found - {0}


def _lines(reading: _Reading) -> Iterator[list[str]]:
    for table, write in ((KERNELS, _kernel), (COPIES, _copy), (CALLS, _call)):
        for rows in _rows(reading.database, table):
            yield [line for row in rows for line in write(reading, row)]
    yield list(reading.layout.events())


def _kernel(reading: _Reading, row: Row) -> Iterator[str]:
    guid, pid, _, _, agent, stream, queue, kernel, dispatch, shared = row[:10]
    grid, block = row[10:13], row[13:16]
    number = reading.layout.gpus.get((guid, agent), 0)
    args: dict[str, Any] = {"kind": "Dispatch Kernel", "dispatch": dispatch}
    if all(isinstance(it, int) and it > 0 for it in (*grid, *block)):
        args["grid"] = [-(-size // of) for size, of in zip(grid, block, strict=True)]
        args["block"] = list(block)
    args["shared memory"] = shared
    name = reading.symbols.get((guid, kernel), "kernel")
    yield from _work(reading, row, ("kernel", name), ((guid, pid), number, stream, queue), args)


def _copy(reading: _Reading, row: Row) -> Iterator[str]:
    guid, pid, start, end, target, source, stream, queue, name_id, size = row[:10]
    gpus = reading.layout.gpus
    ends = [(guid, it) in gpus for it in (source, target)]
    number = gpus.get((guid, target), gpus.get((guid, source), 0))
    way = "to".join("D" if is_gpu else "H" for is_gpu in ends)
    kinds = " -> ".join("Device" if is_gpu else "Host" for is_gpu in ends)
    args: dict[str, Any] = {"bytes": size, "operation": reading.strings.get((guid, name_id))}
    if isinstance(size, int) and isinstance(start, int) and isinstance(end, int) and end > start:
        args["memory bandwidth (GB/s)"] = size / (end - start)
    what = "gpu_memcpy", f"Memcpy {way} ({kinds})"
    yield from _work(reading, row, what, ((guid, pid), number, stream, queue), args)


def _work(
    reading: _Reading,
    row: Row,
    what: tuple[str, str],
    place: tuple[Key, int, object, object],
    args: dict[str, Any],
) -> Iterator[str]:
    """Yield a piece of GPU work, and the end of its arrow."""
    times = reading.times(row, what[0])
    if times is None:
        return
    process, number, stream, queue = place
    pid = reading.layout.gpu(process, number)
    tid = reading.layout.stream(pid, stream, queue)
    key = reading.key(row)
    args = {"device": number, "stream": tid, "queue": queue, "correlation": key or None} | args
    yield (
        f'{{"ph":"X","cat":"{what[0]}","name":{json_text(what[1])},"pid":{pid},"tid":{tid},{times},'
        f'"args":{members(args)}}}'
    )
    if key in reading.called:
        yield arrow(key, pid, tid, f'"ts":{microseconds(row[2])}', is_start=False)


def _call(reading: _Reading, row: Row) -> Iterator[str]:
    guid, process, _, _, thread, name_id, category_id, _ = row
    times = reading.times(row, "call")
    if times is None:
        return
    category = reading.strings.get((guid, category_id), "")
    cat = next((it for begin, it in _CATEGORIES if category.startswith(begin)), "rocpd")
    pid, tid = reading.layout.thread((guid, process), (guid, thread))
    key = reading.key(row)
    args = {"correlation": key or None, "category": category or None}
    name = reading.strings.get((guid, name_id), "call")
    yield (
        f'{{"ph":"X","cat":"{cat}","name":{json_text(name)},"pid":{pid},"tid":{tid},{times},'
        f'"args":{members(args)}}}'
    )
    if key in reading.launched:
        reading.launched.discard(key)  # the first call of an id is where its arrows begin
        yield arrow(key, pid, tid, f'"ts":{microseconds(row[2])}', is_start=True)


def _notes(reading: _Reading) -> Iterator[str]:
    counts = [
        f"{count:,} {what}"
        for table, what in LEFT_OUT.items()
        if (count := reading.database.count(table))
    ]
    if counts:
        yield f"Not shown: {', '.join(counts)}."
    lacking = [f"{what} ({count:,})" for what, count in sorted(reading.left_out.items())]
    if lacking:
        yield f"Left out: {', '.join(lacking)}."
