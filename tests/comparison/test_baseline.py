"""Baselines: small JSON that gives back the samples of a side."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.support.comparing import STEP_KEY, a_side, change, kernel, verdicts
from tp_tools.comparison import baseline, compare
from tp_tools.comparison.model import Facts
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

STEADY = [100_000, 101_000, 99_000, 100_500, 99_500]


def test_a_side_comes_back(tmp_path: Path) -> None:
    """Samples, facts and names are as they were; kernels have their short names."""
    facts = Facts("B200", {"CUDA": "12.4"}, 8, "step", "decode", {"prefill": 2}, 7.0)
    side = a_side({"void ns::fwd<1>(int)": STEADY, "norm": [5] * 5}, facts=facts)
    file = tmp_path / "b.json"
    file.write_bytes(baseline.text(side))
    made = baseline.read(str(file))
    assert made.facts == facts
    assert made.samples == 5
    assert made.rows[kernel("fwd")].ns.tolist() == STEADY
    assert made.rows[STEP_KEY].ns.tolist() == [it + 5 for it in STEADY]
    assert baseline.is_baseline(str(file))
    assert verdicts(compare(side, made)) == {"fwd": "same", "norm": "same"}


def test_median_and_spread_are_there(tmp_path: Path) -> None:
    """For people: of 1..5 the median is 3, the quartiles 2 and 4."""
    made = json.loads(baseline.text(a_side({"k": [1, 2, 3, 4, 5]})))
    (row,) = (it for it in made["rows"] if it["level"] == "kernel")
    assert (row["median_ns"], row["spread_ns"], row["count"]) == (3, 2, 1)
    assert not baseline.is_baseline(str(tmp_path / "none.json"))


def test_many_samples_are_thinned() -> None:
    """Evenly, from the first to the last."""
    side = a_side({"k": list(range(1, 102))})
    made = json.loads(baseline.text(side, most_samples=5))
    assert made["samples"] == 5
    assert made["rows"][0]["ns"] == [1, 26, 51, 76, 101]


def test_a_baseline_is_compared(tmp_path: Path) -> None:
    """With a trace of now, as another trace would be."""
    file = tmp_path / "b.json"
    file.write_bytes(baseline.text(a_side({"k": STEADY})))
    found = compare(baseline.read(str(file)), a_side({"k": list(np.array(STEADY) * 1.1)}))
    assert change(found, "k").verdict == "slower"


SHORT = json.dumps(
    {
        "tp_tools_baseline": 1,
        "samples": 2,
        "name": "a",
        "facts": {},
        "rows": [{"level": "time", "name": "step", "detail": "", "count": 1, "ns": [1]}],
    }
)
"""A row with fewer samples than there are."""


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('{"tp_tools_baseline": 2}', "is a baseline of format 2"),
        ('{"tp_tools_baseline": 1, "samples": 2, "name": "a", "facts": {}', "is no baseline"),
        ('{"tp_tools_baseline": 1, "samples": 2, "name": "a", "facts": {}}', "is no baseline"),
        (SHORT, "is no baseline"),
        ('{"tp_tools_baseline": 1, "samples": 1, "name": "a", "facts": {}, "rows": []}', "is no"),
        ("[]", "is no baseline"),
    ],
)
def test_damaged_ones_are_refused(tmp_path: Path, content: str, said: str) -> None:
    """In one line, with what to do."""
    file = tmp_path / "b.json"
    file.write_text(content)
    with pytest.raises(InputError, match=said):
        baseline.read(str(file))
