"""Hold the verdicts on metrics, and write them for people and for programs."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from tp_tools import notebook
from tp_tools.formatting import span

PASS, REGRESSION, UNJUDGED = 0, 1, 125
"""Exit codes; `git bisect run` skips a commit for which a command returns 125."""

_WORDS = {PASS: "pass", REGRESSION: "regression", UNJUDGED: "cannot be judged"}

BUSBW = "busbw"
"""The one metric that is a bandwidth, not a time."""


class Verdict(Struct, frozen=True):
    """The judgement of one metric.

    Attributes:
        metric: its name.
        code: `PASS`, `REGRESSION` or `UNJUDGED`.
        why: one line.
        before, now: its typical values, ns of a step; of busbw GB/s. None where it has none.
        change: how much worse it became, as share of `before`: 0.1 is 10 % slower; None likewise.
        low, high: 95 % interval of `change`; None with fewer than two samples.
    """

    metric: str
    code: int
    why: str
    before: float | None = None
    now: float | None = None
    change: float | None = None
    low: float | None = None
    high: float | None = None

    def as_object(self) -> dict[str, Any]:
        """Return the verdict as an object for JSON."""
        return {
            "metric": self.metric,
            "verdict": _WORDS[self.code],
            "why": self.why,
            "before": self.before,
            "now": self.now,
            "change": self.change,
            "low": self.low,
            "high": self.high,
        }

    def cells(self) -> tuple[str | None, ...]:
        """Return the verdict as a row: metric, verdict, before, now, change, why."""
        before, now = (
            None if value is None else number(self.metric, value)
            for value in (self.before, self.now)
        )
        change = None if self.change is None else f"{100 * self.change:+.1f} %"
        why = self.why.rpartition(": ")[2]
        return self.metric, _WORDS[self.code], before, now, change, why


def number(metric: str, value: float) -> str:
    """Write a value of a metric with its unit: "1.204 ms", "310.5 GB/s"."""
    return f"{value:.1f} GB/s" if metric == BUSBW else span(round(value))


class Judgement(Struct, frozen=True):
    """The judgement of a recording.

    Attributes:
        verdicts: of each metric.
        cannot: why it cannot be judged at all; () where it can.
    """

    verdicts: tuple[Verdict, ...] = ()
    cannot: tuple[str, ...] = ()

    @property
    def code(self) -> int:
        """The exit code: a regression of any metric, else what cannot be judged, else 0."""
        codes = {it.code for it in self.verdicts}
        if self.cannot:
            return UNJUDGED
        return next(it for it in (REGRESSION, UNJUDGED, PASS) if it in codes)

    @property
    def verdict(self) -> str:
        """The code as a word: "pass", "regression" or "cannot be judged"."""
        return _WORDS[self.code]

    def lines(self) -> list[str]:
        """Return a line for each metric."""
        if self.cannot:
            return [f"cannot be judged: {'; '.join(self.cannot)}"]
        return [it.why for it in self.verdicts]

    def _repr_html_(self) -> str:
        """Return the metrics as a table, for notebooks."""
        if self.cannot:
            return "".join(map(notebook.paragraph, self.lines()))
        return notebook.paragraph(self.verdict) + notebook.table(
            ("metric", "verdict", "before", "now", "worse by", "why"),
            [it.cells() for it in self.verdicts],
        )

    def as_object(self) -> dict[str, Any]:
        """Return the judgement as an object for JSON."""
        return {
            "verdict": self.verdict,
            "why": "; ".join(self.lines()),
            "metrics": [it.as_object() for it in self.verdicts],
        }
