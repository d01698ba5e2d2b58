"""Read a folder of Parquet files, one a table, which `nsys export --type parquetdir` writes.

Tables and columns have the names that they have in an SQLite export. So they are copied into a
database for the reader of these: of tables that become no events, times alone, to be counted.
"""

from __future__ import annotations

import errno
import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any

from tp_tools.errors import InputError, UsageError
from tp_tools.nsys import tables
from tp_tools.nsys.database import ROWS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUFFIX = ".parquet"
_SETTINGS = "PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF"  # the file is a temporary one


def is_parquet_folder(folder: Path) -> bool:
    """Tell by the names of its files whether a folder is an export of Nsight Systems."""
    return tables.is_of_nsight(file.stem for file in folder.glob(f"*{_SUFFIX}"))


def write_database(folder: Path, path: Path, name: str) -> None:
    """Copy the tables of a folder into an SQLite database.

    Args:
        folder: holds them.
        path: the database, an empty file.
        name: name of the folder in messages.

    Raises:
        UsageError: pyarrow is not installed.
        InputError: a file is damaged, or cannot be read.
        OSError: there is no room for the database.
    """
    try:
        from pyarrow import parquet  # noqa: PLC0415  an extra
    except ImportError as error:
        raise UsageError(
            f"{name}: is an export as Parquet, which needs pyarrow: pip install pyarrow."
        ) from error
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.executescript(_SETTINGS)
        for file in sorted(folder.glob(f"*{_SUFFIX}")):
            with _reading(f"{name}: its table {file.name}"):
                stored = parquet.ParquetFile(file)
                with closing(stored):
                    _copy(connection, file.stem, stored)


@contextmanager
def _reading(what: str) -> Iterator[None]:
    """Turn errors of pyarrow, and of a full disk, into ones that say what to do."""
    try:
        yield
    except sqlite3.OperationalError as error:  # of writing: the database is new
        raise OSError(errno.ENOSPC, str(error)) from error
    except (ValueError, OSError) as error:  # what pyarrow raises is of these
        reason = " ".join(str(error).split())
        raise InputError(
            f"{what} cannot be read ({reason}). Export it again: "
            "nsys export --type parquetdir REPORT.nsys-rep."
        ) from error


def _copy(connection: sqlite3.Connection, table: str, stored: Any) -> None:  # noqa: ANN401  pyarrow
    """Copy a table."""
    is_read = table in tables.READ
    columns = [it for it in stored.schema_arrow.names if is_read or it in tables.TIMES]
    if not columns:
        return
    quoted = ['"' + name.replace('"', '""') + '"' for name in (table, *columns)]
    connection.execute(f"CREATE TABLE {quoted[0]} ({', '.join(quoted[1:])})")
    marks = ", ".join("?" * len(columns))
    insert = f"INSERT INTO {quoted[0]} VALUES ({marks})"  # noqa: S608  quoted
    connection.execute("BEGIN")
    for batch in stored.iter_batches(ROWS, columns=columns):
        values = (map(_value, column.to_pylist()) for column in batch.columns)
        connection.executemany(insert, zip(*values, strict=True))
    connection.execute("COMMIT")


def _value(value: object) -> object:
    """Return a value as an SQLite export has it: numbers of 64 bits with a sign."""
    if isinstance(value, int):
        return value - (1 << 64) if value >= 1 << 63 else value
    return value if value is None or isinstance(value, str | bytes | float) else str(value)
