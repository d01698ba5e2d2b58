"""Comparisons of sides made by hand: each verdict, renamed kernels, shares, what cannot be."""

from __future__ import annotations

import numpy as np
import pytest

from tests.support.comparing import STEP_KEY, a_side, change, kernel, verdicts
from tp_tools.comparison import Rules, compare
from tp_tools.comparison.model import CHANGED, KERNEL, Facts, Key, Samples, Side

STEADY = [100_000, 101_000, 99_000, 100_500, 99_500]
"""ns of a kernel in five steps."""


def scaled(by: float) -> list[float]:
    """The same kernel, slower or faster."""
    return [by * it for it in STEADY]


def test_a_side_against_itself() -> None:
    """Nothing changed, and each row says so."""
    side = a_side({"gemm": STEADY, "norm": scaled(0.1)})
    found = compare(side, side)
    assert found.step.verdict == "same"
    assert {it.verdict for it in found.changes} == {"same"}
    assert (found.cannot, found.notes) == ((), ())


def test_slower_faster_and_noise() -> None:
    """Ten per cent stand out of one per cent of noise; half a per cent does not count.

    gemm: 100,000 to 110,000 ns; norm: 20,000 to 15,000; act: 50,000 to 50,250. The step, of all
    three: 170,000 to 175,250, so that gemm has 10,000 / 5,250 of the change.
    """
    a = a_side({"gemm": STEADY, "norm": scaled(0.2), "act": scaled(0.5)})
    b = a_side({"gemm": scaled(1.1), "norm": scaled(0.15), "act": scaled(0.5025)})
    found = compare(a, b)
    assert verdicts(found) == {"gemm": "slower", "norm": "faster", "act": "within noise"}
    gemm = change(found, "gemm")
    assert (gemm.mean_a, gemm.total_a) == (100_000, 500_000)
    assert gemm.mean_b == pytest.approx(110_000)
    assert gemm.relative == pytest.approx(0.1)
    assert gemm.low is not None
    assert gemm.high is not None
    assert 8_000 < gemm.low < 10_000 < gemm.high < 12_000
    assert found.step.verdict == "slower"
    assert gemm.share == pytest.approx(10_000 / 5_250)


def test_the_step_is_asked_alone() -> None:
    """Many noisy kernels, each 6 % slower, hide it one by one; the step that they make tells it."""
    random = np.random.default_rng(1)

    def recorded(factor: float) -> Side:
        noise = random.normal(factor, 0.25, (80, 10))
        return a_side({f"k{i}": list(np.round(10_000 * row)) for i, row in enumerate(noise)})

    found = compare(recorded(1), recorded(1.06))
    assert found.step.verdict == "slower"
    assert not [it for it in found.of(KERNEL) if it.verdict in CHANGED]
    assert found.step.p is not None
    assert found.step.p * len(found.changes) > 0.05


def test_shares_need_a_change_of_the_step() -> None:
    """Where the step is within noise, no row is a share of its change."""
    a = a_side({"gemm": STEADY, "norm": scaled(0.2)})
    b = a_side({"gemm": STEADY[::-1], "norm": scaled(0.21)})
    found = compare(a, b)
    assert found.step.verdict == "within noise"
    assert [it.share for it in found.changes] == [None, None]


def test_the_largest_difference_is_first() -> None:
    """Of a level; whatever its sign."""
    a = a_side({"x": scaled(0.2), "y": STEADY, "z": scaled(0.5)})
    b = a_side({"x": scaled(0.3), "y": scaled(0.5), "z": scaled(0.7)})
    assert [it.key.name for it in compare(a, b).of(KERNEL)] == ["y", "z", "x"]


def test_new_and_gone() -> None:
    """A kernel that only one side has, in most of its steps."""
    a = a_side({"gemm": STEADY, "old": scaled(0.1), "rare": [0, 0, 0, 0, 50_000]})
    b = a_side({"new": scaled(0.1), "gemm": STEADY, "more": scaled(0.1)})
    assert verdicts(compare(a, b)) == {
        "gemm": "same",
        "old": "gone",
        "new": "new",
        "more": "new",
        "rare": "within noise",
    }


def test_a_renamed_kernel_is_one_row() -> None:
    """Another tile of a GEMM stands at the same place: compared, and neither new nor gone."""
    a = a_side({"gemm_128": STEADY, "norm": scaled(0.1)}, ["norm", "gemm_128", "norm"])
    b = a_side({"gemm_256": scaled(0.8), "norm": scaled(0.1)}, ["norm", "gemm_256", "norm"])
    found = compare(a, b)
    row = change(found, "gemm_256")
    assert (row.was, row.verdict) == ("gemm_128", "faster")
    assert row.relative == pytest.approx(-0.2)
    assert len(found.of(KERNEL)) == 2


def test_kernels_of_one_short_name_are_one_row() -> None:
    """Template arguments make no other kernel, but with `exact`."""
    a = a_side({"void fwd<1>(int)": STEADY, "void fwd<2>(int)": STEADY})
    b = a_side({"void fwd<1>(int)": STEADY, "void fwd<3>(int)": STEADY})
    assert verdicts(compare(a, b)) == {"fwd": "same"}
    assert change(compare(a, b, exact=True), "void fwd<3>(int)").was == "void fwd<2>(int)"


def test_a_small_row_is_too_little() -> None:
    """What takes less than 0.1 % of a step is not judged, unless rules say so."""
    a = a_side({"gemm": STEADY, "tiny": scaled(0.0002)})
    b = a_side({"gemm": STEADY, "tiny": scaled(0.0004)})
    assert verdicts(compare(a, b))["tiny"] == "too little"
    assert verdicts(compare(a, b, Rules(least_share=0.0001)))["tiny"] == "slower"


def test_one_step_says_nothing_about_noise() -> None:
    """Differences are there, but no verdict."""
    found = compare(a_side({"gemm": [100], "norm": [9]}), a_side({"gemm": [200], "norm": [9]}))
    assert verdicts(found) == {"gemm": "not tested", "norm": "same"}
    assert change(found, "gemm").relative == 1
    assert "says nothing about noise" in found.notes[-1]


def test_two_steps_may_be_too_few() -> None:
    """All of B above all of A, but a test of many rows cannot be sure."""
    names = [f"k{i}" for i in range(30)]
    a = a_side({name: [100 + i, 110 + i] for i, name in enumerate(names)})
    b = a_side({name: [100 + i, 110 + i] for i, name in enumerate(names)} | {"k3": [150, 165]})
    assert verdicts(compare(a, b))["k3"] == "unclear"


def test_other_programs_cannot_be_compared() -> None:
    """The reason names what is unlike."""
    a = a_side({"gemm": STEADY, "norm": scaled(0.1)}, facts=Facts(gpu="H100"))
    b = a_side({"conv": STEADY, "pool": scaled(0.1)}, facts=Facts(gpu="MI300"))
    assert compare(a, b).cannot == (
        "only 0.0 % of the time of kernels is of kernels that both sides have",
        "another GPU: H100 in A, MI300 in B",
        "both sides have 0 of 4 kernels by name: perhaps another model",
    )
    assert compare(a, b, Rules(least_matched=0)).cannot == ()


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({"graph_share": 1}, "CUDA graphs are on in one of them"),
        ({"grids": ["2 x 1 x 1"]}, "another grid: perhaps other shapes"),
        ({"facts": Facts(gpu="B200")}, "Another GPU: H100 in A, B200 in B."),
        ({"facts": Facts(ranks=2)}, "1 rank in A, 2 in B."),
        ({"facts": Facts(versions={"CUDA": "13.0"})}, "CUDA: 12.4 in A, 13.0 in B."),
        ({"facts": Facts(outside_ns=100_000)}, "B: 100.0 us of GPU work is of no step"),
        ({"facts": Facts(left_out={"prefill": 3}, phase="decode")}, "3 steps of phase prefill"),
    ],
)
def test_notes(more: dict[str, object], said: str) -> None:
    """What is unlike is said, though kernels match."""
    facts = Facts(gpu="H100", versions={"CUDA": "12.4"})
    a = a_side({"gemm": STEADY}, facts=facts, grids=["1 x 1 x 1"])
    b = a_side({"gemm": STEADY}, **{"grids": ["1 x 1 x 1"], **more})  # type: ignore[arg-type]
    assert said in " ".join(compare(a, b).notes)


def test_sides_without_launches() -> None:
    """As of a baseline: nothing is renamed, and all else is compared."""
    rows = {STEP_KEY: Samples(*[a_side({"k": STEADY}).rows[STEP_KEY].ns] * 2)}
    rows[Key(KERNEL, "k", "compute")] = a_side({"k": STEADY}).rows[kernel("k")]
    found = compare(Side("a", 5, rows), a_side({"k": scaled(1.1)}))
    assert verdicts(found) == {"k": "slower"}
