"""Asking a loaded trace: answers, refusals, and the package's own interface."""

import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from tests.support.small_traces import SOUND, json_trace, slice_of
from tp_tools.engine import Rows, load, query_rows, rows
from tp_tools.errors import EngineError, InputError, SqlError

LIGHT = """\
import sys
import tp_tools.engine
heavy = {"wasmtime", "perfetto", "numpy", "pandas"} & set(sys.modules)
assert not heavy, heavy
with tp_tools.engine.load([sys.argv[1].encode()], source="light") as tp:
    tp_tools.engine.rows(tp, "SELECT name FROM slice")
    assert not {"pandas", "google.protobuf.internal.python_message"} & set(sys.modules)
    assert tp.query("SELECT name FROM slice").as_pandas_dataframe().shape == (2, 1)
import pandas
assert pandas.DataFrame
"""


def test_the_package_interface(engine_name: str) -> None:
    """The processor is the `perfetto` package's: iterable rows and pandas frames."""
    with load([SOUND], source="sound", engine=engine_name) as tp:
        assert [row.name for row in tp.query("SELECT name FROM slice ORDER BY ts")] == [
            "outer",
            "inner",
        ]
        frame = tp.query("SELECT name, dur FROM slice ORDER BY ts").as_pandas_dataframe()
        assert isinstance(frame, pd.DataFrame)
        assert frame["dur"].tolist() == [100_000, 30_000]
        assert tp.metadata == {}


def test_the_classes_of_messages_are_made_once() -> None:
    """Processors share them: to make them takes longer than to start the embedded engine."""
    with load([SOUND], source="one") as one, load([SOUND], source="two") as two:
        assert one.protos is two.protos


def test_rows_hold_each_type(engine_name: str) -> None:
    """Integers, floats, text, blobs and NULL come back as Python has them, integers exactly."""
    sql = (
        "SELECT 9223372036854775807 AS big, -1 AS less, 0.5 AS half, "
        "'ä→𝄞' AS t, NULL AS n, x'00ff' AS b"
    )
    with load([SOUND], source="sound", engine=engine_name) as tp:
        assert query_rows(tp, sql) == Rows(
            ("big", "less", "half", "t", "n", "b"),
            [(9223372036854775807, -1, 0.5, "ä→𝄞", None, b"\x00\xff")],
        )


def test_no_rows_still_have_columns(engine_name: str) -> None:
    """An empty answer keeps its columns; a script without a SELECT has none."""
    with load([SOUND], source="sound", engine=engine_name) as tp:
        empty = query_rows(tp, "SELECT ts, name FROM slice WHERE name = 'none'")
        assert empty == Rows(("ts", "name"), [])
        assert rows(tp, "CREATE PERFETTO TABLE tpt_t AS SELECT 1 AS one") == []


def test_many_rows(engine_name: str) -> None:
    """An answer of many batches comes back whole and in order."""
    sql = (
        "WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99999) "
        "SELECT i, 'name ' || i, IIF(i % 2, NULL, i / 2.0) FROM n"
    )
    with load([SOUND], source="sound", engine=engine_name) as tp:
        found = rows(tp, sql)
    assert found == [(i, f"name {i}", None if i % 2 else i / 2) for i in range(100_000)]


def test_names_that_are_not_utf8_do_not_stop_a_query() -> None:
    """Bytes that are no UTF-8 cost that text its bad bytes, and the other rows nothing."""
    data = json_trace(slice_of("good", 1, 1), slice_of("b?d", 3, 1)).replace(b"b?d", b"b\xffd")
    with load([data], source="latin") as tp:
        names = [name for (name,) in rows(tp, "SELECT name FROM slice ORDER BY ts")]
    assert names == ["good", "bd"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT 1 FROM nowhere", "no such table: nowhere"),
        ("SELECT (", "syntax error"),
        ("SELECT 1; SELECT missing FROM slice", "no such column: missing"),
    ],
)
def test_sql_error(engine_name: str, sql: str, message: str) -> None:
    """A refused query says TraceProcessor's reason, the trace and the file with the line."""
    with load([SOUND], source="rank0.json", engine=engine_name) as tp:
        with pytest.raises(SqlError, match=message) as error:
            query_rows(tp, sql, "overlaps.sql")
        assert "overlaps.sql failed on rank0.json" in str(error.value)
        assert 'File "overlaps.sql" line 1' in str(error.value)


def test_sql_error_of_a_text() -> None:
    """Of a query that is no file, too, the place is named, and nothing passes for Python's."""
    with load([SOUND], source="rank0.json") as tp:
        with pytest.raises(SqlError) as error:
            tp.query("SELECT missing FROM slice")
        assert str(error.value).split("\n") == [
            "the query failed on rank0.json:",
            "  In the query, line 1 col 8",
            "    SELECT missing FROM slice",
            "           ^",
            "no such column: missing",
        ]


def test_sql_error_leaves_the_engine_as_it_was(engine_name: str) -> None:
    """After a refused query, also one refused amid its rows, the next one is answered."""
    with load([SOUND], source="sound", engine=engine_name) as tp:
        for sql in ("SELECT", "SELECT EXTRACT_ARG(1)", "SELECT RAISE(ABORT, 'x')"):
            with pytest.raises(SqlError):
                rows(tp, sql)
            assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]


def test_deep_expressions(engine_name: str) -> None:
    """An expression as deep as SQLite allows (1000 levels) does not overrun the engine's stack."""
    with load([SOUND], source="sound", engine=engine_name) as tp:
        either = " OR ".join(f"'x' GLOB '*{i}*'" for i in range(990))
        assert rows(tp, "SELECT " + either) == [(0,)]
        assert rows(tp, "SELECT " + "+".join(["1"] * 990)) == [(990,)]


def test_standard_library(engine_name: str) -> None:
    """Perfetto's own SQL modules can be included."""
    with load([SOUND], source="sound", engine=engine_name) as tp:
        rows(tp, "INCLUDE PERFETTO MODULE slices.with_context")
        found = rows(tp, "SELECT name, tid FROM thread_slice ORDER BY ts")
    assert found == [("outer", 1), ("inner", 1)]


def test_clock_is_utc() -> None:
    """Local time is UTC in the embedded engine, so that it answers alike everywhere."""
    sql = "SELECT DATETIME(1700000000, 'unixepoch', 'localtime')"
    with load([SOUND], source="sound") as tp:
        assert rows(tp, sql) == [("2023-11-14 22:13:20",)]


def test_metrics_and_summaries(engine_name: str) -> None:
    """`metric` and `trace_summary` work as in the package."""
    spec = """
    metric_spec {
      id: "slices"
      value: "n"
      query { sql { sql: "SELECT COUNT(*) AS n FROM slice" column_names: "n" } }
    }
    """
    with load([SOUND], source="sound", engine=engine_name) as tp:
        stats = tp.metric(["trace_stats"]).trace_stats.stat
        assert {stat.name for stat in stats} >= {"slice_drop_overlapping_complete_event"}
        summary = tp.trace_summary([spec], metric_ids=["slices"])
        (value,) = summary.metric_bundles[0].row[0].values  # noqa: PD011  a protobuf field
        assert value.double_value == 2


def test_metatrace(engine_name: str) -> None:
    """TraceProcessor's own trace can be recorded and read."""
    with load([SOUND], source="sound", engine=engine_name) as tp:
        tp.enable_metatrace()
        rows(tp, "SELECT COUNT(*) FROM slice")
        assert tp.disable_and_read_metatrace()


def test_what_a_version_lacks_is_said(tmp_path: Path) -> None:
    """v52 cannot export: the error says so, and the engine lives on."""
    with load([SOUND], source="sound") as tp:
        with pytest.raises(EngineError, match="does not know TPM_EXPORT"):
            tp.export(str(tmp_path / "out.tar"), "arrow_tar")
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]


def test_version(engine_name: str) -> None:
    """The engine states its version."""
    with load([SOUND], source="sound", engine=engine_name) as tp:
        assert tp.version().startswith("Perfetto v")


def test_nothing_heavy_before_it_is_needed() -> None:
    """Importing the package loads no engine; loading a trace loads no pandas."""
    done = subprocess.run(
        [sys.executable, "-c", LIGHT, SOUND.decode()], capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.returncode == 0


def test_durations_that_no_sum_holds(engine_name: str) -> None:
    """Two slices of 285 years are the fault of the trace, and the error names the longest."""
    years = [slice_of("lost", 10, 9 * 10**15), slice_of("found", 10, 8 * 10**15, tid=2)]
    with load([json_trace(*years)], source="rank0.json", engine=engine_name) as tp:
        with pytest.raises(InputError, match=r"rank0.json: .* slice 'lost' .* 285 years"):
            query_rows(tp, "SELECT SUM(dur) FROM slice", "kernels.sql")
        assert rows(tp, "SELECT COUNT(*) FROM slice") == [(2,)]


def test_numbers_of_a_query_that_no_sum_holds(engine_name: str) -> None:
    """Where no slice is that long, an overflow is the fault of the query."""
    sql = "SELECT SUM(big) FROM (SELECT 1 << 62 AS big UNION ALL SELECT 1 << 62)"
    with (
        load([SOUND], source="sound", engine=engine_name) as tp,
        pytest.raises(SqlError, match="integer overflow"),
    ):
        rows(tp, sql)
