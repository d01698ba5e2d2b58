"""Perfetto tables are filtered, grouped and joined as SQLite does it with its own tables."""

from __future__ import annotations

from random import Random
from typing import TYPE_CHECKING, Any

import pytest

from tp_tools import engine

if TYPE_CHECKING:
    from tp_tools.engine.processor import Processor

TRACE = b'[{"ph":"X","pid":1,"tid":1,"ts":1,"dur":1,"name":"a"}]'
KINDS: dict[str, list[Any]] = {
    "whole": [-3, 0, 1, 5, 8],
    "flag": [0, 1],
    "large": [1 << 40, 1 << 62, -5, 7],
    "real": [0.5, 1.5, -2.25, 7.0, 1e300],
    "text": ["a", "b", "ab", "", "é", "it's", "B"],
}
UNKNOWN = {"text": ["q", "zz", "A"]}
NUMBERS = [99, -99, 3, 2.5]
SIGNS = ("=", "!=", "<", "<=", ">", ">=", "IS", "IS NOT")
MADE = (
    "CREATE TABLE base AS WITH v(n, $columns) AS (VALUES $values) SELECT * FROM v",
    "CREATE PERFETTO TABLE kept AS SELECT * FROM base ORDER BY n",
)
FORMS = (
    "SELECT * FROM {t} WHERE $where ORDER BY n",
    "SELECT $one, COUNT(*) FROM {t} WHERE $where GROUP BY $one ORDER BY 1, 2",
    "SELECT MIN($one), MAX($one), COUNT($one), COUNT(*) FROM {t} WHERE $where",
    "SELECT DISTINCT $one FROM {t} WHERE $where ORDER BY 1",
    "SELECT n FROM {t} WHERE $where ORDER BY $one $order, n LIMIT 5 OFFSET 2",
    """
    SELECT a.n, b.n FROM {t} AS a JOIN {t} AS b ON a.$one = b.$one
    WHERE a.n < 9 AND b.n < 40 AND $joined ORDER BY 1, 2
    """,
)
COLUMNS = [f"c{number}" for number in range(5)]


def literal(value: object) -> str:
    """A value as SQL writes it."""
    if value is None:
        return "NULL"
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def tables(random: Random, tp: Processor) -> list[str]:
    """Makes `base` of SQLite and `kept` of Perfetto, of the same rows; returns kinds of columns."""
    kinds = random.choices([*KINDS], k=len(COLUMNS))
    nulls = [random.choice((0, 0, 0.1, 0.5, 0.95)) for _ in kinds]
    rows = [
        [number]
        + [
            None if random.random() < null else random.choice(KINDS[kind])
            for kind, null in zip(kinds, nulls, strict=True)
        ]
        for number in range(random.choice((5, 50, 200)))
    ]
    values = ", ".join(f"({', '.join(map(literal, row))})" for row in rows)
    for statement in MADE:
        columns = ", ".join(COLUMNS)
        engine.rows(tp, statement.replace("$columns", columns).replace("$values", values))
    if random.random() < 0.3:
        engine.rows(tp, f"CREATE PERFETTO INDEX by_one ON kept({random.choice(COLUMNS)})")
    return kinds


def condition(random: Random, kinds: list[str]) -> str:
    """One condition on a column, with a value that is there or none that is."""
    number = random.randrange(len(COLUMNS))
    name, kind = COLUMNS[number], kinds[number]

    def value() -> str:
        known = random.random() < 0.6
        return literal(random.choice(KINDS[kind] if known else UNKNOWN.get(kind, NUMBERS)))

    forms = [
        f"{name} {sign} {value()}" for sign in ("=", "!=", "<", "<=", ">", ">=", "IS", "IS NOT")
    ]
    forms += [f"{name} IS NULL", f"{name} IS NOT NULL", f"{name} BETWEEN {value()} AND {value()}"]
    forms += [f"{name} {word} ({value()}, {value()})" for word in ("IN", "NOT IN")]
    if kind == "text":  # of a number Perfetto takes no GLOB
        forms.append(f"{name} GLOB {literal(random.choice(['*', 'a*', '*b', 'zz', '?', '[ab]']))}")
    return random.choice(forms)


def question(random: Random, kinds: list[str]) -> str:
    """A query of the table `{t}`."""
    conditions = [condition(random, kinds) for _ in range(random.randint(1, 3))]
    parts = {
        "$where": random.choice((" AND ", " AND ", " OR ")).join(conditions),
        "$joined": " AND ".join(f"b.{it}" for it in conditions),
        "$one": random.choice(COLUMNS),
        "$order": random.choice(("ASC", "DESC")),
    }
    sql = random.choice(FORMS)
    for name, part in parts.items():
        sql = sql.replace(name, part)
    return sql


@pytest.mark.parametrize("seed", range(8))
def test_random_queries_are_answered_as_by_sqlite(seed: int) -> None:
    """60 random queries of a random table have the same rows, whichever of both holds it."""
    random = Random(seed)
    with engine.load([TRACE], source="t") as tp:
        kinds = tables(random, tp)
        for _ in range(60):
            sql = question(random, kinds)
            expected, found = (engine.rows(tp, sql.format(t=it)) for it in ("base", "kept"))
            assert repr(found) == repr(expected), sql
