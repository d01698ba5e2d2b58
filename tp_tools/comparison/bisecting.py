"""Find the commit that made a program slower: record, judge, and let git choose the next one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

from msgspec import Struct, field

from tp_tools.comparison import gating, report
from tp_tools.comparison.comparing import compare
from tp_tools.comparison.recording import NotRecorded
from tp_tools.comparison.verdicts import PASS, REGRESSION, UNJUDGED
from tp_tools.errors import InputError

if TYPE_CHECKING:
    from tp_tools.comparison.model import Comparison, Side
    from tp_tools.comparison.repository import Commit
    from tp_tools.comparison.verdicts import Judgement
    from tp_tools.progress import Reporter


class History(Protocol):
    """What a bisection needs of a repository; `repository.Repository` is one."""

    def start(self, good: Commit, bad: Commit) -> bool:
        """Begin; return whether there are commits to judge."""

    def next(self) -> Commit:
        """Return the commit to judge next."""

    def mark(self, commit: Commit, word: str) -> bool:
        """Say that a commit is good, bad or skipped; return whether there are more to judge."""

    def suspects(self) -> list[Commit]:
        """Return the commits of which one is the first bad one."""

    def parent(self, commit: Commit) -> Commit:
        """Return the first parent of a commit."""


class Record(Protocol):
    """Records commits; `recorder.Recorder` is one."""

    def __call__(self, before: Commit, after: Commit, *, more: bool = False) -> tuple[Side, Side]:
        """Record two commits to compare.

        Args:
            before: the commit to compare with.
            after: the commit to judge.
            more: whether to add recordings to those that the two have.

        Raises:
            NotRecorded: one does not build or run.
        """


GOOD, BAD, SKIP = "good", "bad", "skip"

_WORDS = {PASS: GOOD, REGRESSION: BAD, UNJUDGED: SKIP}


class Rules(Struct, frozen=True):
    """How a commit is judged.

    Attributes:
        metric: one of `gating.METRICS`.
        most: how much worse than the good commit a commit may be; None for half of the difference
            between the good and the bad one.
        retries: how often more is recorded where noise hides the answer.
    """

    metric: str = "step_time"
    most: float | None = None
    retries: int = 2


class Found(Struct):
    """The outcome of a bisection.

    Attributes:
        suspects: the first bad commit; several if those between were skipped.
        judged: good, bad or skip, with the reason, by the commit's hash, in the order of judging.
        comparison: the first bad commit against its parent; None if one was not recorded.
        confidence: how the suspect itself compares with its parent; None likewise.
    """

    suspects: list[Commit]
    judged: dict[str, tuple[str, str]] = field(default_factory=dict)
    comparison: Comparison | None = None
    confidence: Judgement | None = None

    @property
    def is_sure(self) -> bool:
        """Whether the first bad commit is alone, and worse than its parent by as much as asked."""
        return self.confidence is not None and self.confidence.code == REGRESSION

    def as_object(self) -> dict[str, Any]:
        """Return the outcome as an object for JSON."""
        return {
            "first_bad": self.suspects[0].id if len(self.suspects) == 1 else None,
            "is_sure": self.is_sure,
            "suspects": [{"id": it.id, "subject": it.subject} for it in self.suspects],
            "judged": [
                {"id": it, "verdict": verdict, "why": why}
                for it, (verdict, why) in self.judged.items()
            ],
            "confidence": self.confidence and self.confidence.as_object(),
            "diff": self.comparison and report.as_object(self.comparison),
        }


def bisect(
    history: History,
    record: Record,
    ends: tuple[Commit, Commit],
    rules: Rules,
    reporter: Reporter,
) -> Found:
    """Find the first commit that is bad.

    Args:
        history: the repository.
        record: records a commit.
        ends: a commit that is fast, and a later one that is slow.
        rules: how a commit is judged.
        reporter: receives a line for each commit.

    Raises:
        InputError: the good or the bad commit does not run, the bad one is not worse, or noise
            hides whether it is.
    """
    search = _Search(history, record, rules, reporter, good=ends[0])
    search.begin(ends[1])
    is_open = history.start(*ends)
    while is_open:
        commit = history.next()
        is_open = history.mark(commit, search.judge(commit))
    return search.end(history.suspects())


class _Search(Struct):
    """A bisection on its way.

    Attributes:
        good: the commit that all others are compared with.
        judged: as in `Found`.
        most: how much worse than the good commit a commit may be.
    """

    history: History
    record: Record
    rules: Rules
    reporter: Reporter
    good: Commit
    judged: dict[str, tuple[str, str]] = field(default_factory=dict)
    most: float = 0

    def begin(self, bad: Commit) -> None:
        """Record both ends, and see that they differ."""
        self.most = self.rules.most or 0
        try:
            found = self._judgement(bad)
        except NotRecorded as error:
            raise InputError(f"{error.commit or bad}: {error}.") from error
        why = found.lines()[0]
        if found.code != REGRESSION:
            raise InputError(f"{bad.short} is not measurably slower than {self.good.short}: {why}.")
        if self.rules.most is None:
            self.most = (found.verdicts[0].change or 0) / 2
        self._note(self.good, GOOD, "taken as good")
        self._note(bad, BAD, why)

    def judge(self, commit: Commit) -> str:
        """Record a commit, and return whether it is good, bad or to be skipped."""
        try:
            found = self._judgement(commit)
        except (NotRecorded, InputError) as error:
            return self._note(commit, SKIP, str(error))
        return self._note(commit, _WORDS[found.code], found.lines()[0])

    def _judgement(self, commit: Commit) -> Judgement:
        """Compare a commit with the good one; record more of both where noise hides the answer."""
        for done in range(self.rules.retries + 1):
            before, after = self.record(self.good, commit, more=done > 0)
            found = gating.gate(before, after, (self.rules.metric,), self.most)
            if found.code != UNJUDGED or found.cannot or done == self.rules.retries:
                break
            self.reporter.say(f"{commit.short}: {found.lines()[0]}; recording again")
        return found

    def _note(self, commit: Commit, verdict: str, why: str) -> str:
        self.judged[commit.id] = verdict, why
        self.reporter.say(f"{commit.short} {verdict}: {commit.subject} ({why})")
        return verdict

    def end(self, suspects: list[Commit]) -> Found:
        """Compare the commit with its parent, which is recorded if it was not yet."""
        found = Found(suspects, self.judged)
        if len(suspects) != 1:
            return found
        parent = self.history.parent(suspects[0])
        try:
            before, after = self.record(parent, suspects[0])
        except NotRecorded as error:
            self._note(error.commit or parent, SKIP, str(error))
            return found
        found.comparison = compare(before, after)
        found.confidence = gating.gate(before, after, (self.rules.metric,), self.most)
        return found
