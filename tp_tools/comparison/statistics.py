"""Judge differences between two sets of samples: intervals by bootstrap, tests by Welch, Holm.

Sources: B. Efron, R. Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13 (percentile
intervals); B. L. Welch, The generalization of Student's problem when several different population
variances are involved, Biometrika 34, 1947; S. Holm, A simple sequentially rejective multiple test
procedure, Scandinavian Journal of Statistics 6, 1979; W. Press et al., Numerical Recipes, 3rd
edition, section 6.4 (the incomplete beta function by Lentz's continued fraction).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

RESAMPLES = 4000
"""Bootstrap resamples of each side."""

SEED = 20
"""Seed of the resamples: the same samples get the same intervals."""

CONFIDENCE = 0.95

FEWEST = 2
"""Samples of a side below which nothing is known of its noise."""

_FRACTIONS = 300
"""Terms of the continued fraction at most; some tens are needed."""

_TINY = 1e-300
_EPSILON = 1e-12


@dataclass(frozen=True)
class Intervals:
    """Intervals of the difference of means, one per column.

    Attributes:
        low, high: ends of the interval, in the unit of the samples.
    """

    low: Floats
    high: Floats


def intervals(
    a: Floats,
    b: Floats,
    resamples: int = RESAMPLES,
    confidence: float = CONFIDENCE,
    seed: int = SEED,
) -> Intervals:
    """Estimate by bootstrap how much mean(b) - mean(a) may be, column by column.

    The samples of a side are drawn anew with replacement, all columns of a sample together.

    Args:
        a: samples of one side, shape (samples, columns).
        b: samples of the other, shape (samples, columns).
        resamples: how often they are drawn.
        confidence: of the percentile interval, 0 to 1.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    drawn = _means(b, resamples, random) - _means(a, resamples, random)
    tail = (1 - confidence) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail), axis=0)
    return Intervals(low, high)


def _means(samples: Floats, resamples: int, random: np.random.Generator) -> Floats:
    """Return means of resamples, shape (resamples, columns): their weights times the samples."""
    count = len(samples)
    weights = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    return weights @ samples / count


def welch(a: Floats, b: Floats) -> Floats:
    """Return the two-sided p of Welch's test that both sides have one mean, column by column.

    Args:
        a: samples of one side, shape (samples, columns), at least `FEWEST` of them.
        b: samples of the other.

    Returns:
        p, 0 to 1. Where no sample of either side varies: 1 if the means are equal, else 0.
    """
    squares = [it.var(axis=0, ddof=1) / len(it) for it in (a, b)]
    spread, moved = squares[0] + squares[1], np.abs(b.mean(axis=0) - a.mean(axis=0))
    found = np.where(moved > 0, 0.0, 1.0)
    for column in np.flatnonzero(spread):
        parts = [float(it[column]) for it in squares]
        freedom = sum(parts) ** 2 / (
            parts[0] ** 2 / (len(a) - 1) + parts[1] ** 2 / (len(b) - 1) or _TINY
        )
        found[column] = _two_sided(float(moved[column]) / math.sqrt(sum(parts)), freedom)
    return found


def _two_sided(t: float, freedom: float) -> float:
    """Return P(|T| >= t) of Student's t: the incomplete beta function of freedom / 2 and 1 / 2."""
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _fraction(a, b, x) / a
    return 1 - front * _fraction(b, a, 1 - x) / b


def _fraction(a: float, b: float, x: float) -> float:
    """Evaluate the continued fraction of the incomplete beta function by Lentz's method."""
    c, d = 1.0, 1 / _away(1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, _FRACTIONS):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / _away(1 + step * d)
            c = _away(1 + step / c)
            value *= d * c
        if abs(d * c - 1) < _EPSILON:
            break
    return value


def _away(value: float) -> float:
    """Return the value, or a tiny one in place of 0."""
    return value if abs(value) > _TINY else _TINY


def holm(p: Floats) -> Floats:
    """Adjust p-values of several tests, so that the chance of any false alarm is bounded.

    Args:
        p: p-values, shape (tests,).

    Returns:
        Adjusted p-values: those at most 0.05 are significant with a chance of 5 % that any is a
        false alarm.
    """
    order = np.argsort(p, kind="stable")
    scaled = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(scaled, 1)
    return adjusted
