"""Parameters of queries: declared in the header, typed, and put into the text as macros."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tp_tools import engine, library
from tp_tools.errors import InputError, UsageError
from tp_tools.library import with_macros

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.engine.processor import Processor
    from tp_tools.library.settings import Value

TRACE = b'{"traceEvents":[{"ph":"X","pid":1,"tid":1,"ts":1,"dur":1}]}'
QUERY = """\
-- Example: one of each type.
--
-- Set: count INT = 7  how many
-- Set: share FLOAT = 0.5
-- Set: name TEXT = 'a b'  a name (any)
-- Set: none TEXT
-- Set: steps RANGE  only these steps (with tpt.step needing cpu_op, user_annotation)
-- Needs: kernel

SELECT
  tpt_set_count!(), tpt_set_share!(), tpt_set_name!(), tpt_set_none!(), tpt_set_steps!(4);
"""


@pytest.fixture(scope="module")
def tp() -> Iterator[Processor]:
    """An engine with a small trace."""
    with engine.load([TRACE], source="t") as loaded:
        yield loaded


def answer(tp: Processor, **values: Value) -> tuple[Any, ...]:
    """The row of the example with these values."""
    (row,) = engine.rows(tp, with_macros(QUERY, "q.sql", values))
    return row


def test_defaults(tp: Processor) -> None:
    """Without values a parameter has its default, NULL where there is none; a range is open."""
    assert answer(tp) == (7, 0.5, "a b", None, 1)


def test_values(tp: Processor) -> None:
    """A value takes the place of the default, until the next text of the session."""
    assert answer(tp, count="-3", share=2, name="", none="x") == (-3, 2.0, "", "x", 1)
    assert answer(tp) == (7, 0.5, "a b", None, 1)


@pytest.mark.parametrize(
    ("given", "has_four"),
    [
        (4, 1),
        ("4", 1),
        ("3..5", 1),
        ("5..9", 0),
        ("..4", 1),
        ("..3", 0),
        ("5..", 0),
        ((4, None), 1),
        ((None, 3), 0),
        ((-9, 9), 1),
    ],
)
def test_ranges(tp: Processor, given: Value, has_four: int) -> None:
    """A range holds its ends; one of them may be left out."""
    assert answer(tp, steps=given)[-1] == has_four


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", "1.5"),
        ("count", "1; DROP TABLE x"),
        ("count", True),
        ("count", 1 << 63),
        ("share", "nan"),
        ("share", "1e999"),
        ("share", "x"),
        ("name", "a\0b"),
        ("steps", "5..3"),
        ("steps", ".."),
        ("steps", "a..b"),
        ("steps", "1..2 OR 1"),
        ("steps", (None, None)),
    ],
)
def test_values_of_another_type_are_refused(name: str, value: Value) -> None:
    """The error names the parameter, the value and what it must be."""
    with pytest.raises(UsageError, match=rf"--set {name}=.*it must be ") as caught:
        with_macros(QUERY, "q.sql", {name: value})
    assert str(value) in str(caught.value)


def test_unknown_parameters_are_refused() -> None:
    """The error lists those that the query declares."""
    with pytest.raises(UsageError, match=r"q\.sql has no parameter rank; .*count \(INT\).*steps"):
        with_macros(QUERY, "q.sql", {"rank": 0})
    with pytest.raises(UsageError, match="declares: none"):
        with_macros("SELECT 1", "q.sql", {"rank": 0})


@given(text=st.text(st.characters(exclude_characters="\0", exclude_categories=("Cs",))))
@example(text="a\xa0b'; DROP TABLE slice; --")
def test_text_is_a_value_whatever_is_in_it(tp: Processor, text: str) -> None:
    """Quotes, comments and statements in a text stay in it."""
    assert answer(tp, name=text)[2] == text


@pytest.mark.parametrize(
    "line",
    ["Rank RANGE", "rank", "rank LIST", "rank RANGE = 3", "n INT = x", "n FLOAT = 'a'"],
)
def test_wrong_declarations_are_refused(line: str) -> None:
    """The error quotes the line."""
    with pytest.raises(InputError, match=re.escape(f"its header says 'Set: {line}'")):
        library.parse(f"-- Own: x\n--\n-- Set: {line}\nSELECT 1", "own.sql")


def test_a_parameter_is_declared_once() -> None:
    """Two declarations of one name are an error that names it."""
    with pytest.raises(InputError, match="declares n twice"):
        library.parse("-- Own: x\n--\n-- Set: n INT\n-- Set: n TEXT\nSELECT 1", "own.sql")


def test_a_value_may_need_more() -> None:
    """Categories and the module in brackets are needed where the parameter has a value."""
    header = library.parse(QUERY, "q.sql")
    assert header.needing({}).needs == {"kernel"}
    assert header.needing({"count": 1}).needs == {"kernel"}
    assert header.needing({"steps": 1}).needs == {"kernel", "cpu_op", "user_annotation"}
    assert "tpt.step;" not in with_macros(QUERY, "q.sql")
    assert "INCLUDE PERFETTO MODULE tpt.step;" in with_macros(QUERY, "q.sql", {"steps": 1})


def test_assignments() -> None:
    """NAME=VALUE; a value may hold more of them."""
    assert library.assignments(["a=1", "b=x=y", "c="]) == {"a": "1", "b": "x=y", "c": ""}
    for wrong in (["a"], ["=1"], ["a=1", "a=2"]):
        with pytest.raises(UsageError):
            library.assignments(wrong)
