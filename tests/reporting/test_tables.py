"""Tables show rounded numbers and hold the exact values."""

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
    """Render a table of one column."""
    return "".join(html(Table([Column("key", "time", unit)], rows), "label"))  # type: ignore[arg-type]


def cells(text: str) -> list[str]:
    """Return the visible text of the cells."""
    return re.findall(r"<td[^>]*>([^<]*)</td>", text)


def test_times_of_a_column_have_one_unit() -> None:
    """The longest time decides the unit, so that numbers of a column can be compared."""
    text = markup((1_500_000,), (900,), (0,))
    assert "time, ms" in text
    assert cells(text) == ["1.500", "0.001", "0.000"]
    assert 'data-value="900"' in text


def test_columns_to_be_compared_have_one_unit() -> None:
    """With `has_one_unit` the longest time of all columns decides the unit."""
    columns = [Column("a", "idle", "ns"), Column("b", "busy", "ns"), Column("c", "count")]
    text = "".join(html(Table(columns, [(2_000_000, 1000, 3)], has_one_unit=True), "label"))
    assert "idle, ms" in text
    assert "busy, ms" in text
    assert cells(text) == ["2.000", "0.001", "3"]


def test_times_in_us_keep_their_value() -> None:
    """Times in us are shown in the fitting unit, and `data-value` keeps us."""
    text = markup((1500.25,), (-3.0,), unit="us")
    assert "time, ms" in text
    assert cells(text) == ["1.500", "-0.003"]
    assert 'data-value="1500.25"' in text


def test_unknown_values_are_not_zero() -> None:
    """NULL is a dash with a tooltip, and has no `data-value`."""
    text = markup((None,), (0,))
    assert cells(text) == ["-", "0"]
    assert text.count("data-value") == 1
    assert 'title="not known"' in text


def test_names_are_escaped() -> None:
    """Quotes and angle brackets stay text, in the cell and in its attributes."""
    name = '"><script>alert(1)</script>' + "x" * 100
    text = markup((name,), unit="name")
    assert "<script" not in text
    assert text.count('"') % 2 == 0
    assert "..." in cells(text)[0]


def test_single_numbers_have_fitting_units() -> None:
    """Bandwidths have three digits; each duration has a unit of its own."""
    assert [bandwidth(gbps) for gbps in (0.01234, 1.5, 1234.4, 4e-6, 0.0)] == [
        "12.3 MB/s",
        "1.50 GB/s",
        "1.23 TB/s",
        "4.00 kB/s",
        "0 B/s",
    ]
    assert [duration(ns) for ns in (17_250, 12)] == ["17.250 \N{MICRO SIGN}s", "12 ns"]


def test_columns_of_which_nothing_is_known_are_named() -> None:
    """They take no room, and do not look as if they were 0."""
    columns = [Column("a", "op", "text"), Column("b", "Python line", "text"), Column("c", "count")]
    text = html(Table(columns, [(None, None, 1), (None, None, 2)], "And 3 more."), "label")
    assert cells(text) == ["1", "2"]
    assert "And 3 more. Not known of any row: op; Python line." in text
    assert cells(html(Table(columns, [(None, "x", 1)]), "label")) == ["x", "1"]
