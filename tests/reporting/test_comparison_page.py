"""The page of a comparison: its pictures by hand, its tables, and that it holds all of itself."""

from __future__ import annotations

import re

import numpy as np
from msgspec.structs import replace

from tests.support.comparing import a_side
from tp_tools.comparison import compare
from tp_tools.comparison.model import TIME, Key, Samples, Side
from tp_tools.reporting.comparison_page import WIDTH, Bar, Block, html, timeline, waterfall

STEADY = [100_000, 101_000, 99_000, 100_500, 99_500]


def with_parts(side: Side, **ns: float) -> Side:
    """The side, with parts of a step of ns each."""
    rows = {
        Key(TIME, name): Samples(np.ones(side.samples), np.full(side.samples, it))
        for name, it in ns.items()
    }
    return replace(side, rows={**side.rows, **rows})


def test_the_waterfall_by_hand() -> None:
    """From 80 over +40 of compute and -20 of the CPU to 100, which 120 units would hold."""
    a = with_parts(a_side({"k": [80, 80]}), compute=50.0, cpu=30.0)
    b = with_parts(a_side({"k": [100, 100]}), compute=90.0, cpu=10.0)
    unit = WIDTH / 120
    assert list(waterfall(compare(a, b))) == [
        Bar("A", 0, 80 * unit, "whole", "80 ns"),
        Bar("compute", 80 * unit, 40 * unit, "more", "+40 ns"),
        Bar("cpu", 100 * unit, 20 * unit, "less", "-20 ns"),
        Bar("B", 0, 100 * unit, "whole", "100 ns"),
    ]


def test_what_parts_do_not_explain_is_a_bar() -> None:
    """Typical parts need not add up: 5 of 20 are of no part."""
    a = with_parts(a_side({"k": [80, 80]}), compute=50.0)
    b = with_parts(a_side({"k": [100, 100]}), compute=65.0)
    assert [(it.name, it.text) for it in waterfall(compare(a, b))] == [
        ("A", "80 ns"),
        ("compute", "+15 ns"),
        ("other", "+5 ns"),
        ("B", "100 ns"),
    ]


def test_the_timeline_by_hand() -> None:
    """Both steps on the scale of the longer one; a slower kernel has a colour of its own."""
    a = a_side({"gemm": STEADY, "norm": [100] * 5}, spans=[(0, 400), (500, 100)])
    slower = [2 * it for it in STEADY]
    b = a_side({"gemm": slower, "norm": [100] * 5}, spans=[(0, 800), (900, 100)])
    unit = WIDTH / 1000
    assert timeline(compare(a, b)) == [
        (
            "A",
            [
                Block(0, 400 * unit, "slower", "gemm, 400 ns"),
                Block(500 * unit, 100 * unit, "compute", "norm, 100 ns"),
            ],
            "600 ns",
        ),
        (
            "B",
            [
                Block(0, 800 * unit, "slower", "gemm, 800 ns"),
                Block(900 * unit, 100 * unit, "compute", "norm, 100 ns"),
            ],
            "1.0 us",
        ),
    ]


def test_small_launches_are_joined() -> None:
    """Ten thousand launches side by side are fewer blocks than the picture is wide."""
    spans = [(10 * i, 9) for i in range(10_000)]
    side = a_side({"k": STEADY}, ["k"] * 10_000, spans=spans)
    (_, blocks, _), _ = timeline(compare(side, side))
    assert len(blocks) <= WIDTH


def test_no_timeline_without_launches() -> None:
    """As with a baseline."""
    side = a_side({"k": STEADY})
    assert timeline(compare(side, replace(side, launches=None))) == []


def test_the_page_holds_all_of_itself() -> None:
    """No script, no address; names of kernels are escaped; equal comparisons give equal text."""
    a = a_side({"gemm": STEADY, "<script>alert(1)</script>": STEADY}, spans=[(0, 9), (9, 9)])
    b = a_side({"gemm": [2 * it for it in STEADY], "<b>": STEADY}, spans=[(0, 9), (9, 9)])
    found = compare(a, b, exact=True)
    page = html(found)
    assert page == html(found)
    assert "<script" not in page
    assert "&lt;b&gt;" in page
    assert not re.findall(r"(?:src|href)=|https?:", page)
    assert "B is slower. Step time" in page


def test_what_cannot_be_compared_has_no_pictures() -> None:
    """Only the reason, and the tables."""
    page = html(compare(a_side({"a": STEADY}), a_side({"b": STEADY, "c": STEADY})))
    assert "Cannot compare: only 0.0\xa0%" in page
    assert "<svg" not in page
