"""The harness reads from the UI what the UI holds, of every type, and notices its errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures.make import HERE
from tests.support.perfetto_ui import PerfettoUi, UiError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

pytestmark = pytest.mark.browser


@pytest.fixture
def ui(show_ui: Callable[[Path], PerfettoUi]) -> PerfettoUi:
    """A tab with the sound trace."""
    return show_ui(HERE / "sound.json.gz")


def test_values_keep_their_types(ui: PerfettoUi) -> None:
    """Integers past 2^53, floats, digits as text, NULL and any quoting come back as they are."""
    sql = """
        -- a comment, a 'quote' and a "double quote"
        SELECT 9223372036854775807 AS big, 2 AS small, 0.5 AS half, '120' AS digits,
          NULL AS unset, 'tab	and ''quotes'' and \\ and é' AS text;
    """
    assert ui.query(sql) == [
        {
            "big": 2**63 - 1,
            "small": 2,
            "half": 0.5,
            "digits": "120",
            "unset": None,
            "text": "tab\tand 'quotes' and \\ and é",
        }
    ]


def test_all_rows_of_the_last_statement(ui: PerfettoUi) -> None:
    """A script's last statement gives all of its rows, more than the tab's grid shows at once."""
    sql = """
        CREATE OR REPLACE PERFETTO TABLE tpt_numbers AS
        WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 2499)
        SELECT i FROM n;
        SELECT i FROM tpt_numbers ORDER BY i;
    """
    assert ui.query(sql) == [{"i": i} for i in range(2500)]


def test_rows_past_the_query_tab(ui: PerfettoUi) -> None:
    """The engine of the page gives rows of a script too, and raises its error."""
    from playwright.sync_api import Error  # noqa: PLC0415  not there where these tests skip

    sql = """
        CREATE OR REPLACE PERFETTO TABLE tpt_two AS SELECT 2 AS i, 'b' AS s;
        SELECT * FROM tpt_two;
    """
    assert ui.run(sql) == [{"i": 2, "s": "b"}]
    with pytest.raises(Error, match="no_such_table"):
        ui.run("SELECT * FROM no_such_table")


def test_a_query_replaces_the_one_before(ui: PerfettoUi) -> None:
    """A second query in the same tab gives its own rows, and none where it has none."""
    assert ui.query("SELECT 1 AS one") == [{"one": 1}]
    assert ui.query("SELECT 2 AS two WHERE FALSE") == []
    assert ui.query("SELECT 3 AS three") == [{"three": 3}]


def test_a_sql_error_is_raised(ui: PerfettoUi) -> None:
    """A query that the UI refuses raises its message and leaves the tab usable."""
    with pytest.raises(UiError, match="no_such_table"):
        ui.query("SELECT * FROM no_such_table")
    assert ui.query("SELECT 1 AS one") == [{"one": 1}]


def test_a_sound_trace_shows_no_error(open_ui: Callable[[Path], PerfettoUi]) -> None:
    """A trace without defects opens without the red icon and without a complaint."""
    ui = open_ui(HERE / "sound.json.gz")
    assert ui.import_errors() == 0
    assert ui.errors == []


def test_a_tab_shows_the_trace_that_was_opened_last(open_ui: Callable[[Path], PerfettoUi]) -> None:
    """Errors, rows, slices and tables are those of that trace, also one of the same name."""
    counted = "SELECT COUNT(*) AS slices FROM slice"
    first = open_ui(HERE / "pdl_decode.json.gz")
    assert first.import_errors() == 6
    first.query("CREATE PERFETTO TABLE tpt_before AS SELECT 1 AS one; SELECT one FROM tpt_before;")
    before = first.query(counted), first.rows()
    second = open_ui(HERE / "sound.json.gz")
    assert second.import_errors() == 0
    assert second.query(counted) != before[0]
    with pytest.raises(UiError, match="tpt_before"):
        second.query("SELECT one FROM tpt_before")
    assert not set(second.rows()) & {"python3 0/stream 20  20"}
    third = open_ui(HERE / "pdl_decode.json.gz")
    assert (third.query(counted), third.rows()) == before


def test_a_file_that_is_no_trace_is_refused(
    open_ui: Callable[[Path], PerfettoUi], tmp_path: Path
) -> None:
    """The UI's dialog about an unusable file is raised, not taken for a loaded trace."""
    broken = tmp_path / "broken.json"
    broken.write_text("no trace at all")
    with pytest.raises(UiError, match=r"(?i)trace"):
        open_ui(broken)


def test_rows_are_those_on_the_screen(ui: PerfettoUi) -> None:
    """Rows come from top to bottom, with the name of their process."""
    rows = ui.rows()
    assert [row for row in rows if "stream" in row] == ["python3 0/stream 7  7"]
