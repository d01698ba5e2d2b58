"""The fixture `trace_gate`: what passes, fails, is skipped and written, in a pytest of its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.comparing import steps
from tests.support.handmade import text

if TYPE_CHECKING:
    from pathlib import Path

pytest_plugins = ["pytester"]

TEST = """
def test_it(trace_gate):
    trace_gate("{trace}", "perf.json", metrics={metrics})
"""


def recording(folder: Path, name: str, gemm: int, noise: int = 100) -> None:
    """Write six steps of two kernels."""
    them = [{"gemm": gemm + noise * place, "norm": 20_000} for place in (0, 3, -2, 1, -1, 2)]
    (folder / name).write_bytes(text(steps(*them)))


@pytest.fixture
def run(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    """A folder with a good, a slow and a noisy recording."""
    # pytest before 8.4 takes a test of the same size and second for the one that it compiled before
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    recording(pytester.path, "good.json", 50_000)
    recording(pytester.path, "slow.json", 60_000)
    recording(pytester.path, "noisy.json", 53_000, noise=9_000)
    return pytester


def outcome(
    run: pytest.Pytester, trace: str, *options: str, metrics: str = '["step_time"]'
) -> tuple[dict[str, int], str]:
    """Run a test that judges a trace; return the outcomes and what pytest printed."""
    run.makepyfile(TEST.format(trace=trace, metrics=metrics))
    # once, whether this environment has it as an entry point or not
    plugin = ("-p", "no:tp-tools", "-p", "tp_tools.comparison.pytest_plugin")
    # An inner faulthandler would take wasmtime's handlers of signals away from this process, which
    # the next trap of an engine would then end.
    without = ("-p", "no:faulthandler", "-p", "no:cacheprovider")
    result = run.runpytest_inprocess(*plugin, *without, "-rs", *options)
    return result.parseoutcomes(), result.stdout.str()


def test_a_baseline_is_written_and_judges(run: pytest.Pytester) -> None:
    """Equal speed passes, a slower one fails, and noise skips; each with the line of `gate`."""
    found, said = outcome(run, "good.json")
    assert found == {"failed": 1}
    assert "there is no baseline: `pytest --update-baselines` writes perf.json." in said
    assert outcome(run, "good.json", "--update-baselines")[0] == {"passed": 1}
    assert (run.path / "perf.json").exists()
    assert outcome(run, "good.json")[0] == {"passed": 1}
    found, said = outcome(run, "slow.json")
    assert found == {"failed": 1}
    assert "regression, more than 5 %. If that is meant, `pytest --update-baselines`" in said
    found, said = outcome(run, "noisy.json")
    assert found == {"skipped": 1}
    assert "cannot be judged: noise of" in said


def test_metrics(run: pytest.Pytester) -> None:
    """The worst decides, as for the command."""
    outcome(run, "good.json", "--update-baselines")
    assert outcome(run, "slow.json", metrics='["kernel:norm"]')[0] == {"passed": 1}
    assert outcome(run, "slow.json", metrics='["kernel:norm", "kernel:gemm"]')[0] == {"failed": 1}
