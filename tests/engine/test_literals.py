"""Own SQL that compares texts by != gets the right rows, which Perfetto v52 alone does not give."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tp_tools import engine
from tp_tools.engine.literals import naming_texts
from tp_tools.errors import SqlError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.engine.processor import Processor

ROWS = 200


def category(number: int) -> str | None:
    """That of a slice: every fourth has none."""
    return "ABC"[number % 3] if number % 4 else None


@pytest.fixture
def loaded(engine_name: str) -> Iterator[Processor]:
    """200 slices in order, ids from 0 on."""
    events = [
        {"ph": "X", "pid": 1, "tid": 1, "ts": 10 * number, "dur": 5, "name": "s"}
        | ({"cat": cat} if (cat := category(number)) else {})
        for number in range(ROWS)
    ]
    with engine.load([json.dumps(events).encode()], source="t", engine=engine_name) as tp:
        yield tp


@pytest.mark.parametrize(
    "condition",
    [
        "category != 'zz'",
        "category <> 'zz'",
        "'zz' != category",
        "category != 'it''s'",
        "category != 'zz' -- it isn't there",
        "category /* it isn't there */ != 'zz'",
        "category != '--' AND category != 'B'",
    ],
)
def test_unknown_texts_are_unlike_all_that_are_known(loaded: Processor, condition: str) -> None:
    """Rows without a category are left out, and each other row is found by its own id."""
    without_b = "'B'" in condition
    expected = [
        (number, cat)
        for number in range(ROWS)
        if (cat := category(number)) is not None and not (without_b and cat == "B")
    ]

    def found(script: str) -> list[tuple[int, str]]:
        return engine.rows(loaded, script.replace("$condition", f"{condition}\n"))

    one = "SELECT id, category FROM slice WHERE $condition AND id = 53"
    assert found(one) == [(53, "C")]
    assert found("SELECT id, category FROM slice WHERE $condition ORDER BY id") == expected
    by_id = """
      WITH given AS (SELECT id FROM slice)
      SELECT id, category FROM given JOIN slice USING (id) WHERE $condition ORDER BY id
    """
    assert found(by_id) == expected


def test_tables_of_own_scripts_too(loaded: Processor) -> None:
    """A Perfetto table of a script is asked after the texts of the whole script are known."""
    script = """
      CREATE PERFETTO TABLE own AS SELECT id, category AS kind FROM slice;
      SELECT id, kind FROM own WHERE id IN (51, 52, 53) AND kind != 'none such';
    """
    assert engine.rows(loaded, script) == [(51, "A"), (53, "C")]


def test_only_scripts_that_compare_texts_name_them() -> None:
    """Each text is named once, as it is written; comments and names in quotes are none."""
    assert naming_texts("SELECT 1 WHERE 'a' = 'b'") == ""
    assert naming_texts("SELECT 1 WHERE 2 != 3") == ""
    named = naming_texts("SELECT \"it's\" -- 'no'\nWHERE a != 'x' OR b != 'x' OR c = 'it''s'")
    assert named.count("('x')") == named.count("('it''s')") == 1
    assert "no" not in named.partition("VALUES")[2]


def test_own_tables_and_errors_stay(loaded: Processor) -> None:
    """No table is left behind, and an error names the line of the script as before."""
    engine.rows(loaded, "SELECT id FROM slice WHERE category != 'zz'")
    with pytest.raises(SqlError, match="_tpt_text"):
        engine.rows(loaded, "SELECT * FROM _tpt_text")
