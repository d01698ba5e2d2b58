"""Judge differences between two sets of samples: trimmed means, bootstrap intervals, tests, Holm.

Now and then something disturbs a step: a collection of garbage, a checkpoint, another process. So
the typical value of a row is its trimmed mean: without the quarter of the samples at either end.

Sources: K. K. Yuen, The two-sample trimmed t for unequal population variances, Biometrika 61, 1974
(without trimming it is the test of B. L. Welch, Biometrika 34, 1947); B. Efron, R. Tibshirani, An
Introduction to the Bootstrap, 1993, chapter 13 (percentile intervals); S. Holm, A simple
sequentially rejective multiple test procedure, Scandinavian Journal of Statistics 6, 1979; W. Press
et al., Numerical Recipes, 3rd edition, section 6.4 (the incomplete beta function by Lentz's
continued fraction).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

RESAMPLES = 4000
"""Bootstrap resamples of each side."""

SEED = 20
"""Seed of the resamples: the same samples get the same intervals."""

CONFIDENCE = 0.95

TRIM = 0.25
"""Share of the samples that a trimmed mean leaves out at either end."""

_TRIMMED = 5
"""Samples from which on some are left out."""

FEWEST = 2
"""Samples of a side below which nothing is known of its noise."""

_FRACTIONS = 300
"""Terms of the continued fraction at most; some tens are needed."""

_TINY = 1e-300
_EPSILON = 1e-12


class Intervals(Struct, frozen=True):
    """Intervals of the difference of typical values, one per column.

    Attributes:
        low, high: ends of the interval, in the unit of the samples.
    """

    low: Floats
    high: Floats


def typical(samples: Floats, trim: float = TRIM) -> Floats:
    """Return the trimmed mean of each column; the mean where there are fewer than five samples.

    Args:
        samples: shape (samples, columns).
        trim: share of the samples that is left out at either end.
    """
    cut = _cut(samples, trim)
    found: Floats = np.sort(samples, axis=0)[cut : len(samples) - cut].mean(axis=0)
    return found


def _cut(samples: Floats, trim: float) -> int:
    """Return how many samples are left out at either end."""
    return int(trim * len(samples)) if len(samples) >= _TRIMMED else 0


def _winsorized(samples: Floats, trim: float) -> Floats:
    """Replace the samples that are left out by the nearest that are not."""
    cut = _cut(samples, trim)
    if not cut:
        return samples
    ordered = np.sort(samples, axis=0)
    return np.clip(samples, ordered[cut], ordered[-cut - 1])


def intervals(
    a: Floats, b: Floats, trim: float = TRIM, resamples: int = RESAMPLES, seed: int = SEED
) -> Intervals:
    """Estimate by bootstrap how much typical(b) - typical(a) may be, column by column.

    The samples of a side are drawn anew with replacement, all columns of a sample together. With
    trimming winsorized samples are drawn, and their deviations scaled as Yuen's standard error is.

    Args:
        a: samples of one side, shape (samples, columns).
        b: samples of the other, shape (samples, columns).
        trim: as in `typical`.
        resamples: how often they are drawn.
        seed: of the random numbers.
    """
    random = np.random.default_rng(seed)
    drawn = _deviations(b, trim, resamples, random) - _deviations(a, trim, resamples, random)
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(drawn, (tail, 1 - tail), axis=0)
    moved = typical(b, trim) - typical(a, trim)
    return Intervals(moved + low, moved + high)


def _deviations(
    samples: Floats, trim: float, resamples: int, random: np.random.Generator
) -> Floats:
    """Return how far typical values of resamples are off, shape (resamples, columns)."""
    count = len(samples)
    weights = random.multinomial(count, np.full(count, 1 / count), size=resamples)
    kept = 1 - 2 * _cut(samples, trim) / count
    drawn = _winsorized(samples, trim)
    found: Floats = (weights @ drawn / count - drawn.mean(axis=0)) / kept
    return found


def yuen(a: Floats, b: Floats, trim: float = TRIM) -> Floats:
    """Return the two-sided p of Yuen's test that both sides have one typical value, by column.

    Args:
        a: samples of one side, shape (samples, columns), at least `FEWEST` of them.
        b: samples of the other.
        trim: as in `typical`.

    Returns:
        p, 0 to 1. Where no sample of either side varies: 1 if the values are equal, else 0.
    """
    kept = [len(it) - 2 * _cut(it, trim) for it in (a, b)]
    squares = [
        (len(it) - 1) * _winsorized(it, trim).var(axis=0, ddof=1) / (of * (of - 1))
        for it, of in zip((a, b), kept, strict=True)
    ]
    moved = np.abs(typical(b, trim) - typical(a, trim))
    found = np.where(moved > 0, 0.0, 1.0)
    for column in np.flatnonzero(squares[0] + squares[1]):
        parts = [float(it[column]) for it in squares]
        freedom = sum(parts) ** 2 / sum(
            part**2 / (of - 1) for part, of in zip(parts, kept, strict=True)
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
