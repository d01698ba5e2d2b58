"""Bars carry their numbers, and their lengths are in proportion."""

from __future__ import annotations

from tp_tools.reporting.bars import Bar, Part, ranked, share_of, stacked


def test_parts_that_no_bar_has_are_left_out() -> None:
    """Bars keep the order of their parts, and the legend has those that are drawn."""
    split = [("a", "one", "red"), ("b", "two", "green"), ("c", "three", "blue")]
    chart = stacked(split, {"x": {"a": 3000, "b": 0, "c": 97_000}, "y": {"a": 0, "b": 0, "c": 0}})
    assert chart.legend == [("one", "red"), ("three", "blue")]
    assert [bar.number for bar in chart.bars] == ["100.000 \N{MICRO SIGN}s", "0 ns"]
    assert [part.label for part in chart.bars[0].parts] == ["", "97.0 %"]
    assert chart.longest == 100_000


def test_one_kind_needs_no_legend() -> None:
    """The colour of the only kind is explained by the title."""
    chart = ranked([("k", 5, "x", "hover")], {"x": ("work", "red"), "y": ("rest", "blue")})
    assert chart.legend == []
    assert chart.bars[0].number == "5 ns"


def test_bars_without_length_divide_by_no_zero() -> None:
    """All lengths are 0: nothing is drawn, and nothing fails."""
    assert ranked([("k", 0, "x", "")], {"x": ("work", "red")}).longest == 1
    assert stacked([], {}).longest == 1


def test_names_are_on_one_line() -> None:
    """Line breaks become spaces, and long names are shortened in the middle."""
    assert Bar("a\n b", [Part("n", "c", 1, "h")], "1").short_name == "a b"
    assert len(Bar("x" * 500, [], "1").short_name) < 100


def test_a_time_with_its_share() -> None:
    """One decimal of a per cent."""
    assert share_of(1_500_000, 6_000_000) == "1.500 ms, 25.0 %"
