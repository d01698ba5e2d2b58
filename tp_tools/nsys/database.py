"""Read tables of an SQLite export whose tables and columns depend on version and recording."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING, Any, TypeAlias

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from pathlib import Path

Row: TypeAlias = "tuple[Any, ...]"

MAGIC = b"SQLite format 3\0"
"""The first bytes of an SQLite database (sqlite.org/fileformat.html)."""

_VERSIONS, _LOGGED = slice(18, 20), b"\2\2"
"""Place of the versions of its format in the header, and those of write-ahead mode."""

THREADS = (1 << 24) - 1
"""A globalTid is the globalPid of its process, whose last 24 bits are 0, and the thread id."""

ROWS = 4096
"""Rows that are handled at a time."""

_BUSY_S = 5.0  # until a database that another program writes is given up
_AGAIN = "Copy it again, or export it again (nsys export --type sqlite REPORT.nsys-rep)."


class Database:
    """An SQLite export, open for reading.

    Attributes:
        name: its name in messages.
        columns: the columns of each table, as the file has them.
    """

    def __init__(self, connection: sqlite3.Connection, name: str) -> None:
        self.name = name
        self._connection = connection
        self.columns = {table: self._columns_of(table) for table in self._tables()}

    def _tables(self) -> list[str]:
        sql = "SELECT name FROM sqlite_master WHERE type IN ('table', 'view') ORDER BY name"
        return [name for (name,) in self._connection.execute(sql)]

    def _columns_of(self, table: str) -> frozenset[str]:
        sql = "SELECT name FROM pragma_table_info(?)"
        return frozenset(name for (name,) in self._connection.execute(sql, (table,)))

    def narrow(
        self, process: int, others: Collection[object], shared: Collection[str] = ()
    ) -> None:
        """Hide the rows of other processes from now on.

        Args:
            process: its globalPid.
            others: globalPids of those whose rows are hidden in the shared tables, too.
            shared: tables whose other rows stay: those of no process, and of the profiler itself.
        """
        theirs = ", ".join(map(str, others))
        for table, columns in self.columns.items():
            column = next((it for it in ("globalTid", "globalPid") if it in columns), None)
            if column is None:
                continue
            # views of the temporary schema are found before the tables of the file
            self._connection.execute(
                f'CREATE TEMP VIEW "{table}" AS SELECT * FROM main."{table}" '  # noqa: S608
                + (
                    f'WHERE "{column}" IS NULL OR "{column}" & {~THREADS} NOT IN ({theirs})'
                    if table in shared
                    else f'WHERE "{column}" BETWEEN {process} AND {process + THREADS}'
                )
            )

    def has(self, table: str, *columns: str) -> bool:
        """Tell whether there is a table with these columns."""
        return table in self.columns and self.columns[table].issuperset(columns)

    def rows(
        self,
        table: str,
        columns: Sequence[str],
        *,
        distinct: bool = False,
        only: tuple[str, Sequence[int]] | None = None,
    ) -> Iterator[list[Row]]:
        """Yield the rows of a table in their order, some thousand at a time.

        Args:
            table: its name; no rows if there is none.
            columns: names of columns; NULL for those that it lacks.
            distinct: whether to leave out rows that are equal to others.
            only: a column, and the values that it has in the rows to read.

        Raises:
            InputError: the file is damaged.
        """
        if table not in self.columns:
            return
        chosen = ", ".join(self._column(table, column) for column in columns)
        sql = f'SELECT {"DISTINCT " * distinct}{chosen} FROM "{table}"'  # noqa: S608  names of ours
        column, values = only or ("", ())
        if only:
            sql += f" WHERE {self._column(table, column)} IN ({', '.join('?' * len(values))})"
        with reading(self.name), closing(self._connection.execute(sql, values)) as cursor:
            while rows := cursor.fetchmany(ROWS):
                yield rows

    def joined(
        self, table: str, columns: Sequence[str], other: str, more: Sequence[str], key: str
    ) -> Iterator[list[Row]]:
        """Yield the rows of a table with columns of another, some thousand at a time.

        Args:
            table: its name; no rows if there is none.
            columns: names of its columns.
            other: the other table, whose `guid` and `id` rows name.
            more: names of columns of that one; NULL where no row of it is named.
            key: the column that names the `id`.

        Raises:
            InputError: the file is damaged.
        """
        if table not in self.columns or other not in self.columns:
            return
        chosen = [f'one."{it}"' for it in columns] + [f'other."{it}"' for it in more]
        sql = (
            f'SELECT {", ".join(chosen)} FROM "{table}" AS one LEFT JOIN "{other}" AS other '  # noqa: S608  names of ours
            f'ON other.id = one."{key}" AND other.guid = one.guid ORDER BY one.id'
        )
        with reading(self.name), closing(self._connection.execute(sql)) as cursor:
            while rows := cursor.fetchmany(ROWS):
                yield rows

    def all(self, table: str, columns: Sequence[str], *, distinct: bool = False) -> list[Row]:
        """Return the rows of a small table, as `rows` gives them."""
        return [row for rows in self.rows(table, columns, distinct=distinct) for row in rows]

    def named(self, table: str, name: str) -> list[Any]:
        """Return what a table of names and values holds by a name, and read no other value.

        Raises:
            InputError: the file is damaged.
        """
        if not self.has(table, "name", "value"):
            return []
        sql = f'SELECT value FROM "{table}" WHERE name = ?'  # noqa: S608  names of ours
        with reading(self.name):
            return [value for (value,) in self._connection.execute(sql, (name,))]

    def extreme(self, function: str, table: str, column: str) -> int | None:
        """Return MIN or MAX of a column; None where there is no value."""
        if not self.has(table, column):
            return None
        sql = f'SELECT {function}("{column}") FROM "{table}"'  # noqa: S608  names of ours
        with reading(self.name):
            [(value,)] = self._connection.execute(sql)
        return value if isinstance(value, int) else None

    def holds(self, names: Iterable[str]) -> bool:
        """Tell whether one of some tables has a row."""
        there = [name for name in names if name in self.columns]
        with reading(self.name):
            return any(
                self._connection.execute(f'SELECT 1 FROM "{name}" LIMIT 1').fetchone()  # noqa: S608
                for name in there
            )

    def count(self, table: str) -> int:
        """Return the number of rows; 0 where there is no such table."""
        if table not in self.columns:
            return 0
        with reading(self.name):
            [(count,)] = self._connection.execute(f'SELECT COUNT(*) FROM "{table}"')  # noqa: S608
        return int(count)

    def _column(self, table: str, column: str) -> str:
        return f'"{column}"' if column in self.columns[table] else "NULL"


@contextmanager
def opened(path: Path, name: str) -> Iterator[Database]:
    """Open a database read-only; text that is no UTF-8 is read with replacement characters.

    Args:
        path: the file.
        name: its name in messages.

    Raises:
        InputError: it cannot be read, or is locked.
    """
    address = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' * _is_closed_log(path)}"
    with reading(name):
        # blocks of a trace are read on a thread ahead of their consumer, which may close them
        connection = sqlite3.connect(address, timeout=_BUSY_S, check_same_thread=False, uri=True)
    with closing(connection):
        connection.text_factory = _text
        with reading(name):
            database = Database(connection, name)
        yield database


def _is_closed_log(path: Path) -> bool:
    """Tell whether a database of write-ahead mode is closed: no log with changes lies beside it.

    SQLite makes such a log, and an index of it, whenever it opens one for reading; not if it is
    told that nothing changes the file.
    """
    log = path.with_name(f"{path.name}-wal")
    with path.open("rb") as file:
        is_logged = file.read(_VERSIONS.stop)[_VERSIONS] == _LOGGED
    return is_logged and not (log.exists() and log.stat().st_size)


@contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn errors of SQLite into ones that say what to do.

    Raises:
        InputError: instead of any error of SQLite.
    """
    try:
        yield
    except sqlite3.OperationalError as error:
        if "locked" in str(error) or "busy" in str(error):
            raise InputError(
                f"{name}: another program writes this database. Wait for its end, or copy the file."
            ) from error
        raise InputError(f"{name}: its database cannot be read ({error}). {_AGAIN}") from error
    except sqlite3.DatabaseError as error:
        why = f" ({error})" if str(error) else ""  # of bytes that are no text Python 3.10 says ""
        raise InputError(f"{name}: its database is damaged{why}. {_AGAIN}") from error
    except UnicodeDecodeError as error:  # SQLite's message names a table whose name is no UTF-8
        raise InputError(f"{name}: its database is damaged. {_AGAIN}") from error


def _text(value: bytes) -> str:
    return value.decode("utf-8", "replace")
