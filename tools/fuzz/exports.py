"""Mutate exports of Nsight Systems: values, rows, columns, tables and bytes of an SQLite file."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fixtures import nsys
from tools.fuzz import mutate

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from random import Random

    from fixtures.nsys import Tables

VALUES: tuple[Any, ...] = (
    *(None, 0, -1, 1, 2, 7, 59, 60, 75, 99, 100, 1500, 2000, 10**6, 2**31, 2**53 + 1, 2**63 - 1),
    *(-(2**63), 0.5, 1e300, float("inf"), float("-inf"), "", "7", "1e400", "x" * 3000, "é漢😀"),
    *('"C:\\', "\0", "\ud7ff", "</script>", "step 1", "aten::mul, seq = 3", b"", b"\xff\xfe\0"),
)
"""Values of any type, since columns of SQLite hold any."""

MORE: Tables = {
    nsys.GRAPH: [
        {
            "start": 10_000,
            "end": 12_000,
            "deviceId": 0,
            "contextId": 1,
            "streamId": 9,
            "correlationId": 4,
            "globalPid": nsys.global_pid(100),
            "graphId": 1,
            "graphExecId": 2,
        }
    ],
    "META_DATA_CAPTURE": [{"name": "ENVIRONMENT_VARIABLES", "value": "RANK=3\nWORLD_SIZE=8"}],
    "DIAGNOSTIC_EVENT": [{"timestamp": 1, "severity": 2, "text": "events were lost"}],
    "MPI_RANKS": [{"globalTid": nsys.global_tid(100, 100), "rank": 1}],
}
"""Tables that the fixture lacks."""


def export(random: Random, path: Path) -> bytes:
    """Write an export, mutated and perhaps damaged or compressed.

    Args:
        random: chooses.
        path: of the file, which is not there yet.

    Returns:
        Its bytes.
    """
    tables = {name: [dict(row) for row in rows] for name, rows in nsys.job().items()}
    for name in random.sample(sorted(MORE), random.choice((0, 0, 1, 2))):
        tables[name] = [dict(row) for row in MORE[name]]
    for _ in range(random.randint(0, 8)):
        random.choice(_MUTATIONS)(random, tables)
    schema = random.choice(("3.25.0",) * 8 + ("2.9.1", "3.99.0", "4.0.0", "", "x"))
    columns = sorted({column for rows in tables.values() for row in rows for column in row})
    without = random.sample([*tables, *columns], random.choice((0, 0, 0, 1, 3)))
    nsys.write(path, tables, schema=schema, without=without)
    path.write_bytes(mutate.packed(random, mutate.damaged(random, path.read_bytes())))
    return path.read_bytes()


def _row(random: Random, tables: Tables) -> dict[str, Any]:
    return random.choice(random.choice([rows for rows in tables.values() if rows]))


def _value(random: Random, tables: Tables) -> None:
    """Replace a value."""
    row = _row(random, tables)
    row[random.choice(list(row))] = random.choice(VALUES)


def _copy(random: Random, tables: Tables) -> None:
    """Repeat a row, with another value perhaps."""
    rows = random.choice([rows for rows in tables.values() if rows])
    row = dict(random.choice(rows))
    if random.random() < 0.7:
        row[random.choice(list(row))] = random.choice(VALUES)
    rows.append(row)


def _nudge(random: Random, tables: Tables) -> None:
    """Move a start or an end to one of another row, or near it."""
    row, other = _row(random, tables), _row(random, tables)
    time = other.get(random.choice(("start", "end")))
    if isinstance(time, int) and abs(time) < 1 << 62:
        row[random.choice(("start", "end"))] = time + random.choice(mutate.NUDGES)


def _swap(random: Random, tables: Tables) -> None:
    """Give a row the value that another has of a column."""
    row, other = _row(random, tables), _row(random, tables)
    for column in row.keys() & other.keys():
        if random.random() < 0.3:
            row[column] = other[column]


def _process(random: Random, tables: Tables) -> None:
    """Have the rows of a table come from another process, perhaps of another machine."""
    rows = random.choice([rows for rows in tables.values() if rows])
    pid, vm = random.choice((100, 101, 2**24 - 1)), random.choice((0, 0, 1))
    for row in rows:
        for column, made in (("globalPid", nsys.global_pid), ("globalTid", _thread)):
            if column in row:
                row[column] = made(pid, vm)


def _thread(pid: int, vm: int) -> int:
    return nsys.global_tid(pid, pid, vm)


_MUTATIONS: tuple[Callable[[Random, Tables], None], ...] = (
    *(_value, _value, _value, _copy, _nudge, _nudge, _swap, _process),
)
