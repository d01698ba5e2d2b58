"""Keep the rows that windows of time give of tables, and load those of all into one engine.

Slices get ids in the order that they have in the whole job, processes their pids as ids; tracks are
not told apart. So rows of several windows can be joined as those of one trace.
"""

from __future__ import annotations

from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any

import msgspec

from tp_tools import engine, library
from tp_tools.engine import query_rows, rows
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tp_tools.engine.processor import Processor
    from tp_tools.library import Table
    from tp_tools.querying.trace_loader import LoadOptions

ROWS = 1000
"""Rows of a statement; at 200 bytes of text each, so that it takes little memory to read."""

TERMS = 100
"""Tables that a SELECT unites; SQLite takes 500."""

_ID = "id"
_SLICE, _PROCESS, _TRACK = "JOINID(slice.id)", "JOINID(process.id)", "JOINID(track.id)"
_NO_TRACE = b'{"traceEvents":[]}'


class WindowRows:
    """The rows of the tables that some modules make, over all windows of a job."""

    def __init__(self, modules: Sequence[str], folder: Path) -> None:
        """Start without rows.

        Args:
            modules: names of modules.
            folder: gets the rows; it lasts as long as this object.

        Raises:
            InputError: a module makes no tables.
        """
        self._modules = modules
        self._tables = list(chain.from_iterable(map(library.tables, modules)))
        self._folder = folder
        self._files: dict[str, list[Path]] = {table.name: [] for table in self._tables}
        self._first_id = 0
        self._start_ns: int | None = None

    def add(self, tp: Processor, since: int | None) -> None:
        """Add the rows of a window, in the order of time.

        Args:
            tp: the window.
            since: its start, ns in the trace; None is open. Rows about slices that began before it
                are those of an earlier window.
        """
        included = "".join(f"INCLUDE PERFETTO MODULE {name};\n" for name in self._modules)
        for table in self._tables:
            found = query_rows(tp, f"{included}{_select(table, self._first_id, since)};").rows
            files = self._files[table.name]
            file = self._folder / f"{table.name}.{len(files)}"
            file.write_bytes(msgspec.msgpack.encode(found))
            files.append(file)
        self._start_ns = tp.start_ns
        self._first_id += rows(tp, "SELECT IFNULL(MAX(id) + 1, 0) FROM slice")[0][0]

    def loaded(self, how: LoadOptions, most: int = ROWS, terms: int = TERMS) -> Processor:
        """Load the rows of all windows into a TraceProcessor, which the caller closes.

        Args:
            how: options of loading.
            most: rows of a statement.
            terms: tables that a SELECT unites.

        Raises:
            EngineError: TraceProcessor failed.
        """
        size = sum(file.stat().st_size for files in self._files.values() for file in files)
        tp = engine.load(
            iter([_NO_TRACE]),
            source="the job",
            engine=how.engine,
            size=size,
            memory_limit=how.memory,
        )
        try:
            for table in self._tables:
                _make(tp, table, self._all(table), most, terms)
            tp.set_library(library.without(self._modules))
            tp.is_partial, tp.start_ns = True, self._start_ns
        except BaseException:
            tp.close()
            raise
        return tp

    def _all(self, table: Table) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table; what is about no slice stands in several windows, alike."""
        read = (msgspec.msgpack.decode(it.read_bytes()) for it in self._files[table.name])
        every = map(tuple, chain.from_iterable(read))
        return every if _has_id(table) else iter(dict.fromkeys(every))


def _has_id(table: Table) -> bool:
    return (_ID, _SLICE) in table.columns


def _select(table: Table, first_id: int, since: int | None) -> str:
    """Write the SELECT of a window's rows.

    Args:
        table: the table.
        first_id: id of the window's first slice in the whole job.
        since: as for `WindowRows.add`.

    Raises:
        InputError: a column has ids of something else.
    """
    cells = ", ".join(_cell(name, of_type, first_id) for name, of_type in table.columns)
    if not _has_id(table):
        return f"SELECT {cells} FROM {table.name} AS it"  # noqa: S608  names of the library
    began = "TRUE" if since is None else f"slice.ts >= {since}"
    return (
        f"SELECT {cells} FROM {table.name} AS it CROSS JOIN slice USING ({_ID}) "  # noqa: S608
        f"WHERE {began} ORDER BY it.{_ID}"
    )


def _cell(name: str, of_type: str, first_id: int) -> str:
    if of_type == _SLICE:
        return f"it.{name} + {first_id} AS {name}"
    if of_type == _PROCESS:
        return f"(SELECT pid FROM process WHERE upid = it.{name}) AS {name}"  # noqa: S608
    if of_type == _TRACK:
        return f"NULL AS {name}"
    if of_type.startswith("JOINID"):
        raise InputError(f"windows of time cannot give {name}, an {of_type}.")
    return f"it.{name}"


def _make(
    tp: Processor, table: Table, given: Iterator[tuple[Any, ...]], most: int, terms: int
) -> None:
    """Make a table of rows; see `WindowRows.loaded`."""
    names = [name for name, _ in table.columns]
    columns = ", ".join(f"column{place} AS {name}" for place, name in enumerate(names, 1))
    few, many, numbers = list[str](), list[str](), count()
    while part := list(islice(given, most)):
        values = ", ".join(f"({', '.join(map(_literal, row))})" for row in part)
        few.append(f"{table.name}_{next(numbers)}")
        select = f"SELECT {columns} FROM (VALUES {values})"  # noqa: S608  values are literals
        rows(tp, f"CREATE PERFETTO TABLE {few[-1]} AS {select}")
        if len(few) == terms:
            many.append(f"{table.name}_{next(numbers)}")
            _unite(tp, many[-1], few)
            few = []
    if few or many:
        _unite(tp, table.schema(), [*many, *few])
    else:
        nothing = ", ".join(f"NULL AS {name}" for name in names)
        rows(tp, f"CREATE PERFETTO TABLE {table.schema()} AS SELECT {nothing} WHERE FALSE")


def _unite(tp: Processor, name: str, parts: Sequence[str]) -> None:
    """Make a table of the rows of several, in this order; drop those."""
    every = " UNION ALL ".join(f"SELECT * FROM {part}" for part in parts)  # noqa: S608
    rows(tp, f"CREATE PERFETTO TABLE {name} AS {every}")
    for part in parts:
        rows(tp, f"DROP TABLE {part}")


def _literal(value: object) -> str:
    """Write a value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
