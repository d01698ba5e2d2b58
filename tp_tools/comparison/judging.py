"""Judge the difference of each row of two sides: changed, or within noise."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.comparison import statistics
from tp_tools.comparison.model import (
    BUS,
    COLLECTIVE,
    CPU_STEP,
    KERNEL,
    MODULE,
    OP,
    TIME,
    Change,
    Key,
    Samples,
)

if TYPE_CHECKING:
    from tp_tools.comparison.model import Floats, Side

_NAMED = (KERNEL, COLLECTIVE, MODULE, OP)
"""Levels whose rows are things, which a side may lack; the rows of others are parts of a whole."""

_USUALLY = 0.5
"""A row is new if this share of the steps has it: some kernels run now and then."""

_TENTH = 10


class Rules(Struct, frozen=True):
    """When a difference counts.

    Attributes:
        significance: chance of a false alarm of the step, and of any among all other rows.
        least_share: rows that take less of a step on both sides are not tested; a difference that
            is less than a tenth of it is too little.
        least_change: a relative difference counts if the whole interval is beyond it: two
            recordings of one program differ by as much in their clocks.
        least_matched: share of the time of kernels that has to be of kernels that both sides have.
    """

    significance: float = 0.05
    least_share: float = 0.001
    least_change: float = 0.02
    least_matched: float = 0.5


DEFAULT = Rules()


class _Row(Struct, frozen=True):
    """The samples of a row on both sides.

    Attributes:
        a, b: the samples.
        trim: share of them that is left out at either end; none if some lack the row.
    """

    a: Samples
    b: Samples
    trim: float

    @property
    def typical(self) -> tuple[float, float]:
        """The durations in a typical step of both sides, ns."""
        return self.a.typical_ns(self.trim), self.b.typical_ns(self.trim)


class _Test(Struct, frozen=True):
    """The outcome of the tests of a row; see `Change`."""

    low: float
    high: float
    p: float


def judge(a: Side, b: Side, rules: Rules = DEFAULT) -> list[Change]:
    """Judge the difference of each row that either side has.

    Args:
        a: the one before; its renamed kernels have their new names.
        b: the one after.
        rules: when a difference counts.
    """
    keys = sorted(key for key in {*a.rows, *b.rows} if key.level != BUS)
    rows = {key: _row(a, b, key) for key in keys}
    rows = {key: row for key, row in rows.items() if _has_any(row.a) or _has_any(row.b)}
    least_ns = rules.least_share * max(a.mean_ns(a.step), b.mean_ns(b.step))
    tests: dict[Key, _Test] = {}
    otherwise = "not tested"
    if min(a.samples, b.samples) >= statistics.FEWEST:
        tests, otherwise = _tests(rows, {a.step, b.step}, least_ns), "too little"
    found = []
    is_alone = is_one_recording(a) or is_one_recording(b)
    for key, row in rows.items():
        test = tests.get(key)
        verdict = _untested(key, row.a, row.b)
        if verdict is None and test is not None:
            verdict = _tested(row, test, rules, least_ns)
            if is_alone and is_of_cpu(key) and verdict in {"slower", "faster"}:
                verdict = "unclear"
        found.append(_change(key, row, verdict or otherwise, test))
    return found


def is_one_recording(side: Side) -> bool:
    """Tell whether the samples are the steps of one recording, or of fewer than three."""
    return side.facts.unit == "step"


def is_of_cpu(key: Key) -> bool:
    """Tell whether a row is time of a program without GPU work: of an op, or of its step.

    Between two recordings of one program ops of the CPU differ by more than the steps of either
    say: with PyTorch on a machine that did nothing else, by 3 to 125 % in 24 of 40 pairs, with one
    recording a side (`benchmarks/real_pairs.py`).
    """
    return key.level == OP or key == Key(TIME, CPU_STEP)


def _has_any(samples: Samples) -> bool:
    return bool(samples.ns.any() or samples.counts.any())


def _row(a: Side, b: Side, key: Key) -> _Row:
    of_a, of_b = (_samples(side, key) for side in (a, b))
    are_whole = of_a.is_everywhere and of_b.is_everywhere
    return _Row(of_a, of_b, min(a.trim, b.trim) if are_whole else 0)


def _samples(side: Side, key: Key) -> Samples:
    if key in side.rows:
        return side.rows[key]
    none = np.zeros(side.samples)
    return Samples(none, none)


def _tests(of: dict[Key, _Row], steps: set[Key], least_ns: float) -> dict[Key, _Test]:
    """Test the rows that take enough of a step on either side; correct for their number.

    The time of a step is the first question, asked alone: its test is not corrected for the rows
    that may explain it.
    """
    tested = [key for key, row in of.items() if max(row.typical) >= max(least_ns, 1)]
    found: dict[Key, tuple[float, float, float]] = {}
    for trim in (0, statistics.TRIM):
        keys = [key for key in tested if trim == of[key].trim]
        if keys:
            a: Floats = np.stack([of[key].a.ns for key in keys], axis=1)
            b: Floats = np.stack([of[key].b.ns for key in keys], axis=1)
            ends = statistics.intervals(a, b, trim)
            columns = (ends.low.tolist(), ends.high.tolist(), statistics.yuen(a, b, trim).tolist())
            found.update(zip(keys, zip(*columns, strict=True), strict=True))
    rows = [key for key in tested if key not in steps]
    adjusted = statistics.holm(np.array([found[key][2] for key in rows]))
    p = dict(zip(rows, adjusted.tolist(), strict=True))
    return {key: _Test(*found[key][:2], p.get(key, found[key][2])) for key in tested}


def _untested(key: Key, a: Samples, b: Samples) -> str | None:
    """Return the verdict of a row that needs no test; None where it needs one."""
    if key.level in _NAMED and not (a.counts.any() and b.counts.any()):
        has = b if b.counts.any() else a
        if (has.counts > 0).mean() < _USUALLY:
            return "within noise"
        return "new" if has is b else "gone"
    if len(a.ns) == len(b.ns) and np.array_equal(np.sort(a.ns), np.sort(b.ns)):
        return "same"
    return None


def _tested(row: _Row, test: _Test, rules: Rules, least_ns: float) -> str:
    """Return the verdict of a row that was tested."""
    before, after = row.typical
    diff, least = after - before, rules.least_change * before
    if abs(diff) < least:
        return "within noise"
    if test.p >= rules.significance or -test.high < least > test.low:
        a, b = row.a.ns, row.b.ns
        are_apart = bool(a.max() < b.min() or b.max() < a.min())
        return "unclear" if are_apart else "within noise"
    if abs(diff) < least_ns / _TENTH:
        return "too little"
    return "slower" if diff > 0 else "faster"


def _change(key: Key, row: _Row, verdict: str, test: _Test | None) -> Change:
    a, b = row.a, row.b
    mean_a, mean_b = row.typical
    return Change(
        key=key,
        verdict=verdict,
        count_a=float(a.counts.mean()),
        count_b=float(b.counts.mean()),
        total_a=float(a.ns.sum()),
        total_b=float(b.ns.sum()),
        mean_a=mean_a,
        mean_b=mean_b,
        low=None if test is None else test.low,
        high=None if test is None else test.high,
        p=None if test is None else test.p,
    )
