"""Make the data of a report by hand."""

from __future__ import annotations

from typing import Any

from tp_tools.engine import Rows
from tp_tools.reporting.data import Member, ReportData
from tp_tools.reporting.labels import Labels
from tp_tools.reporting.places import Places


def report_data(ranks: int = 1, **queries: list[dict[str, Any]]) -> tuple[ReportData, Labels]:
    """Make data of rows by query, each row with all columns; gpu_time has no rows by default."""
    results = {
        name: Rows(tuple(rows[0]) if rows else (), [tuple(row.values()) for row in rows])
        for name, rows in queries.items()
    }
    empty = {"gpu_time": Rows(("rank", "device", "ts"), [])}
    members = [Member(rank, f"rank {rank}", f"rank{rank}.json", None) for rank in range(ranks)]  # type: ignore[arg-type]
    data = ReportData(members, {**empty, **results}, {}, None)
    return data, Labels(data)


def placed(ranks: int = 1, **queries: list[dict[str, Any]]) -> tuple[ReportData, Labels, Places]:
    """Make data as `report_data`, and the places in it."""
    data, labels = report_data(ranks, **queries)
    return data, labels, Places(data)


def column(table: Any, key: str) -> list[Any]:  # noqa: ANN401  short in tests
    """Return the values of one column of a table."""
    index = [column.key for column in table.columns].index(key)
    return [row[index] for row in table.rows]
