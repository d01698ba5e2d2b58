"""Keep the rows that parts of a job give of tables, and load those of all into one engine.

Parts are windows of time or ranks. Slices get ids in the order that they have in the whole job; so
do processes and what modules number themselves in the order of ranks, of which the type says so:
JOINID(tpt_step.seq). Tracks are not told apart. So rows of several parts can be joined as those of
one trace.
"""

from __future__ import annotations

import re
from collections import defaultdict
from itertools import chain, count, islice
from typing import TYPE_CHECKING, Any

import msgspec

from tp_tools import engine, library
from tp_tools.engine import query_rows, rows
from tp_tools.errors import InputError
from tp_tools.querying.part_ids import SliceNumbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
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
_NUMBER = re.compile(r"JOINID\((tpt_\w+)\.(\w+)\)")
_NO_TRACE = b'{"traceEvents":[]}'


class PartRows:
    """The rows of the tables that queries read of some modules, over all parts of a job."""

    def __init__(self, queries: Sequence[str], modules: Sequence[str], folder: Path) -> None:
        """Start without rows.

        Args:
            queries: the SQL of the queries.
            modules: names of modules.
            folder: gets the rows; it lasts as long as this object.

        Raises:
            InputError: a module makes no tables.
        """
        self._modules = modules
        self._included = "".join(f"INCLUDE PERFETTO MODULE {name};\n" for name in modules)
        self._tables = library.tables_read(queries, modules)
        self._folder = folder
        self._files: dict[str, list[Path]] = {table.name: [] for table in self._tables}
        self._first = defaultdict[str, int](int)
        """The first number of the next part, by type."""

        self._slices = SliceNumbers()
        self._start_ns: int | None = None

    def add_window(self, tp: Processor, since: int | None) -> None:
        """Add the rows of a window of time, in the order of time.

        Args:
            tp: the window.
            since: its start, ns in the trace; None is open. Rows about slices that began before it
                are those of an earlier window.

        Raises:
            InputError: a column has numbers that windows do not have in order.
        """
        first_id = self._first[_SLICE]
        for table in self._tables:
            self._keep(
                table, query_rows(tp, self._included + _of_window(table, first_id, since)).rows
            )
        self._start_ns = tp.start_ns
        self._first[_SLICE] += rows(tp, "SELECT IFNULL(MAX(id) + 1, 0) FROM slice")[0][0]

    def add_rank(self, tp: Processor) -> None:
        """Add the rows of a rank, in the order of ranks.

        Args:
            tp: the rank by itself.
        """
        ids = set[int]()
        for table in self._tables:
            found = query_rows(tp, self._included + _of_rank(table, self._first)).rows
            self._keep(table, found)
            for place in _places(table):
                ids.update(row[place] for row in found if row[place] is not None)
        self._slices.note(ids, rows(tp, "SELECT ts, dur FROM slice ORDER BY id"))
        self._start_ns = tp.start_ns
        types = {of_type for table in self._tables for _, of_type in table.columns}
        for of_type in types:
            if number := _NUMBER.fullmatch(of_type):
                last = f"SELECT IFNULL(MAX({number[2]}), 0) FROM {number[1]}"  # noqa: S608  names of the library
                self._first[of_type] += rows(tp, last)[0][0]
        self._first[_PROCESS] += rows(tp, "SELECT IFNULL(MAX(upid) + 1, 0) FROM process")[0][0]

    def loaded(self, how: LoadOptions, most: int = ROWS, terms: int = TERMS) -> Processor:
        """Load the rows of all parts into a TraceProcessor, which the caller closes.

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
        numbers = self._slices.numbers()
        try:
            for table in self._tables:
                _make(tp, table, self._all(table, numbers), most, terms)
            tp.set_library(library.without(self._modules))
            tp.is_partial, tp.start_ns = True, self._start_ns
        except BaseException:
            tp.close()
            raise
        return tp

    def _keep(self, table: Table, found: list[tuple[Any, ...]]) -> None:
        """Write the rows of a part to a file."""
        files = self._files[table.name]
        file = self._folder / f"{table.name}.{len(files)}"
        file.write_bytes(msgspec.msgpack.encode(found))
        files.append(file)

    def _all(self, table: Table, numbers: Sequence[Mapping[int, int]]) -> Iterator[tuple[Any, ...]]:
        """Yield the rows of a table; what is about nothing of a part stands in several, alike.

        Args:
            table: the table.
            numbers: of parts that are ranks the numbers of slices by their ids.
        """
        read = (msgspec.msgpack.decode(it.read_bytes()) for it in self._files[table.name])
        if numbers and (places := _places(table)):
            read = (
                _numbered(part, places, of_part)
                for part, of_part in zip(read, numbers, strict=True)
            )
        every = map(tuple, chain.from_iterable(read))
        is_of_part = any(of_type.startswith("JOINID") for _, of_type in table.columns)
        return every if is_of_part else iter(dict.fromkeys(every))


def _places(table: Table) -> list[int]:
    """Return the places of columns with ids of slices."""
    return [place for place, (_, of_type) in enumerate(table.columns) if of_type == _SLICE]


def _numbered(
    part: list[list[Any]], places: Sequence[int], numbers: Mapping[int, int]
) -> list[list[Any]]:
    """Put numbers in place of ids; NULL stays."""
    for row in part:
        for place in places:
            row[place] = numbers.get(row[place])
    return part


def _is_by_id(table: Table) -> bool:
    """Tell whether a table has a slice in each row, and is in the order of these."""
    return table.columns[0] == (_ID, _SLICE)


def _of_window(table: Table, first_id: int, since: int | None) -> str:
    """Write the SELECT of a window's rows.

    Args:
        table: the table.
        first_id: id of the window's first slice in the whole job.
        since: as for `PartRows.add_window`.

    Raises:
        InputError: a column has numbers that windows do not have in order.
    """
    cells = list[str]()
    for name, of_type in table.columns:
        if of_type == _SLICE:
            cells.append(f"it.{name} + {first_id} AS {name}")
        elif of_type == _PROCESS:
            cells.append(f"(SELECT pid FROM process WHERE upid = it.{name}) AS {name}")  # noqa: S608
        elif of_type == _TRACK:
            cells.append(f"NULL AS {name}")
        elif of_type.startswith("JOINID"):
            raise InputError(f"windows of time cannot give {name}, a {of_type}.")
        else:
            cells.append(f"it.{name}")
    select = f"SELECT {', '.join(cells)} FROM {table.name} AS it"  # noqa: S608  names of the library
    if not _is_by_id(table):
        return select
    began = "TRUE" if since is None else f"slice.ts >= {since}"
    return f"{select} CROSS JOIN slice USING ({_ID}) WHERE {began} ORDER BY it.{_ID}"


def _of_rank(table: Table, first: Mapping[str, int]) -> str:
    """Write the SELECT of a rank's rows; slices have their ids in its trace.

    Args:
        table: the table.
        first: the rank's first number in the whole job, by type.
    """
    cells = [
        f"NULL AS {name}"
        if of_type == _TRACK
        else f"it.{name} + {first[of_type]} AS {name}"
        if of_type == _PROCESS or _NUMBER.fullmatch(of_type)
        else f"it.{name}"
        for name, of_type in table.columns
    ]
    return f"SELECT {', '.join(cells)} FROM {table.name} AS it"  # noqa: S608  names of the library


def _make(
    tp: Processor, table: Table, given: Iterator[tuple[Any, ...]], most: int, terms: int
) -> None:
    """Make a table of rows; see `PartRows.loaded`."""
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
        _unite(tp, table.schema(), [*many, *few], f" ORDER BY {_ID}" if _is_by_id(table) else "")
    else:
        nothing = ", ".join(f"NULL AS {name}" for name in names)
        rows(tp, f"CREATE PERFETTO TABLE {table.schema()} AS SELECT {nothing} WHERE FALSE")


def _unite(tp: Processor, name: str, parts: Sequence[str], order: str = "") -> None:
    """Make a table of the rows of several, in this order; drop those."""
    every = " UNION ALL ".join(f"SELECT * FROM {part}" for part in parts)  # noqa: S608
    rows(tp, f"CREATE PERFETTO TABLE {name} AS SELECT * FROM ({every}){order}")  # noqa: S608
    for part in parts:
        rows(tp, f"DROP TABLE {part}")


def _literal(value: object) -> str:
    """Write a value as SQL."""
    if value is None:
        return "NULL"
    if isinstance(value, str):
        return "'" + value.replace("'", "''") + "'"
    return repr(value)
