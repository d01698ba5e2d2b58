"""The action for GitHub: its steps are run as a runner would, with the tool that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from fixtures.make import HERE
from tests.support.comparing import steps
from tests.support.handmade import text

ACTION = yaml.safe_load((Path(__file__).parent.parent / "action.yml").read_text())
CHECK, GATE = ACTION["runs"]["steps"][1:]


@pytest.fixture
def runner(tmp_path: Path) -> Path:
    """A folder in which the first step has installed the tool."""
    tools = tmp_path / "temp" / "tp-tools" / "bin"
    tools.mkdir(parents=True)
    (tools / "tp-tools").symlink_to(Path(sys.executable).with_name("tp-tools"))
    for name, gemm, noise in (("good", 50, 0.1), ("slow", 60, 0.1), ("noisy", 53, 9)):
        them = [
            {"gemm": int(1000 * (gemm + noise * it)), "norm": 20_000} for it in (0, 3, -2, 1, -1, 2)
        ]
        (tmp_path / f"{name} one.json").write_bytes(text(steps(*them)))
    return tmp_path


def run(step: dict[str, Any], folder: Path, **inputs: str) -> tuple[int, str, str]:
    """Run a step; return its exit code, what it printed, and the summary of the workflow."""
    given = {name: about.get("default", "") for name, about in ACTION["inputs"].items()}
    given |= {name.replace("_", "-"): value for name, value in inputs.items()}
    environment = {
        name: given[expression.removeprefix("${{ inputs.").removesuffix(" }}")]
        for name, expression in step["env"].items()
    }
    places = {"RUNNER_TEMP": f"{folder}/temp", "GITHUB_STEP_SUMMARY": f"{folder}/summary"}
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-eo", "pipefail", "-c", step["run"]],
        check=False,
        cwd=folder,
        env={**os.environ, **environment, **places},
        capture_output=True,
        text=True,
    )
    summary = folder / "summary"
    said = summary.read_text() if summary.exists() else ""
    return done.returncode, done.stdout + done.stderr, said


def test_judging(runner: Path) -> None:
    """Equal speed passes, a slower one fails, and the workflow's summary says why."""
    code, said, _ = run(GATE, runner, traces="good one.json\n", baseline="good one.json")
    assert code == 0, said
    code, said, summary = run(
        GATE,
        runner,
        traces="slow one.json",
        baseline="good one.json",
        metric="step_time\nkernel:*ge*\n",
    )
    assert code == 1, said
    assert "step_time 70." in summary
    assert "kernel:*ge* 50." in summary


def test_noise(runner: Path) -> None:
    """What cannot be judged is a warning, or fails where that is asked for."""
    code, said, _ = run(GATE, runner, traces="noisy one.json", baseline="good one.json")
    assert code == 0, said
    assert "::warning::tp-tools cannot judge this recording: step_time" in said
    code, _, _ = run(
        GATE, runner, traces="noisy one.json", baseline="good one.json", unjudged="fail"
    )
    assert code == 125


def test_check(runner: Path) -> None:
    """A trace of which Perfetto hides kernels fails, a sound one passes."""
    assert run(CHECK, runner, traces=str(HERE / "sound.json.gz"))[0] == 0
    assert run(CHECK, runner, traces=f"\n{HERE / 'pdl_decode.json.gz'}\n")[0] == 1


def test_inputs_reach_scripts_by_environment_alone() -> None:
    """So that no input is taken for a part of the script."""
    assert not [step["name"] for step in ACTION["runs"]["steps"] if "${{" in step["run"]]
