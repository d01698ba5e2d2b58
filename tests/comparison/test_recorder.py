"""Recordings of pairs of commits: in which order, how often built and warmed, what is kept."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING

import pytest

from fixtures.slow_repository import BROKEN, Plan, make
from tp_tools.comparison.recorder import Recorder
from tp_tools.comparison.recording import NotRecorded, Recipe
from tp_tools.comparison.repository import Repository
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.comparison.repository import Commit


@pytest.fixture
def commits(tmp_path: Path) -> list[Commit]:
    """Eight commits of a workload that writes made times."""
    repository = Repository(tmp_path / "repository")
    ids = make(repository.folder, Plan(commits=BROKEN + 1, slow=2))
    return [repository.commit(it) for it in ids]


def recorder(tmp_path: Path, *, runs: int, has_build: bool = False, in_turn: bool) -> Recorder:
    """Records runs, each in a line of a log: the version of the model, and `build`."""
    log = shlex.quote(str(tmp_path / "log"))
    line = f"sed -n '1s/[^0-9]//gp' model.py >> {log}; {shlex.quote(sys.executable)} bench.py"
    return Recorder(
        Repository(tmp_path / "repository"),
        Recipe(["sh", "-c", line], f"echo build >> {log}" if has_build else "", warm_ups=1),
        runs,
        tmp_path / "traces",
        LoadOptions("embedded"),
        SILENT,
        in_turn=in_turn,
    )


def logged(tmp_path: Path) -> list[str]:
    """What ran since the last call."""
    log = tmp_path / "log"
    lines = log.read_text().split()
    log.unlink()
    return lines


def test_in_turn(tmp_path: Path, commits: list[Commit]) -> None:
    """Before, after, after, before, before, after; each warmed once; for each pair anew."""
    record = recorder(tmp_path, runs=3, in_turn=True)
    before, after = record.folders(commits[1], commits[3])
    assert logged(tmp_path) == ["1", "1", "3", "3", "3", "1", "1", "3"]
    assert (len(before), len(after)) == (3, 3)
    before, after = record.folders(commits[1], commits[3], more=True)
    assert logged(tmp_path) == ["1", "3", "3", "1", "1", "3"]
    assert (len(before), len(after)) == (6, 6)
    record.folders(commits[1], commits[2])
    assert logged(tmp_path) == ["1", "1", "2", "2", "2", "1", "1", "2"]


def test_in_turn_with_a_build(tmp_path: Path, commits: list[Commit]) -> None:
    """A commit is built, and warmed, whenever the other one was run before it."""
    recorder(tmp_path, runs=2, has_build=True, in_turn=True).folders(commits[1], commits[3])
    assert logged(tmp_path) == [*["build", "1", "1", "build", "3", "3", "3", "build", "1", "1"]]


def test_in_blocks(tmp_path: Path, commits: list[Commit]) -> None:
    """Each commit is recorded once for all pairs; more is recorded of the one that is judged."""
    record = recorder(tmp_path, runs=3, has_build=True, in_turn=False)
    record(commits[1], commits[3])
    assert logged(tmp_path) == [*["build", "1", "1", "1", "1", "build", "3", "3", "3", "3"]]
    record(commits[1], commits[2])
    assert logged(tmp_path) == [*["build", "2", "2", "2", "2"]]
    before, after = record(commits[1], commits[2], more=True)
    assert logged(tmp_path) == [*["2", "2", "2"]]
    assert (before.samples, after.samples) == (3, 6)


def test_recordings_are_samples(tmp_path: Path, commits: list[Commit]) -> None:
    """Of steps where they are fewer than three; the slower commit has the longer steps."""
    before, after = recorder(tmp_path, runs=1, in_turn=True)(commits[1], commits[3])
    assert (before.samples, after.samples) == (12, 12)
    (of_before,), (of_after,) = (
        [row for key, row in side.rows.items() if key.name == "aten::mlp"]
        for side in (before, after)
    )
    assert of_after.typical_ns() > 1.2 * of_before.typical_ns()


@pytest.mark.parametrize("in_turn", [True, False])
def test_a_failure_names_the_commit(tmp_path: Path, commits: list[Commit], in_turn: bool) -> None:
    """It is the one that does not run, whether it is judged or compared with."""
    record = recorder(tmp_path, runs=2, in_turn=in_turn)
    for pair in ((commits[1], commits[BROKEN]), (commits[BROKEN], commits[1])):
        with pytest.raises(NotRecorded, match="this version does not run") as raised:
            record.folders(*pair)
        assert raised.value.commit == commits[BROKEN]
