"""Recordings of a commit: which traces are found, and how failures are told."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tp_tools.comparison.recording import FOLDER, NotRecorded, Recipe, build, record

if TYPE_CHECKING:
    from pathlib import Path

WRITE = f"import os; open(os.environ['{FOLDER}'] + '/t.json', 'w').write('x')"


def python(program: str, **more: object) -> Recipe:
    """Runs a program."""
    return Recipe([sys.executable, "-c", program], **more)  # type: ignore[arg-type]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An empty folder for traces."""
    made = tmp_path / "traces"
    made.mkdir()
    return made


def test_traces_are_those_in_the_folder(tmp_path: Path, folder: Path) -> None:
    """The command learns it from its environment."""
    assert record(python(WRITE), tmp_path, folder, keep=True) == [str(folder / "t.json")]
    assert record(python(WRITE), tmp_path, folder, keep=False) == []


def test_traces_in_the_work_tree(tmp_path: Path, folder: Path) -> None:
    """Those of a pattern that the command wrote or changed; they are moved away."""
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old.json").write_text("x")
    recipe = python("open('out/new.json', 'w').write('x')", pattern="out/*.json")
    assert record(recipe, tmp_path, folder, keep=True) == [str(folder / "new.json")]
    assert [it.name for it in (tmp_path / "out").iterdir()] == ["old.json"]


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (python("pass"), rf"wrote no trace in \${FOLDER}"),
        (python("pass", pattern="*.json"), r"wrote no trace in \*\.json"),
        (python("print('no GPU'); raise SystemExit(3)"), "ended with 3: no GPU"),
        (python("import time; time.sleep(60)", limit_s=0.2), r"took more than 0\.2 s"),
        (Recipe(["there is no such command"]), "cannot be started: No such file"),
    ],
)
def test_failures(tmp_path: Path, folder: Path, recipe: Recipe, said: str) -> None:
    """One line says what happened."""
    with pytest.raises(NotRecorded, match=said):
        record(recipe, tmp_path, folder, keep=True)


def test_builds(tmp_path: Path) -> None:
    """A line for sh, in the work tree; none is fine, a failing one is told."""
    build(python("pass", build="echo built > made.txt"), tmp_path)
    assert (tmp_path / "made.txt").read_text() == "built\n"
    build(python("pass"), tmp_path)
    with pytest.raises(NotRecorded, match="the build ended with 2: no rule"):
        build(python("pass", build="echo no rule; exit 2"), tmp_path)
