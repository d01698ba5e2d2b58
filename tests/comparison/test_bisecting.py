"""Bisection on a history made by hand: which commit is found, what is skipped, what is refused."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.comparing import a_side
from tp_tools.comparison.bisecting import Found, Rules, bisect
from tp_tools.comparison.recording import NotRecorded
from tp_tools.comparison.repository import Commit
from tp_tools.errors import InputError
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from tp_tools.comparison.model import Side

STEADY = [100_000, 101_000, 99_000, 100_500, 99_500]


@dataclass
class Line:
    """Commits in a line, as git would bisect them: the one in the middle of those left."""

    commits: list[Commit]
    first: int = 0
    last: int = 0
    skipped: set[int] = field(default_factory=set)

    def _left(self) -> list[int]:
        return [it for it in range(self.first + 1, self.last) if it not in self.skipped]

    def start(self, good: Commit, bad: Commit) -> bool:
        """Begin."""
        self.first, self.last = self.commits.index(good), self.commits.index(bad)
        return bool(self._left())

    def next(self) -> Commit:
        """The one in the middle."""
        left = self._left()
        return self.commits[left[len(left) // 2]]

    def mark(self, commit: Commit, word: str) -> bool:
        """Narrow the range."""
        at = self.commits.index(commit)
        if word == "good":
            self.first = at
        elif word == "bad":
            self.last = at
        else:
            self.skipped.add(at)
        return bool(self._left())

    def suspects(self) -> list[Commit]:
        """Those behind the last good one, up to the first bad one."""
        return self.commits[self.first + 1 : self.last + 1]

    def parent(self, commit: Commit) -> Commit:
        """The one before."""
        return self.commits[self.commits.index(commit) - 1]


@dataclass
class Fake:
    """Records commits: `mlp` takes 20 % longer from one on.

    Attributes:
        slow: number of that commit.
        broken: commits that do not run.
        noisy: commits whose first recording is noise.
        calls: recordings so far, by commit.
        sides: what they hold, by hash.
    """

    slow: int
    broken: set[int] = field(default_factory=set)
    noisy: set[int] = field(default_factory=set)
    calls: dict[int, int] = field(default_factory=dict)
    sides: dict[str, Side] = field(default_factory=dict)

    def __call__(self, before: Commit, after: Commit, *, more: bool = False) -> tuple[Side, Side]:
        """Record what was not recorded yet, and of `after` more."""
        for it in (before, after):
            if it.id not in self.sides or (more and it == after):
                self.sides[it.id] = self._record(it)
        return self.sides[before.id], self.sides[after.id]

    def _record(self, commit: Commit) -> Side:
        number = int(commit.id)
        self.calls[number] = self.calls.get(number, 0) + 1
        if number in self.broken:
            raise NotRecorded("the build ended with 1: no rule", commit)
        if number in self.noisy and self.calls[number] == 1:
            return a_side({"mlp": [20_000, 200_000, 10_000, 400_000, 50_000], "norm": STEADY})
        factor = 1.4 if number >= self.slow else 1
        return a_side({"mlp": [factor * it for it in STEADY], "norm": STEADY})


def found_by(fake: Fake, count: int, rules: Rules | None = None) -> Found:
    """The outcome of a bisection from the first to the last of so many commits."""
    commits = [Commit(f"{number:010}", f"Change {number}") for number in range(count)]
    ends = commits[0], commits[-1]
    return bisect(Line(commits), fake, ends, rules or Rules(), SILENT)


@given(st.data())
def test_the_first_slow_commit_is_found(data: st.DataObject) -> None:
    """Wherever it is; with the kernel that it changed, and as few recordings as halving needs."""
    count = data.draw(st.integers(2, 40))
    slow = data.draw(st.integers(1, count - 1))
    fake = Fake(slow)
    found = found_by(fake, count)
    assert [int(it.id) for it in found.suspects] == [slow]
    assert found.comparison is not None
    assert found.confidence is not None
    assert found.confidence.code == 1
    assert found.is_sure
    (changed,) = (it for it in found.comparison.of("kernel") if it.verdict == "slower")
    assert changed.key.name == "mlp"
    assert len(fake.calls) <= 3 + count.bit_length()


def test_what_does_not_build_is_skipped() -> None:
    """The reason is kept; where the skipped one lies between, there are two suspects."""
    found = found_by(Fake(slow=5, broken={4}), 10)
    assert [int(it.id) for it in found.suspects] == [4, 5]
    assert found.judged[f"{4:010}"] == ("skip", "the build ended with 1: no rule")
    assert found.comparison is None
    assert found.as_object()["first_bad"] is None


def test_a_broken_commit_elsewhere_costs_nothing() -> None:
    """The first bad one is still found."""
    found = found_by(Fake(slow=7, broken={5}), 10)
    assert [int(it.id) for it in found.suspects] == [7]
    assert found.as_object()["first_bad"] == f"{7:010}"


def test_noise_is_recorded_again() -> None:
    """A commit that noise hides is recorded again, and skipped if that does not help."""
    fake = Fake(slow=5, noisy={5})
    assert [int(it.id) for it in found_by(fake, 10).suspects] == [5]
    assert fake.calls[5] == 2
    found = found_by(Fake(slow=5, noisy={5}), 10, Rules(retries=0))
    assert found.judged[f"{5:010}"][0] == "skip"


def test_a_bad_commit_that_is_not_slower() -> None:
    """There is nothing to look for."""
    with pytest.raises(InputError, match="is not measurably slower than"):
        found_by(Fake(slow=99), 10)


def test_a_bad_commit_that_noise_hides() -> None:
    """The noise is named."""
    with pytest.raises(InputError, match=r"0000000009 is not measurably slower than .* noise of"):
        found_by(Fake(slow=5, noisy={9}), 10, Rules(retries=0))


def test_ends_have_to_run() -> None:
    """Without the good and the bad one nothing can be judged."""
    with pytest.raises(InputError, match=r"0000000009 \(Change 9\): the build ended with 1"):
        found_by(Fake(slow=5, broken={9}), 10)


def test_the_parent_may_not_run() -> None:
    """Then there is no comparison, and the commit is named all the same."""
    commits = [Commit(f"{number:010}", "") for number in range(2)]
    line = Line(commits)
    fake = Fake(slow=1)
    found = bisect(line, fake, (commits[0], commits[1]), Rules(), SILENT)
    assert found.comparison is not None
    assert [it.id for it in found.suspects] == [commits[1].id]


def test_load_that_came_and_went_is_a_doubt() -> None:
    """A commit that is as its parent, which was taken as good in a quieter moment, is not sure."""
    load = iter([1, 1.3, 1.18])  # a step, half of it `mlp`, takes 15 % longer, then 9 %

    sides: dict[str, Side] = {}

    def record(before: Commit, after: Commit, *, more: bool = False) -> tuple[Side, Side]:
        assert not more
        for commit in (before, after):
            if commit.id not in sides:
                by = next(load)
                sides[commit.id] = a_side({"mlp": [by * it for it in STEADY], "norm": STEADY})
        return sides[before.id], sides[after.id]

    commits = [Commit(f"{number:010}", "") for number in range(3)]
    ends = commits[0], commits[-1]
    found = bisect(Line(commits), record, ends, Rules(most=0.1), SILENT)
    assert found.suspects == [commits[2]]
    assert not found.is_sure
    assert found.as_object()["is_sure"] is False
