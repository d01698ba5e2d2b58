"""Judgement of metrics by a baseline: pass, regression, or not to be judged."""

from __future__ import annotations

import numpy as np
import pytest
from msgspec.structs import replace

from tests.support.comparing import STEP_KEY, a_side
from tp_tools.comparison.gating import check, gate, judge
from tp_tools.comparison.model import BUS, COLLECTIVE, TIME, Key, Samples, Side
from tp_tools.comparison.verdicts import BUSBW, PASS, REGRESSION, UNJUDGED
from tp_tools.errors import UsageError

STEADY = [100_000, 101_000, 99_000, 100_500, 99_500]
NOISY = [60_000, 140_000, 80_000, 120_000, 100_000]


def scaled(ns: list[float] | list[int], by: float) -> list[float]:
    """The same steps, slower or faster."""
    return [by * it for it in ns]


@pytest.mark.parametrize(
    ("before", "after", "code", "said"),
    [
        (STEADY, STEADY[::-1], PASS, "100.000 us -> 100.000 us (+0.0 %), 95 %: -"),
        (STEADY, scaled(STEADY, 1.04), PASS, "at most 5 %"),
        (STEADY, scaled(STEADY, 0.5), PASS, "at most 5 %"),
        (STEADY, scaled(STEADY, 1.06), REGRESSION, "regression, more than 5 %"),
        (STEADY, scaled(STEADY, 2), REGRESSION, "100.000 us -> 200.000 us (+100.0 %)"),
        (NOISY, scaled(NOISY, 1.1), UNJUDGED, "hides a change of 5 %"),
        (NOISY, NOISY[::-1], UNJUDGED, "hides a change of 5 %"),
        (NOISY, scaled(NOISY, 3), REGRESSION, "more than 5 %"),
        ([100], [100], PASS, "not worse"),
        ([100], [90], PASS, "not worse"),
        ([100], [200], UNJUDGED, "one sample a side says nothing about noise"),
    ],
)
def test_step_time(before: list[float], after: list[float], code: int, said: str) -> None:
    """More than 5 % worse and no noise is a regression; noise beyond that cannot be judged."""
    found = judge(a_side({"k": before}), a_side({"k": after}), "step_time", 0.05)
    assert found.code == code, found.why
    assert said in found.why


def parts(**ns: float) -> Side:
    """A side of two steps with parts of ns each."""
    side = a_side({"gemm": [70, 72], "gemv": [10, 10]})
    rows = {Key(TIME, name): Samples(np.ones(2), np.full(2, it)) for name, it in ns.items()}
    return replace(side, rows={**side.rows, **rows})


@pytest.mark.parametrize(
    ("metric", "before", "now"),
    [
        ("gpu_busy", 50 + 8 + 2, 60 + 8 + 2),
        ("exposed_comm", 8, 8),
        ("launch_gap", 20, 40),
        ("kernel:gem*", 81, 81),
        ("kernel:gemv", 10, 10),
    ],
)
def test_metrics_by_hand(metric: str, before: float, now: float) -> None:
    """Sums of parts of a step, and of kernels by a pattern."""
    a = parts(compute=50, communication=8, copy=2, cpu=20)
    b = parts(compute=60, communication=8, copy=2, cpu=40)
    found = judge(a, b, metric, 0.05)
    assert (found.before, found.now) == (before, now)
    assert found.code == (REGRESSION if now > before else PASS)


def with_bus(ns: float) -> Side:
    """A side whose all-reduces move 400 bytes times the factor in so many ns a step."""
    side = a_side({"k": [100, 102, 101]})
    rows = {
        Key(COLLECTIVE, "all_reduce", "tp"): Samples(np.ones(3), np.array([ns, ns + 1, ns - 1])),
        Key(BUS, "all_reduce", "tp"): Samples(np.ones(3), np.full(3, 400.0)),
    }
    return replace(side, rows={**side.rows, **rows})


def test_busbw() -> None:
    """400 bytes in 100 ns are 4 GB/s; 2 GB/s are twice the time per byte."""
    found = judge(with_bus(100), with_bus(200), BUSBW, 0.05)
    assert found.code == REGRESSION
    assert found.before == pytest.approx(4, rel=1e-3)
    assert found.change == pytest.approx(1, abs=0.01)
    assert judge(with_bus(200), with_bus(100), BUSBW, 0.05).code == PASS


def test_a_metric_that_a_side_lacks() -> None:
    """It cannot be judged, and says which side lacks it."""
    a, b = a_side({"k": STEADY}), with_bus(100)
    assert "the baseline does not have it" in judge(a, b, BUSBW, 0.05).why
    assert "the trace does not have it" in judge(b, a, BUSBW, 0.05).why
    neither = judge(a, a, "kernel:none", 0.05)
    assert (neither.code, neither.before) == (UNJUDGED, None)
    assert "neither the baseline nor the trace" in neither.why


def test_the_worst_metric_decides() -> None:
    """A regression before what cannot be judged, that before a pass."""
    a, b = a_side({"k": STEADY}), a_side({"k": scaled(STEADY, 1.2)})
    assert gate(a, b, ("busbw", "step_time")).code == REGRESSION
    assert gate(a, a, ("busbw", "step_time")).code == UNJUDGED
    assert gate(a, a, ("kernel:k", "step_time")).code == PASS
    assert gate(a, b, ("busbw", "step_time")).as_object()["verdict"] == "regression"


def test_other_programs_cannot_be_judged() -> None:
    """Whatever the metrics are."""
    found = gate(a_side({"a": STEADY}), a_side({"b": STEADY, "c": STEADY}))
    assert found.code == UNJUDGED
    assert found.lines()[0].startswith("cannot be judged: only 0.0 % of the time of kernels")


@pytest.mark.parametrize("metric", ["time", "kernel:", "kernel:GLOB", "kernel", "op:x"])
def test_metrics_that_there_are_not(metric: str) -> None:
    """They are errors of usage."""
    with pytest.raises(UsageError, match="is no metric"):
        check((metric,))


def test_metrics_that_there_are() -> None:
    """Names, and patterns of kernels and modules."""
    check(("step_time", "gpu_busy", "busbw", "exposed_comm", "launch_gap", "kernel:a*", "module:*"))
    assert STEP_KEY in a_side({"k": STEADY}).rows
