"""Answers of SQL made by hand, for what is told of them."""

from __future__ import annotations

from typing import Any

from tp_tools.engine import Rows
from tp_tools.reporting.data import Answers, Member
from tp_tools.reporting.labels import Labels


def answers(ranks: int = 1, **of: list[dict[str, Any]]) -> tuple[Answers, Labels]:
    """Rows by query, each with all of its columns; a query that is not given has no rows."""
    rows = {
        name: Rows(tuple(given[0]) if given else (), [tuple(row.values()) for row in given])
        for name, given in of.items()
    }
    empty = {"gpu_time": Rows(("rank", "device", "ts"), [])}
    members = [Member(rank, f"rank {rank}", f"rank{rank}.json", None) for rank in range(ranks)]  # type: ignore[arg-type]
    found = Answers(members, {**empty, **rows}, {}, None)
    return found, Labels(found)


def column(table: Any, key: str) -> list[Any]:  # noqa: ANN401  short in tests
    """One column of a table."""
    at = [it.key for it in table.columns].index(key)
    return [row[at] for row in table.rows]
