"""Tables: exact values beside those that people read."""

from __future__ import annotations

import re

from tp_tools.reporting.tables import (
    Column,
    Table,
    bandwidth,
    duration,
    html,
)


def markup(*rows: tuple[object, ...], unit: str = "ns") -> str:
    """A table of one column."""
    return "".join(html(Table([Column("key", "time", unit)], rows), "label"))  # type: ignore[arg-type]


def cells(text: str) -> list[str]:
    """What people read in the cells."""
    return re.findall(r"<td[^>]*>([^<]*)</td>", text)


def test_times_of_a_column_have_one_unit() -> None:
    """The longest decides, so that numbers below each other can be compared."""
    text = markup((1_500_000,), (900,), (0,))
    assert "time, ms" in text
    assert cells(text) == ["1.500", "0.001", "0.000"]
    assert 'data-value="900"' in text


def test_columns_that_are_parts_of_a_whole_have_one_unit() -> None:
    """Where a reader compares columns with each other, all times are in the unit of the longest."""
    columns = [Column("a", "idle", "ns"), Column("b", "busy", "ns"), Column("c", "count")]
    text = "".join(html(Table(columns, [(2_000_000, 1000, 3)], has_one_unit=True), "label"))
    assert "idle, ms" in text
    assert "busy, ms" in text
    assert cells(text) == ["2.000", "0.001", "3"]


def test_times_in_us_keep_their_value() -> None:
    """What SQL gives in us is read in the same units, and kept as SQL gave it."""
    text = markup((1500.25,), (-3.0,), unit="us")
    assert "time, ms" in text
    assert cells(text) == ["1.500", "-0.003"]
    assert 'data-value="1500.25"' in text


def test_what_is_not_known_is_no_zero() -> None:
    """NULL is a dash that says so, without a value."""
    text = markup((None,), (0,))
    assert cells(text) == ["-", "0"]
    assert text.count("data-value") == 1
    assert 'title="not known"' in text


def test_names_cannot_break_out() -> None:
    """Quotes and angle brackets stay text, in the cell and in its attributes."""
    name = '"><script>alert(1)</script>' + "x" * 100
    text = markup((name,), unit="name")
    assert "<script" not in text
    assert text.count('"') % 2 == 0
    assert "..." in cells(text)[0]


def test_numbers_are_read_in_fitting_units() -> None:
    """Three digits of a bandwidth, a unit for each duration that stands alone."""
    assert [bandwidth(it) for it in (0.01234, 1.5, 1234.4, 0.0)] == [
        "0.0123 GB/s",
        "1.50 GB/s",
        "1,234 GB/s",
        "0 GB/s",
    ]
    assert [duration(it) for it in (17_250, 12)] == ["17.250 \N{MICRO SIGN}s", "12 ns"]
