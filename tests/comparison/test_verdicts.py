"""Verdicts as rows and tables for people."""

from __future__ import annotations

from tests.support.comparing import a_side
from tp_tools.comparison.gating import gate
from tp_tools.comparison.verdicts import BUSBW, UNJUDGED, Verdict, number

STEADY = [100_000, 101_000, 99_000, 100_500, 99_500]


def test_a_judgement_is_a_table() -> None:
    """Each metric is a row with its times and why; a metric that is missing has dashes."""
    slower = [1.2 * it for it in STEADY]
    found = gate(a_side({"k": STEADY}), a_side({"k": slower}), ("step_time", BUSBW))
    step, bus = (it.cells() for it in found.verdicts)
    assert step[:5] == ("step_time", "regression", "100.000 us", "120.000 us", "+20.0 %")
    assert step[5] == "regression, more than 5 %"
    assert bus[2:] == (None, None, None, "neither the baseline nor the trace has it")
    assert found._repr_html_().startswith("<p>regression</p><table")
    assert "<td>-</td>" in found._repr_html_()


def test_what_cannot_be_judged_at_all_is_said() -> None:
    """Of another program there are no rows, and the reason stands alone."""
    found = gate(a_side({"a": STEADY}), a_side({"b": STEADY, "c": STEADY}))
    assert found._repr_html_().startswith("<p>cannot be judged: only 0.0 %")
    assert "<table" not in found._repr_html_()


def test_units_are_those_of_the_metric() -> None:
    """A bandwidth is in GB/s, whatever else is a time."""
    assert number(BUSBW, 310.46) == "310.5 GB/s"
    assert number("step_time", 1_204_000.4) == "1.204 ms"
    assert Verdict(BUSBW, UNJUDGED, "busbw: cannot be judged: a: b").cells()[5] == "b"
