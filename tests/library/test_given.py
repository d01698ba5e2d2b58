"""What a query reads besides the modules whose rows are given to it."""

from __future__ import annotations

import pytest

from tp_tools import library

IN_PARTS = {
    name: library.parse(path.read_text("utf-8"), path.name).parts
    for name, path in library.queries().items()
}
LATENESS = """
INCLUDE PERFETTO MODULE tpt.collective.lateness;

SELECT * FROM tpt_collective_lateness!(sched);
"""


@pytest.mark.parametrize("name", [name for name, modules in IN_PARTS.items() if modules])
def test_queries_read_the_trace_through_what_parts_give(name: str) -> None:
    """The `Parts` of a header names all of it; without any of these more would have to be given."""
    sql, modules = library.read(library.queries()[name]), IN_PARTS[name]
    assert library.reads(sql, modules) == []
    for module in modules:
        others = [other for other in modules if other != module]
        given = {it.name for it in library.tables_read([sql], modules)}
        assert library.reads(sql, others) or not given.issuperset(
            it.name for it in library.tables_read([sql], others)
        )


def test_what_a_script_reads_is_told_from_what_it_makes() -> None:
    """Own tables, macros and WITHs are no reading; a WITH hides a table in its statement alone."""
    sql = (
        "INCLUDE PERFETTO MODULE tpt.rank_host;\n"
        "CREATE PERFETTO TABLE mine AS WITH thread AS (SELECT 1 AS n) SELECT * FROM thread;\n"
        "-- FROM sched\n"
        "WITH RECURSIVE far(n) AS NOT MATERIALIZED (SELECT n FROM mine JOIN Slice)\n"
        "SELECT ' FROM args ' FROM far, tpt_rank_host JOIN tpt_rank_host USING (n);"
    )
    assert library.reads(sql, ["tpt.rank_host"]) == ["slice"]
    assert library.reads(sql, []) == ["process", "slice", "thread"]


@pytest.mark.parametrize(
    ("sql", "read"),
    [
        ("SELECT EXTRACT_ARG(1, 'a'), trace_start()", ["extract_arg", "trace_start"]),
        ("SELECT n, s FROM (SELECT 1 AS n), slice AS s WHERE n = 1 ORDER BY n, s", ["slice"]),
        ("SELECT x FROM a JOIN b ON f(b.x, y), c GROUP BY x, y", ["a", "b", "c"]),
        (LATENESS, ["sched"]),
    ],
)
def test_all_that_a_script_reads_is_told(sql: str, read: list[str]) -> None:
    """Functions that read the trace, tables behind commas, and what macros are given."""
    modules = ["tpt.collective.part", "tpt.collective.context", "tpt.collective.work"]
    assert library.reads(sql, modules) == read


def test_the_columns_of_a_table_are_those_of_its_module() -> None:
    """With their types, without comments."""
    (table,) = library.tables("tpt.rank_host")
    assert table == library.Table("tpt_rank_host", (("rank", "LONG"), ("host", "STRING")))
    assert table.schema() == "tpt_rank_host(rank LONG, host STRING)"
