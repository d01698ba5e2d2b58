"""Modules of SQL: included by scripts that tp-tools runs, and written into text for pasting."""

from __future__ import annotations

import re

import pytest

import tp_tools
from fixtures.make import HERE
from tp_tools import engine, library
from tp_tools.errors import InputError, SqlError

TRACE = (
    b"""{"traceEvents":[{"ph":"X","cat":"kernel","name":"k","pid":1,"tid":7,"ts":10,"dur":2}]}"""
)
OWN = "INCLUDE PERFETTO MODULE tpt.gpu_slice;\nSELECT name, stream FROM tpt_gpu_slice ORDER BY id"


def made(sql: str) -> list[str]:
    """List the names that a script creates, in order."""
    return re.findall(
        r"^CREATE OR REPLACE PERFETTO (?:TABLE|VIEW|FUNCTION|MACRO) (\w+)", sql, re.MULTILINE
    )


def test_a_script_of_a_users_own_includes_modules(engine_name: str) -> None:
    """It runs in every engine, as often as one likes."""
    with engine.load([TRACE], source="t", engine=engine_name) as tp:
        assert [engine.rows(tp, OWN) for _ in range(2)] == [[("k", 7)]] * 2


def test_opened_traces_know_the_package() -> None:
    """The object that the Python API gives knows the modules too, through all of its queries."""
    with tp_tools.open_trace(HERE / "pdl_decode.json.gz") as tp:
        rows = list(tp.query("INCLUDE PERFETTO MODULE tpt.*; SELECT COUNT(*) AS n FROM tpt_step"))
    assert len(rows) == 1


def test_included_and_pasted_text_get_along() -> None:
    """In one session, in either order: the later definition takes the place of the earlier."""
    with engine.load([TRACE], source="t") as tp:
        pasted = [engine.rows(tp, library.expand(OWN)) for _ in range(2)]
        assert [*pasted, engine.rows(tp, OWN), engine.rows(tp, library.expand(OWN))] == [
            [("k", 7)]
        ] * 4


def test_tables_are_made_once_in_a_session() -> None:
    """A second INCLUDE makes nothing anew: what was put into the table's place stays."""
    with engine.load([TRACE], source="t") as tp:
        engine.rows(tp, OWN)
        engine.rows(tp, "CREATE OR REPLACE PERFETTO TABLE tpt_gpu_slice AS SELECT 1 AS one;")
        sql = "INCLUDE PERFETTO MODULE tpt.gpu_slice; SELECT * FROM tpt_gpu_slice"
        assert engine.rows(tp, sql) == [(1,)]


def test_a_script_without_modules_registers_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """An engine that takes no packages still runs all other scripts."""
    monkeypatch.setattr(library, "modules", None)
    with engine.load([TRACE], source="t") as tp:
        assert engine.rows(tp, "-- INCLUDE PERFETTO MODULE tpt.track;\nSELECT 'x'") == [("x",)]


def test_expanded_text_holds_each_module_once_after_what_it_needs() -> None:
    """Included twice or by several, a module stands where it is first needed."""
    sql = library.expand(
        "-- Mine.\n\n"
        "INCLUDE PERFETTO MODULE tpt.launch;\ninclude perfetto module tpt.track;\n"
        "INCLUDE PERFETTO MODULE tpt.launch;\n\nSELECT 1;\n"
    )
    assert made(sql) == [
        "tpt_arg",
        "tpt_int_arg",
        "tpt_shape",
        "_tpt_repaired_args",
        "tpt_repair_arg",
        "tpt_recorded_dur",
        "tpt_process_rank",
        "tpt_track",
        "tpt_track_key",
        "tpt_launch_key",
        "tpt_collective_by_name",
        "tpt_collective_by_arg",
        "tpt_bus_factor",
        "_tpt_gpu_work",
        "tpt_gpu_slice",
        "tpt_call",
        "_tpt_launch",
        "tpt_launch",
    ]
    assert sql.startswith("-- Mine.\n\n-- ")
    assert sql.endswith(";\n\nSELECT 1;\n")
    assert not library.includes_modules(sql)


def test_a_star_stands_for_all_modules_below() -> None:
    """`tpt.*` is the whole package, `tpt.collective.*` a part of it."""
    everything = library.expand("INCLUDE PERFETTO MODULE tpt.*;")
    assert set(re.findall(r"^CREATE OR REPLACE", everything, re.MULTILINE)) != set()
    assert sorted(made(everything)) == sorted(
        name for text in library.modules().values() for name in made(text)
    )
    some = made(library.expand("INCLUDE PERFETTO MODULE tpt.collective.*;"))
    assert "tpt_collective_window" in some
    assert "tpt_gap" not in some


@pytest.mark.parametrize(
    "sql",
    [
        "-- INCLUDE PERFETTO MODULE tpt.track;\nSELECT 1;",
        "/* see\nINCLUDE PERFETTO MODULE tpt.track;\n*/ SELECT 1;",
        "SELECT 'it''s INCLUDE PERFETTO MODULE tpt.track;' AS text;",
        'SELECT 1 AS "INCLUDE PERFETTO MODULE tpt.track;";',
        "INCLUDE PERFETTO MODULE slices.with_context;\nSELECT 1;",
        "INCLUDE PERFETTO MODULE tpts.row;\nSELECT 1;",
    ],
)
def test_other_text_stays(sql: str) -> None:
    """Comments, strings, names, and modules of Perfetto's own are left as they are."""
    assert library.expand(sql) == sql
    assert not library.includes_modules(sql)


def test_statements_on_one_line() -> None:
    """Text that follows an INCLUDE on its line is kept."""
    sql = library.expand("INCLUDE PERFETTO MODULE tpt.track; SELECT 1")
    assert sql.endswith(";\n\nSELECT 1")
    assert library.expand("INCLUDE PERFETTO MODULE tpt.track").endswith(";\n\n")


@pytest.mark.parametrize("name", ["tpt.gpu_slices", "tpt.collectives.*", "tpt"])
def test_unknown_modules(name: str) -> None:
    """Text for pasting is refused with what was meant; TraceProcessor refuses the script."""
    sql = f"INCLUDE PERFETTO MODULE {name};\nSELECT 1;"
    with pytest.raises(InputError, match=rf"includes {re.escape(name)}, which is no module; "):
        library.expand(sql)


def test_trace_processor_refuses_unknown_modules() -> None:
    """The error of a script that is run names the module."""
    sql = "INCLUDE PERFETTO MODULE tpt.gpu_slices;\nSELECT 1;"
    with engine.load([TRACE], source="t") as tp, pytest.raises(SqlError, match=r"tpt\.gpu_slices"):
        engine.rows(tp, sql)


def test_args_are_read_by_literals() -> None:
    """Names of args are those that macros and EXTRACT_ARG are given, in included modules, too."""
    sql = """
    INCLUDE PERFETTO MODULE tpt.memory_event;
    -- tpt_arg!(s.arg_set_id, 'in a comment')
    SELECT tpt_int_arg!(MAX(a, b), 'Input Dims[' || i || ']'), EXTRACT_ARG(x, 'debug.args.Seq')
    FROM slice WHERE category = 'kernel'
    """
    read = library.args_read(sql)
    assert {"Input Dims", "Seq", "Addr", "tpt_tid"} <= read
    assert not read & {"in a comment", "kernel"}
