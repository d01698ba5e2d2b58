"""`tp-tools bisect`: finds the slow commit of a generated repository, and puts it back."""

from __future__ import annotations

import importlib.util
import json
import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.slow_repository import BROKEN, Plan, make
from tests.support.command_line import TpTools
from tp_tools.comparison.repository import Repository

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tp_tools(capfdbinary: pytest.CaptureFixture[bytes], monkeypatch: pytest.MonkeyPatch) -> TpTools:
    """The command line; the noise of recordings is the same each time."""
    monkeypatch.setenv("BENCH_SEED", "20")
    return TpTools(capfdbinary)


def test_the_slow_commit_of_twenty_is_found(tp_tools: TpTools, tmp_path: Path) -> None:
    """By name, with the op that became 30 % slower; one that does not run is skipped."""
    folder = tmp_path / "repository"
    commits = make(folder, Plan(slow=8))
    ran = tp_tools(
        *("bisect", "--good", commits[0], "--runs", "3", "-C", folder, "--summary", "json"),
        *("--", sys.executable, "bench.py"),
    )
    assert ran.code == 0, ran.err
    made = json.loads(ran.out)
    assert {it["verdict"] for it in made["judged"]} == {"good", "bad", "skip"}
    (skipped,) = (it for it in made["judged"] if it["verdict"] == "skip")
    assert skipped["id"] == commits[BROKEN]
    assert "this version does not run" in skipped["why"]
    assert [it["id"] for it in made["suspects"]] == [commits[7], commits[8]]
    assert Repository(folder).head() == "main"
    Repository(folder).check_clean()


def test_text(tp_tools: TpTools, tmp_path: Path) -> None:
    """The commit, how sure it is, and what it changed; progress goes to stderr."""
    folder = tmp_path / "repository"
    slow = 3
    commits = make(folder, Plan(commits=5, slow=slow, broken=()))
    command = ("--", sys.executable, "bench.py")
    ran = tp_tools("bisect", "--good", commits[1], "--runs", "3", "-C", folder, *command)
    assert ran.code == 0, ran.err
    lines = ran.out.decode().splitlines()
    assert lines[0] == f"{commits[slow]} is the first bad commit: Change {slow} of the model"
    assert lines[1].startswith("Against its parent: step_time 1.")
    assert "Slower: aten::mlp +" in ran.out.decode()
    assert f"{commits[slow][:10]} bad: Change {slow} of the model" in ran.err


def test_what_is_not_slower(tp_tools: TpTools, tmp_path: Path) -> None:
    """There is nothing to find, and the repository is as it was."""
    folder = tmp_path / "repository"
    commits = make(folder, Plan(commits=4, broken=()))
    command = ("--", sys.executable, "bench.py")
    ran = tp_tools("bisect", "--good", commits[0], "--runs", "3", "-C", folder, *command)
    assert ran.code == 3
    assert "is not measurably slower than" in ran.err
    assert Repository(folder).head() == "main"


def test_errors_of_usage(tp_tools: TpTools, tmp_path: Path) -> None:
    """No command, no repository, equal ends, changes."""
    folder = tmp_path / "repository"
    make(folder, Plan(commits=3, broken=()))
    command = ("--", sys.executable, "bench.py")
    assert tp_tools("bisect", "--good", "main~1", "-C", folder).code == 2
    assert tp_tools("bisect", "--good", "main~1", "-C", tmp_path, *command).code == 3
    assert tp_tools("bisect", "--good", "main", "--bad", "main", "-C", folder, *command).code == 2
    assert tp_tools("bisect", "--good", "none", "-C", folder, *command).code == 3
    (folder / "model.py").write_text("")
    assert tp_tools("bisect", "--good", "main~1", "-C", folder, *command).code == 2


@pytest.mark.timeout(
    3600
)  # dozens of processes import PyTorch: 600 s were too few on a busy machine
@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_with_the_real_profiler(tp_tools: TpTools, tmp_path: Path) -> None:
    """A workload of PyTorch on the CPU: one op takes twice as long from a commit on."""
    folder = tmp_path / "repository"
    commits = make(folder, Plan(commits=8, slow=5, broken=(), factor=3, real=True))
    ran = tp_tools(
        *("bisect", "--good", commits[0], "-C", folder, "--summary", "json"),
        *("--", sys.executable, "bench.py"),
    )
    assert ran.code == 0, ran.err
    assert json.loads(ran.out)["first_bad"] == commits[5]
