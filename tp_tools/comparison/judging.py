"""Judge the difference of each row of two sides: changed, or within noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.comparison import statistics
from tp_tools.comparison.model import BUS, COLLECTIVE, KERNEL, MODULE, OP, Change, Samples

if TYPE_CHECKING:
    from typing import TypeAlias

    from tp_tools.comparison.model import Floats, Key, Side

    Pairs: TypeAlias = dict[Key, tuple[Samples, Samples]]

_NAMED = (KERNEL, COLLECTIVE, MODULE, OP)
"""Levels whose rows are things, which a side may lack; the rows of others are parts of a whole."""

_USUALLY = 0.5
"""A row is new if this share of the steps has it: some kernels run now and then."""


@dataclass(frozen=True)
class Rules:
    """When a difference counts.

    Attributes:
        significance: chance of any false alarm among all rows.
        least_share: rows that take less of a step on both sides are not tested; a difference that
            is less of a step is too little.
        least_change: a relative difference below it is within noise, whatever the samples say: two
            recordings of one program differ by as much in their clocks.
        least_matched: share of the time of kernels that has to be of kernels that both sides have.
    """

    significance: float = 0.05
    least_share: float = 0.001
    least_change: float = 0.02
    least_matched: float = 0.5


DEFAULT = Rules()


@dataclass(frozen=True)
class _Test:
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
    pairs = {key: (_row(a, key), _row(b, key)) for key in keys}
    pairs = {key: them for key, them in pairs.items() if any(map(_has_any, them))}
    least_ns = rules.least_share * max(a.mean_ns(a.step), b.mean_ns(b.step))
    tests: dict[Key, _Test] = {}
    otherwise = "not tested"
    if min(a.samples, b.samples) >= statistics.FEWEST:
        tests, otherwise = _tests(pairs, least_ns), "too little"
    found = []
    for key, (of_a, of_b) in pairs.items():
        test = tests.get(key)
        verdict = _untested(key, of_a, of_b)
        if verdict is None and test is not None:
            verdict = _tested(of_a, of_b, test, rules, least_ns)
        found.append(_change(key, of_a, of_b, verdict or otherwise, test))
    return found


def _has_any(samples: Samples) -> bool:
    return bool(samples.ns.any() or samples.counts.any())


def _row(side: Side, key: Key) -> Samples:
    if key in side.rows:
        return side.rows[key]
    none = np.zeros(side.samples)
    return Samples(none, none)


def _tests(pairs: Pairs, least_ns: float) -> dict[Key, _Test]:
    """Test the rows that take enough of a step on either side; correct for their number."""
    tested = [
        key for key, (a, b) in pairs.items() if max(a.ns.mean(), b.ns.mean()) >= max(least_ns, 1)
    ]
    if not tested:
        return {}
    a: Floats = np.stack([pairs[key][0].ns for key in tested], axis=1)
    b: Floats = np.stack([pairs[key][1].ns for key in tested], axis=1)
    p = statistics.holm(statistics.welch(a, b))
    ends = statistics.intervals(a, b)
    columns = zip(ends.low.tolist(), ends.high.tolist(), p.tolist(), strict=True)
    return {key: _Test(*cells) for key, cells in zip(tested, columns, strict=True)}


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


def _tested(a: Samples, b: Samples, test: _Test, rules: Rules, least_ns: float) -> str:
    """Return the verdict of a row that was tested."""
    diff = b.ns.mean() - a.ns.mean()
    if abs(diff) < rules.least_change * a.ns.mean():
        return "within noise"
    if test.p >= rules.significance or test.low <= 0 <= test.high:
        are_apart = a.ns.max() < b.ns.min() or b.ns.max() < a.ns.min()
        return "unclear" if are_apart else "within noise"
    if abs(diff) < least_ns:
        return "too little"
    return "slower" if diff > 0 else "faster"


def _change(key: Key, a: Samples, b: Samples, verdict: str, test: _Test | None) -> Change:
    return Change(
        key=key,
        verdict=verdict,
        count_a=float(a.counts.mean()),
        count_b=float(b.counts.mean()),
        total_a=float(a.ns.sum()),
        total_b=float(b.ns.sum()),
        mean_a=float(a.ns.mean()),
        mean_b=float(b.ns.mean()),
        low=None if test is None else test.low,
        high=None if test is None else test.high,
        p=None if test is None else test.p,
    )
