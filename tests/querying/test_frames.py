"""Answers as files: every row, once, however many there are, in bytes that others read."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pandas as pd
import pytest
from pyarrow import parquet

from tp_tools.engine import Rows
from tp_tools.querying import frames
from tp_tools.querying.frames import frame

if TYPE_CHECKING:
    from tp_tools.querying.frames import Format


TOO_BIG = (1 << 62) + 1  # no float64 holds it


def text(answer: Rows, form: Format, at_once: int = frames.ROWS_AT_ONCE) -> str:
    """The whole file."""
    return b"".join(frames.written(answer, form, at_once)).decode()


@pytest.mark.parametrize("count", range(8))
def test_every_row_is_there(count: int) -> None:
    """Rows come whole and once, where a batch of them ends as well."""
    answer = Rows(("i", "name"), [(i, f"k{i}") for i in range(count)])
    assert json.loads(text(answer, "json", 3)) == [{"i": i, "name": f"k{i}"} for i in range(count)]
    assert list(csv.reader(io.StringIO(text(answer, "csv", 3)))) == [
        ["i", "name"],
        *([str(i), f"k{i}"] for i in range(count)),
    ]
    table = parquet.read_table(io.BytesIO(b"".join(frames.written(answer, "parquet"))))
    assert table.to_pydict() == {"i": list(range(count)), "name": [f"k{i}" for i in range(count)]}


def test_values_that_text_has_no_place_for() -> None:
    """A BLOB is hexadecimal; an infinity, which JSON does not have, is null there."""
    answer = Rows(("blob", "ratio"), [(b"\x00\xff", float("inf"))])
    assert json.loads(text(answer, "json")) == [{"blob": "00ff", "ratio": None}]
    assert text(answer, "csv") == "blob,ratio\n00ff,inf\n"


def test_names_with_line_breaks_and_beyond_ascii() -> None:
    """Text survives: quotes, line breaks, letters of any alphabet."""
    answer = Rows(("name",), [('a "b",\nc',), ("\u00e9\u4e2d",), ("",)])
    assert [row["name"] for row in json.loads(text(answer, "json"))] == [r[0] for r in answer.rows]
    assert [tuple(row) for row in csv.reader(io.StringIO(text(answer, "csv")))][1:] == answer.rows


@pytest.mark.parametrize(
    ("cells", "dtype"),
    [
        ([1, TOO_BIG], "int64"),
        ([1, None, TOO_BIG], "Int64"),
        ([0.5, None], "float64"),
        ([1, 0.5], "float64"),
        ([TOO_BIG, 0.5], "object"),
        ([None, None], "object"),
        ([b"x", None], "object"),
        ([1, "x"], "object"),
    ],
)
def test_types_hold(cells: list[object], dtype: str) -> None:
    """Integers never pass through a float: big ones come back exactly, beside NULLs as well."""
    column = frame(Rows(("c",), [(cell,) for cell in cells]))["c"]
    assert column.dtype == dtype
    assert [None if pd.isna(cell) else cell for cell in column] == cells


def test_text_is_as_pandas_has_it() -> None:
    """Text with NULLs is what pandas makes of such a list."""
    got = frame(Rows(("c",), [("x",), (None,)]))["c"]
    pd.testing.assert_series_equal(got, pd.Series(["x", None], name="c"))


def test_empty_answers_keep_their_columns() -> None:
    """No rows is a frame with all its columns; no columns is an empty frame."""
    assert list(frame(Rows(("ts", "name"), [])).columns) == ["ts", "name"]
    assert frame(Rows(("ts", "name"), [])).shape == (0, 2)
    assert frame(Rows((), [])).shape == (0, 0)


def test_columns_of_one_name_stay_apart() -> None:
    """SQL allows two columns of one name; both stay."""
    table = frame(Rows(("id", "id"), [(1, "x")]))
    assert table.to_numpy().tolist() == [[1, "x"]]
    assert list(table.columns) == ["id", "id"]
