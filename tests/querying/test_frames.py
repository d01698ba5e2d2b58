"""Answers as files: every row, once, however many there are, in bytes that others read."""

from __future__ import annotations

import csv
import io
import json
from typing import TYPE_CHECKING

import pytest
from pyarrow import parquet

from tp_tools.engine import Rows
from tp_tools.querying import frames

if TYPE_CHECKING:
    from tp_tools.querying.frames import Format


def text(answer: Rows, form: Format) -> str:
    """The whole file."""
    return b"".join(frames.written(answer, form)).decode()


@pytest.mark.parametrize("count", range(8))
def test_every_row_is_there(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Rows come whole and once, where a batch of them ends as well."""
    monkeypatch.setattr(frames, "ROWS_AT_ONCE", 3)
    answer = Rows(("i", "name"), [(i, f"k{i}") for i in range(count)])
    assert json.loads(text(answer, "json")) == [{"i": i, "name": f"k{i}"} for i in range(count)]
    assert list(csv.reader(io.StringIO(text(answer, "csv")))) == [
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
