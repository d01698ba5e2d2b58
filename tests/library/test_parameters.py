"""Constants of a query file, replaced by others."""

import re

import pytest

from tp_tools import engine, library
from tp_tools.errors import UsageError
from tp_tools.library import with_parameters

SQL = """\
-- How long is long: tpt_long_ns, 1000 by default.
CREATE OR REPLACE PERFETTO FUNCTION tpt_long_ns()
RETURNS LONG AS
SELECT 1000;

CREATE OR REPLACE PERFETTO FUNCTION tpt_long_ns_and_more() RETURNS LONG AS SELECT  -7 ;

SELECT tpt_long_ns() AS long, tpt_long_ns_and_more() AS more, 1000 AS other;
"""
TRACE = b'{"traceEvents":[{"ph":"X","pid":1,"tid":1,"ts":1,"dur":1}]}'


@pytest.mark.parametrize(
    ("values", "row"),
    [
        ({}, (1000, -7, 1000)),
        ({"long_ns": 5}, (5, -7, 1000)),
        ({"long_ns": -5, "long_ns_and_more": 0}, (-5, 0, 1000)),
        ({"long_ns_and_more": (1 << 63) - 1}, (1000, (1 << 63) - 1, 1000)),
    ],
)
def test_the_query_answers_with_the_values_that_were_given(
    values: dict[str, int], row: tuple[int, ...], engine_name: str
) -> None:
    """Each function returns its own value; other numbers in the file stay."""
    with engine.load([TRACE], source="t", engine=engine_name) as tp:
        assert engine.rows(tp, with_parameters(SQL, values)) == [row]


def test_all_other_text_stays() -> None:
    """Comments and spacing too, so that line numbers of errors are those of the file."""
    assert with_parameters(SQL, {"long_ns": 1234}) == SQL.replace("SELECT 1000;", "SELECT 1234;")
    assert with_parameters(SQL, {}) == SQL


@pytest.mark.parametrize(
    "name", ["short_ns", "long", "long_ns_and", "long.ns", ".*", "tpt_long_ns"]
)
def test_a_name_that_is_not_there_is_refused(name: str) -> None:
    """By its whole name, without its prefix; a value is never silently left out."""
    with pytest.raises(UsageError, match=f"no parameter named {re.escape(name)}"):
        with_parameters(SQL, {name: 1})


def test_a_parameter_that_is_defined_twice_is_refused() -> None:
    """The later one would win, and only one would have been replaced on purpose."""
    with pytest.raises(UsageError, match="2 parameters named long_ns"):
        with_parameters(SQL + SQL, {"long_ns": 1})


def test_the_library_has_the_parameters_that_are_set() -> None:
    """The tolerance of `fix` is a parameter of the modules that sql/overlaps.sql includes."""
    sql = library.expand(library.read(library.find("overlaps")))
    assert with_parameters(sql, {"tolerance_ns": 7}) != sql
