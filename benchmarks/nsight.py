"""Make a large export of Nsight Systems out of a recorded one, and measure `fix` of it.

    python -m benchmarks.nsight EXPORT.sqlite[.gz] FOLDER 1000

The last argument is the size of the export in MB (1e6). Every repetition is moved on by the span of
the recording and a millisecond, and its correlations are new. Written are FOLDER/large.sqlite and
large.pftrace; printed are wall time, CPU time and memory: the most that the command held for itself
(RssAnon of proc(5), looked up every 20 ms; workers hold less), and that of the largest process with
files that are mapped into it.
"""

from __future__ import annotations

import gzip
import resource
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path

GAP_NS = 1_000_000
BOUNDS = 'SELECT MIN("start"), MAX("end") FROM "{0}"'
COPY = 'CREATE TEMP TABLE "base_{0}" AS SELECT * FROM main."{0}"'
ADD = 'INSERT INTO main."{0}" SELECT {1} FROM "base_{0}"'
MOVED = ("start", "end", "timestamp")


def grow(path: Path, size: int) -> None:
    """Repeat the rows of all tables with times until the file has `size` bytes."""
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA journal_mode = off")
        database.execute("PRAGMA synchronous = off")
        tables = {
            table: columns
            for (table,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")
            if (columns := _columns(database, table)) and "start" in columns and "end" in columns
        }
        bounds = [database.execute(BOUNDS.format(table)).fetchone() for table in tables]
        span = max(b for _, b in bounds if b) - min(a for a, _ in bounds if a is not None)
        [(ids,)] = database.execute("SELECT MAX(correlationId) FROM CUPTI_ACTIVITY_KIND_RUNTIME")
        for table in tables:
            database.execute(COPY.format(table))
        number = 0
        while path.stat().st_size < size:
            number += 1
            for table, columns in tables.items():
                values = ", ".join(
                    _moved(column, number * (span + GAP_NS), number * (ids % 100_000 + 1))
                    for column in columns
                )
                database.execute(ADD.format(table, values))
            database.commit()


def _columns(database: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in database.execute(f'PRAGMA table_info("{table}")')]


def _moved(column: str, time_ns: int, ids: int) -> str:
    if column in MOVED:
        return f'"{column}" + {time_ns}'
    return f'"{column}" + {ids}' if column == "correlationId" else f'"{column}"'


def main(source: str, folder: str, megabytes: str) -> None:
    """Write the large export, and repair it."""
    content = Path(source).read_bytes()
    large, out = Path(folder) / "large.sqlite", Path(folder) / "large.pftrace"
    large.write_bytes(gzip.decompress(content) if source.endswith(".gz") else content)
    grow(large, int(megabytes) * 1_000_000)
    began = time.monotonic()
    command = [sys.executable, "-m", "tp_tools", "fix", large, "-o", out, "--force"]
    with subprocess.Popen(command) as running:
        memory = 0
        while running.poll() is None:
            memory = max(memory, _held(running.pid))
            time.sleep(0.02)
    if running.returncode:
        sys.exit(running.returncode)
    wall = time.monotonic() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{large.stat().st_size / 1e6:,.0f} MB to {out.stat().st_size / 1e6:,.0f} MB")
    print(f"{wall:.0f} s, {used.ru_utime + used.ru_stime:.0f} s of CPU")
    print(f"{memory / 1e3:,.0f} MB of memory of its own")
    print(f"{used.ru_maxrss / 1e3:,.0f} MB with files that are mapped into it")


def _held(process: int) -> int:
    """Return the memory of a process that is no file's, in kB; 0 of one that has ended."""
    with suppress(OSError):
        for line in Path(f"/proc/{process}/status").read_text("ascii").splitlines():
            if line.startswith("RssAnon:"):
                return int(line.split()[1])
    return 0


if __name__ == "__main__":
    main(*sys.argv[1:])
