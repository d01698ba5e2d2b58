"""`tp-tools gate`: exit codes 0, 1 and 125, baselines, JSON, recordings."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.command_line import TpTools
from tests.support.comparing import steps
from tests.support.handmade import text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOISE = [0, 300, -200, 100, -100, 250]


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """The command line."""
    return TpTools(capsysbinary)


@pytest.fixture
def record(tmp_path: Path) -> Callable[..., Path]:
    """Writes a recording of six steps of two kernels."""

    def written(name: str, gemm: int = 50_000, kernel: str = "gemm", count: int = 6) -> Path:
        path = tmp_path / f"{name}.json"
        them = [{kernel: gemm + noise, "norm": 20_000} for noise in NOISE[:count]]
        path.write_bytes(text(steps(*them)))
        return path

    return written


def test_a_baseline_is_written_and_judges(
    tp_tools: TpTools, tmp_path: Path, record: Callable[..., Path]
) -> None:
    """0 for the same speed, 1 for a slower one; the line says why."""
    baseline = tmp_path / "perf.json"
    ran = tp_tools("gate", record("good"), "--baseline", baseline, "--update")
    assert (ran.code, ran.out) == (0, b"")
    assert ran.err.endswith("perf.json: 6 steps.\n")
    ran = tp_tools("gate", record("same", 50_050), "--baseline", baseline)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.decode().startswith("step_time 70.")
    ran = tp_tools("gate", record("bad", 60_000), "--baseline", baseline)
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.decode().endswith("regression, more than 5 %\n")
    ran = tp_tools("gate", record("bad"), "--baseline", baseline, "--max-regression", "20%")
    assert ran.code == 0


def test_a_trace_is_a_baseline(tp_tools: TpTools, record: Callable[..., Path]) -> None:
    """As good as a file of --update; and `diff` takes baselines, too."""
    good, bad = record("good"), record("bad", 60_000)
    assert tp_tools("gate", bad, "--baseline", good).code == 1
    assert tp_tools("gate", good, "--baseline", good).code == 0


def test_diff_takes_a_baseline(
    tp_tools: TpTools, tmp_path: Path, record: Callable[..., Path]
) -> None:
    """On either side."""
    tp_tools("gate", record("good"), "--baseline", tmp_path / "perf.json", "--update")
    said = tp_tools("diff", tmp_path / "perf.json", record("bad", 60_000)).out.decode()
    assert "Slower: gemm +10.0 us (+20.0 %)." in said
    said = tp_tools("diff", record("bad", 60_000), tmp_path / "perf.json").out.decode()
    assert said.startswith("B is faster.")


def test_what_cannot_be_judged(
    tp_tools: TpTools, tmp_path: Path, record: Callable[..., Path]
) -> None:
    """125 for another program, for one step, and for a trace that cannot be used."""
    good = record("good")
    other = tmp_path / "other.json"
    other.write_bytes(text(steps({"conv": 50_000, "pool": 9_000}, {"conv": 50_100, "pool": 9_000})))
    ran = tp_tools("gate", other, "--baseline", good)
    assert (ran.code, ran.err) == (125, "")
    assert ran.out.decode().startswith("cannot be judged: only 0.0 % of the time of kernels")
    one = record("one", 90_000, count=1)
    assert tp_tools("gate", one, "--baseline", good).code == 125
    ran = tp_tools("gate", tmp_path / "none.json", "--baseline", good)
    assert ran.code == 125
    assert ran.out.decode().startswith("cannot be judged: ")


def test_errors_of_usage(tp_tools: TpTools, tmp_path: Path, record: Callable[..., Path]) -> None:
    """A baseline that is not there is no reason to skip."""
    good = record("good")
    assert tp_tools("gate", good, "--baseline", tmp_path / "none.json").code == 3
    assert tp_tools("gate", good, "--baseline", good, "--metric", "speed").code == 2
    assert tp_tools("gate", good, "--baseline", good, "--max-regression", "much").code == 2
    assert tp_tools("gate", good, "--baseline", good, "--phase", "decode").code == 3
    assert tp_tools("gate", good, "--baseline", tmp_path / "perf.txt", "--update").code == 2


def test_json(tp_tools: TpTools, record: Callable[..., Path]) -> None:
    """One object with each metric."""
    ran = tp_tools(
        "gate",
        record("bad", 60_000),
        "--baseline",
        record("good"),
        *("--metric", "kernel:gemm", "--metric", "kernel:norm", "--summary", "json"),
    )
    assert ran.code == 1
    made = json.loads(ran.out)
    assert made["verdict"] == "regression"
    gemm, norm = made["metrics"]
    assert (gemm["verdict"], norm["verdict"]) == ("regression", "pass")
    assert gemm["change"] == pytest.approx(0.2, abs=0.001)
    assert gemm["low"] <= gemm["change"] <= gemm["high"]


def test_recordings_of_one_program(tp_tools: TpTools, record: Callable[..., Path]) -> None:
    """With --each three files are three samples; their steps are not."""
    good = [record(f"good{i}", 50_000 + 3_000 * i) for i in range(3)]
    bad = [record(f"bad{i}", 51_000 + 3_000 * i) for i in range(3)]
    ran = tp_tools("gate", bad[1], "--baseline", good[1], "--max-regression", "1%")
    assert ran.code == 1  # as if two recordings never differed
    baseline = good[0].with_name("perf.json")
    assert tp_tools("gate", *good, "--each", "--baseline", baseline, "--update").code == 0
    ran = tp_tools("gate", *bad, "--each", "--baseline", baseline, "--max-regression", "1%")
    assert ran.code == 125
