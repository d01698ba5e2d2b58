"""Repositories: commits, pull requests, bisection by git, and how they are put back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from fixtures.slow_repository import Plan, make
from tp_tools.comparison.repository import Repository
from tp_tools.errors import InputError, UsageError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Eight commits on the branch `main`."""
    make(tmp_path / "repository", Plan(commits=8))
    return Repository(tmp_path / "repository")


def test_hashes_are_always_the_same(tmp_path: Path) -> None:
    """The script gives the same commits each time."""
    plan = Plan(commits=3)
    assert make(tmp_path / "a", plan) == make(tmp_path / "b", plan)


@pytest.mark.parametrize("slow", range(1, 8))
def test_git_bisects(repository: Repository, slow: int) -> None:
    """By answers for each commit that it asks for, down to one; then all is as it was."""
    good, bad = repository.commit("main~7"), repository.commit("main")
    with repository.kept():
        is_open = repository.start(good, bad)
        while is_open:
            commit = repository.next()
            number = int(commit.subject.split()[1])
            repository.checkout(commit)
            is_open = repository.mark(commit, "bad" if number >= slow else "good")
        (suspect,) = repository.suspects()
        assert suspect.subject == f"Change {slow} of the model"
        assert repository.parent(suspect).subject == f"Change {slow - 1} of the model"
    assert repository.head() == "main"
    repository.check_clean()


def test_only_skipped_commits_are_left(repository: Repository) -> None:
    """All between are suspects, the oldest first, and the repository is put back."""
    with repository.kept():
        is_open = repository.start(repository.commit("main~3"), repository.commit("main"))
        while is_open:
            is_open = repository.mark(repository.next(), "skip")
        assert [it.subject[:8] for it in repository.suspects()] == [
            "Change 5",
            "Change 6",
            "Change 7",
        ]
    repository.check_clean()


def test_it_is_put_back_after_an_error(repository: Repository) -> None:
    """Whatever ends the block."""

    def fail() -> None:
        with repository.kept():
            repository.start(repository.commit("main~7"), repository.commit("main"))
            repository.checkout(repository.next())
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert repository.head() == "main"
    repository.check_clean()


def test_good_has_to_be_before_bad(repository: Repository) -> None:
    """Else there is nothing between."""
    with pytest.raises(InputError, match="is not before"):
        repository.start(repository.commit("main"), repository.commit("main~2"))


def test_changes_are_not_checked_out_over(repository: Repository) -> None:
    """Tracked files that changed are an error; others are not."""
    (repository.folder / "notes.txt").write_text("mine")
    repository.check_clean()
    (repository.folder / "model.py").write_text("COSTS = {}")
    with pytest.raises(UsageError, match="has changes"):
        repository.check_clean()


def test_a_bisection_that_goes_on(repository: Repository) -> None:
    """It is not disturbed."""
    repository.start(repository.commit("main~7"), repository.commit("main"))
    with pytest.raises(UsageError, match="is bisected already"):
        repository.check_clean()


def test_errors_of_git(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A revision or a folder that git does not know."""
    # folders of tests may lie in a repository, as those of nox do
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(InputError, match=r"git log: .*nowhere"):
        repository.commit("nowhere")
    with pytest.raises(InputError, match="not a git repository"):
        Repository(tmp_path).head()


def test_a_pull_request_is_fetched(
    repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without `gh`, by the name that GitHub gives its head."""
    origin = tmp_path / "origin"
    make(origin, Plan(commits=9))
    remote = Repository(origin)
    remote.git("update-ref", "refs/pull/12/head", "main")
    repository.git("remote", "add", "origin", str(origin))
    monkeypatch.setattr("shutil.which", lambda _: None)  # simulates a machine without gh
    assert repository.commit("pr/12") == remote.commit("main")
    assert repository.commit("#12").subject == "Change 8 of the model"
    with pytest.raises(InputError, match="git fetch"):
        repository.commit("pr/13")
