"""Record commits of a repository, several times each."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tp_tools.comparison import reading, recording
from tp_tools.comparison.reading import Asked

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.comparison.model import Side
    from tp_tools.comparison.recording import Recipe
    from tp_tools.comparison.repository import Commit, Repository
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions


@dataclass
class Recorder:
    """Records commits.

    Attributes:
        repository: the repository.
        recipe: how a commit is built and run.
        runs: recordings of a commit; asked again, as many more.
        folder: where traces are kept while this runs.
        how: options of loading them.
        reporter: receives stages.
        asked: what to read of traces.
        kept: the folders with recordings, by the commit's hash.
    """

    repository: Repository
    recipe: Recipe
    runs: int
    folder: Path
    how: LoadOptions
    reporter: Reporter
    asked: Asked = field(default_factory=Asked)
    kept: dict[str, list[str]] = field(default_factory=dict)

    def __call__(self, commit: Commit) -> Side:
        """Check a commit out, build it, warm it, and record it.

        Raises:
            NotRecorded: it does not build or run, or writes no trace.
            InputError: its traces cannot be used.
        """
        tree, recipe = self.repository.folder, self.recipe
        done = self.kept.setdefault(commit.id, [])
        with self.reporter.stage(f"recording {commit.short}"):
            self.repository.checkout(commit)
            recording.build(recipe, tree)
            for _ in range(recipe.warm_ups):
                recording.record(recipe, tree, self._folder(commit, "warm-up"), keep=False)
            for _ in range(self.runs):
                folder = self._folder(commit, str(len(done)))
                recording.record(recipe, tree, folder, keep=True)
                done.append(str(folder))
        return reading.job(done, self.asked, self.how, self.reporter, each=True)

    def _folder(self, commit: Commit, name: str) -> Path:
        folder = self.folder / commit.id / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder
