"""Comparisons from Python: the same answers as the commands give, and no output."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import tp_tools
from tests.support.command_line import TpTools
from tests.support.comparing import change, steps
from tests.support.handmade import text
from tp_tools.comparison import report
from tp_tools.errors import InputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """A recording of six steps, and a slower one."""
    made = tmp_path / "good.json", tmp_path / "slow.json"
    for path, gemm in zip(made, (50_000, 60_000), strict=True):
        them = [{"gemm": gemm + 100 * noise, "norm": 20_000} for noise in (0, 3, -2, 1, -1, 2)]
        path.write_bytes(text(steps(*them)))
    return made


def test_diff(pair: tuple[Path, Path], capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """The object is that of `tp-tools diff --format json`; nothing is printed."""
    found = tp_tools.diff(*pair)
    assert found.step.diff_ns == pytest.approx(10_000)
    assert change(found, "gemm").verdict == "slower"
    assert capsysbinary.readouterr() == (b"", b"")
    ran = TpTools(capsysbinary)("diff", *pair, "--format", "json")
    assert report.as_object(found) == json.loads(ran.out)


def test_gate(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """By a trace, by a baseline, by several recordings."""
    good, slow = pair
    assert tp_tools.gate(good, good).verdict == "pass"
    assert tp_tools.gate([slow], good, metrics=["kernel:norm"]).verdict == "pass"
    tp_tools.write_baseline(good, tmp_path / "perf.json")
    found = tp_tools.gate(slow, tmp_path / "perf.json")
    assert found.verdict == "regression"
    assert found.lines()[0].startswith("step_time 70.")
    assert tp_tools.gate([slow] * 3, good, each=True).verdict == "regression"


def test_errors(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """As the commands have them."""
    with pytest.raises(UsageError, match="speed: is no metric"):
        tp_tools.gate(*pair, metrics=["speed"])
    with pytest.raises(UsageError, match="phase decode"):
        tp_tools.diff(*pair, phase="decode")
    with pytest.raises(InputError, match=r"none\.json"):
        tp_tools.gate(pair[0], tmp_path / "none.json")
