"""Record commits of a repository, several times each."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct, field

from tp_tools.comparison import reading, recording
from tp_tools.comparison.reading import Selection
from tp_tools.comparison.recording import NotRecorded

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.comparison.model import Side
    from tp_tools.comparison.recording import Recipe
    from tp_tools.comparison.repository import Commit, Repository
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions


class Recorder(Struct):
    """Records pairs of commits to compare.

    Load on a machine comes and goes, and recordings of one commit after those of another take it
    for a change. In turn (before, after, after, before, ...) it falls on both alike, at the cost of
    a build for each change of commits.

    Attributes:
        repository: the repository.
        recipe: how a commit is built and run.
        runs: recordings of a commit; for more, as many again.
        folder: where traces are kept while this runs.
        how: options of loading them.
        reporter: receives stages.
        selection: what to read of traces.
        in_turn: whether both commits of a pair are recorded anew, in turn; else a commit is
            recorded once, for all pairs.
        kept: the folders with recordings, by the hash of the commit and the pair that they are for.
        built: the commit that is checked out, built and warm, with that pair; None for none.
    """

    repository: Repository
    recipe: Recipe
    runs: int
    folder: Path
    how: LoadOptions
    reporter: Reporter
    selection: Selection = field(default_factory=Selection)
    in_turn: bool = True
    kept: dict[tuple[str, str], list[str]] = field(default_factory=dict)
    built: tuple[str, str] | None = None

    def __call__(self, before: Commit, after: Commit, *, more: bool = False) -> tuple[Side, Side]:
        """Record two commits, and read their traces; see `bisecting.Record`.

        Raises:
            NotRecorded: one does not build or run, or writes no trace.
            InputError: their traces cannot be used.
        """
        first, second = (
            reading.job(folders, self.selection, self.how, self.reporter, each=True)
            for folders in self.folders(before, after, more=more)
        )
        return first, second

    def folders(
        self, before: Commit, after: Commit, *, more: bool = False
    ) -> tuple[list[str], list[str]]:
        """Record two commits; return the folders with the recordings of each."""
        pair = f"{before.short}-{after.short}" if self.in_turn else "all"
        if self.in_turn:
            if more or (after.id, pair) not in self.kept:
                self._record_in_turn((before, after), pair)
        else:
            for commit in (before, after):
                if (commit.id, pair) not in self.kept or (more and commit == after):
                    self._record(commit, pair, self.runs)
        return self.kept[before.id, pair], self.kept[after.id, pair]

    def _record_in_turn(self, commits: tuple[Commit, Commit], pair: str) -> None:
        """Record before, after, after, before, ...: each `runs` times."""
        for turn in range(self.runs):
            for commit in commits if turn % 2 == 0 else commits[::-1]:
                self._record(commit, pair, 1)

    def _record(self, commit: Commit, pair: str, runs: int) -> None:
        """Check a commit out, build it and warm it, unless it is, and record it."""
        tree, recipe = self.repository.folder, self.recipe
        made: list[str] = []
        before = self.kept.get((commit.id, pair), [])
        try:
            with self.reporter.stage(f"recording {commit.short}"):
                self._make_ready(commit, pair, is_warm=bool(before) and not recipe.build)
                for number in range(len(before), len(before) + runs):
                    folder = self._folder(commit, pair, str(number))
                    recording.record(recipe, tree, folder, keep=True)
                    made.append(str(folder))
        except NotRecorded as error:
            raise NotRecorded(str(error), commit) from error
        self.kept[commit.id, pair] = before + made

    def _make_ready(self, commit: Commit, pair: str, *, is_warm: bool) -> None:
        """Check out, build and warm a commit that is not the last one that was."""
        if self.built == (commit.id, pair):
            return
        self.built = None
        self.repository.checkout(commit)
        recording.build(self.recipe, self.repository.folder)
        for _ in range(0 if is_warm else self.recipe.warm_ups):
            folder = self._folder(commit, pair, "warm-up")
            recording.record(self.recipe, self.repository.folder, folder, keep=False)
        self.built = commit.id, pair

    def _folder(self, commit: Commit, pair: str, name: str) -> Path:
        folder = self.folder / pair / commit.id / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
