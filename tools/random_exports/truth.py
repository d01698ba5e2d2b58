"""Ask the tables of an export, with SQL that shares no code with their reader."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from typing import TYPE_CHECKING, Any, TypeAlias

from fixtures import nsys as made
from tools.random_exports.making import WORK

if TYPE_CHECKING:
    from pathlib import Path

Rows: TypeAlias = "Counter[tuple[Any, ...]]"
"""How often each row occurs."""

OWNER = "COALESCE(globalPid, (SELECT pid << 24 FROM TARGET_INFO_CUDA_DEVICE))"
WAITS = {1: "Event Sync", 2: "Stream Wait Event", 3: "Stream Sync", 4: "Context Sync"}


class _Export:
    """The tables of an export, for SQL that shares no code with the reader."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection
        first: dict[int, int] = {}
        for process, pid, device in self._connection.execute(
            f"SELECT DISTINCT globalPid, globalPid >> 24, deviceId FROM ({self._work()})"
        ):
            query = "SELECT gpuId FROM TARGET_INFO_CUDA_DEVICE WHERE pid = ? AND cudaId = ?"
            [(gpu,)] = self._connection.execute(query, (pid, device))
            first[process] = min(first.get(process, gpu), gpu)
        order = sorted(first, key=lambda process: first[process])
        self._rank = {it: rank if len(order) > 1 else None for rank, it in enumerate(order)}

    def rows(self, sql: str) -> Rows:
        """Count the rows of a query; its first column is a globalPid, which becomes a rank."""
        return Counter((self._rank[it], *rest) for it, *rest in self._connection.execute(sql))

    def has(self, table: str, column: str = "start") -> bool:
        """Tell whether there is a column."""
        rows = self._connection.execute("SELECT name FROM pragma_table_info(?)", (table,))
        return (column,) in rows.fetchall()

    def column(self, table: str, column: str) -> str:
        """Return the column, or NULL where there is none."""
        return column if self.has(table, column) else "NULL"

    def _work(self) -> str:
        """Return SQL that gives all work; of one process that which names none is its own."""
        selects = [
            f"SELECT {OWNER} AS globalPid, deviceId, {self.column(it, 'contextId')} AS contextId, "
            f"streamId, start, end, {self.column(it, 'correlationId')} AS correlationId FROM {it}"
            for it in WORK
            if self.has(it)
        ]
        return " UNION ALL ".join(selects)

    def kernels(self) -> Rows:
        """Count each kernel of each rank, and its time."""
        names = [self.column(made.KERNEL, f"{it}Name") for it in ("demangled", "short", "mangled")]
        return self.rows(
            f"SELECT {OWNER}, value, COUNT(*), SUM(end - start) FROM CUPTI_ACTIVITY_KIND_KERNEL "
            f"JOIN StringIds ON id = COALESCE({', '.join(names)}) GROUP BY 1, 2"
        )

    def streams(self) -> Rows:
        """Count the work of each stream, and its time."""
        return self.rows(
            f"SELECT globalPid, COUNT(*), SUM(end - start) FROM ({self._work()}) "
            "GROUP BY globalPid, deviceId, contextId, streamId"
        )

    def launches(self) -> Rows:
        """Look up the start of each piece of work, and of the first call of its id."""
        if not self.has(made.API, "correlationId"):
            return self.rows(f"SELECT globalPid, start, NULL FROM ({self._work()})")
        return self.rows(
            "SELECT w.globalPid, w.start, (SELECT MIN(r.start) FROM CUPTI_ACTIVITY_KIND_RUNTIME r "
            "WHERE r.correlationId = w.correlationId AND r.correlationId > 0 "
            f"AND r.globalTid >> 24 = w.globalPid >> 24) FROM ({self._work()}) AS w"
        )

    def copies(self) -> Rows:
        """Count copies and memsets by direction, their bytes and time."""
        found: Rows = Counter()
        if self.has(made.MEMCPY):
            kind = "CASE copyKind WHEN 1 THEN 'HtoD' WHEN 2 THEN 'DtoH' WHEN 8 THEN 'DtoD' END"
            found += self.rows(
                f"SELECT {OWNER}, {kind}, COUNT(*), SUM(bytes), SUM(end - start) "
                f"FROM {made.MEMCPY} GROUP BY 1, 2"
            )
        if self.has(made.MEMSET):
            found += self.rows(
                f"SELECT {OWNER}, 'Memset', COUNT(*), SUM(bytes), SUM(end - start) "
                f"FROM {made.MEMSET} GROUP BY 1"
            )
        return found

    def waits(self) -> Rows:
        """List start, duration and kind of each wait."""
        if not self.has(made.SYNC):
            return Counter()
        sql = f"SELECT start, end - start, syncType FROM {made.SYNC}"
        return Counter((ts, dur, WAITS[kind]) for ts, dur, kind in self._connection.execute(sql))

    def ranges(self) -> Rows:
        """List start, duration and name of each range that ended."""
        if not self.has("NVTX_EVENTS"):
            return Counter()
        name = f"(SELECT value FROM StringIds WHERE id = {self.column('NVTX_EVENTS', 'textId')})"
        return Counter(
            self._connection.execute(
                f"SELECT start, end - start, COALESCE({name}, text, 'NVTX') FROM NVTX_EVENTS "
                "WHERE eventType IN (59, 60) AND end IS NOT NULL"
            ).fetchall()
        )


def truth(path: Path) -> dict[str, Rows]:
    """Return what the tables of an export say."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        export_ = _Export(connection)
        launches = export_.launches()
        return {
            "kernels": export_.kernels(),
            "streams": export_.streams(),
            "launches": launches,
            "arrows": Counter(
                (call, work) for _, work, call in launches.elements() if call is not None
            ),
            "copies": export_.copies(),
            "waits": export_.waits(),
            "ranges": export_.ranges(),
        }
