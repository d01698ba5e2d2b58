"""One clock for all ranks, fitted to the ends of the collectives that they share.

No rank leaves a synchronising collective before the last one has arrived, so its ends on all ranks
are one moment, read on as many clocks. Each rank's clock gets an offset and a drift such that these
readings agree as well as they can, over all ranks at once and not along a chain. Outliers (a wrong
match, a rank that was interrupted between data and end) lose their weight: iteratively reweighted
least squares with Tukey's biweight, solved by conjugate gradients.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints

    Floats = NDArray[np.float64]

PPT = 10**12
"""Drift is counted in 1e-12: an hour at 1e-12 is 4 ns."""

_SECOND_NS = 10**9
_ROUNDS = 25
_BIWEIGHT = 4.685  # 95 % efficient on normal residuals
_MAD = 1.4826  # from median absolute deviation to standard deviation of a normal
_SHARPEST_NS = 100.0  # clocks are not read better than that
_PRIOR_DRIFT = 5e-5  # what quartz drifts; it matters only where the data hardly says anything
_SETTLED_NS = 0.5
_EXACT_NS2 = 1e-8  # weighted squares of what is left to correct, at which it is solved


@dataclass(frozen=True)
class Clock:
    """How a rank's own time becomes common time: t + offset + drift * (t - at).

    Attributes:
        offset_ns: what is added at `at_ns`.
        drift_ppt: what is added per time since then, in 1e-12.
        at_ns: the middle of the rank's trace, ns since the epoch on its own clock.
    """

    offset_ns: int = 0
    drift_ppt: int = 0
    at_ns: int = 0

    def common(self, time: Ints) -> Ints:
        """Times of the rank, int64 ns since the epoch, on the common clock; keeps their order.

        The drift is applied per whole microsecond, in integers that hold centuries, and rounded
        down once, so that two times never change places.
        """
        seconds, rest = np.divmod(time - self.at_ns, _SECOND_NS)
        whole, part = np.divmod(seconds * self.drift_ppt, 1000)
        drift = whole + (part * 10**6 + rest // 1000 * self.drift_ppt) // 10**9
        shifted: Ints = time + self.offset_ns + drift
        return shifted

    @property
    def drift_ppb(self) -> float:
        """The drift in 1e-9."""
        return self.drift_ppt / 1000


@dataclass(frozen=True)
class Readings:
    """Ends of collectives: row k says when collective[k] ended on the clock of rank[k].

    Attributes:
        rank: index of the rank.
        collective: number of the collective.
        end: ns since the epoch.
    """

    rank: Ints
    collective: Ints
    end: Ints

    def where(self, chosen: NDArray[np.bool_]) -> Readings:
        """The chosen rows, the collectives numbered anew."""
        _, collective = np.unique(self.collective[chosen], return_inverse=True)
        return Readings(self.rank[chosen], collective.astype(np.int64), self.end[chosen])


def common_ends(readings: Readings, clocks: list[Clock]) -> Ints:
    """Each reading on the common clock."""
    ends = readings.end.copy()
    for rank in np.unique(readings.rank).tolist():
        mine = readings.rank == rank
        ends[mine] = clocks[rank].common(readings.end[mine])
    return ends


def residuals(readings: Readings, clocks: list[Clock]) -> Ints:
    """How far each reading lies from its collective's end, the median over the ranks, in ns."""
    ends = common_ends(readings, clocks)
    return ends - medians(readings.collective, ends)[readings.collective]


def medians(group: Ints, value: Ints) -> Ints:
    """The lower median of the values of each group; 0 for a number that no row has."""
    count = np.bincount(group)
    order = np.lexsort((value, group))
    first = np.cumsum(count) - count
    result = np.zeros(len(count), np.int64)
    present = count > 0
    result[present] = value[order][(first + (count - 1) // 2)[present]]
    return result


def fit(readings: Readings, clocks: list[Clock]) -> list[Clock]:
    """Better clocks, given first guesses.

    Args:
        readings: ends of synchronising collectives; every collective has two ranks or more, and
            every rank that occurs is tied to every other, directly or over others.
        clocks: by rank: the guesses; good to the time between two collectives or so.

    Returns:
        The clocks of the ranks that occur; the guesses of the others. The lowest rank that occurs
        keeps its guess: the common clock is its.
    """
    # offsets of seconds would make any drift look like an offset: they are taken out beforehand
    return _fitted(readings, _fitted(readings, clocks, rounds=1), rounds=_ROUNDS)


def _fitted(readings: Readings, clocks: list[Clock], *, rounds: int) -> list[Clock]:
    system = _System(readings, common_ends(readings, clocks), len(clocks))
    solution = system.solve(rounds)
    present = np.unique(readings.rank).tolist()
    lines = _anchored(system, solution, present)
    fitted = list(clocks)
    for rank in present[1:]:
        fitted[rank] = _composed(clocks[rank], *lines[rank], system.centre)
    return fitted


def _anchored(
    system: _System, solution: Floats, present: list[int]
) -> dict[int, tuple[float, float]]:
    """Per rank (a, b): a guessed time t becomes t + a + b * (t - centre).

    Seen from the lowest rank, which gets (0, 0).
    """
    offset, slope = solution[0], solution[1] / system.unit
    a0, b0 = offset[present[0]], slope[present[0]]
    return {r: ((offset[r] - a0) / (1 + b0), (slope[r] - b0) / (1 + b0)) for r in present}


def _composed(guess: Clock, offset: float, slope: float, centre: int) -> Clock:
    """A guess with a correction: offset + slope * (t - centre) on guessed time."""
    at = int(guess.common(np.array([guess.at_ns]))[0])
    drift = guess.drift_ppt / PPT
    return Clock(
        guess.offset_ns + round(offset + slope * (at - centre)),
        round((drift + slope + drift * slope) * PPT),
        guess.at_ns,
    )


class _System:
    """The least squares problem: corrections per rank; the true ends are eliminated.

    Unknown are offset and slope of each rank's correction, as rows of a 2 x ranks array. Their sums
    over the ranks are held at zero, or all clocks could shrink to one moment at no cost.
    """

    def __init__(self, readings: Readings, ends: Ints, ranks: int) -> None:
        self.rank, self.collective = readings.rank, readings.collective
        self.ranks = ranks
        self.centre = int(ends.min() + (ends.max() - ends.min()) // 2)
        time = (ends - self.centre).astype(np.float64)
        self.unit = max(float(np.abs(time).max()), 1.0)
        self.time = time
        self.x = time / self.unit
        self.present = np.bincount(self.rank, minlength=ranks) > 0
        self.weigh(np.ones(len(time)))

    def solve(self, rounds: int) -> Floats:
        solution = np.zeros((2, self.ranks))
        self.reweight(solution, by_median=True)
        for _ in range(rounds):
            better = self.least_squares(solution)
            moved = np.abs(better - solution).max()
            solution = better
            self.reweight(solution, by_median=False)
            if moved < _SETTLED_NS:
                break
        return solution

    def corrected(self, solution: Floats) -> Floats:
        corrected: Floats = self.time + solution[0][self.rank] + solution[1][self.rank] * self.x
        return corrected

    def reweight(self, solution: Floats, *, by_median: bool) -> None:
        """Tukey's biweight of the residuals, at the scale that most of them have."""
        time = self.corrected(solution)
        if by_median:
            whole = np.rint(time).astype(np.int64)
            middle = medians(self.collective, whole).astype(np.float64)
        else:
            middle = self.means(time)
        off = np.abs(time - middle[self.collective])
        self.scale = max(_MAD * float(np.median(off[off > 0])) if off.any() else 0, _SHARPEST_NS)
        ratio = np.minimum(off / (_BIWEIGHT * self.scale), 1)
        # never quite zero: a rank whose guess is bad must be able to come back
        self.weigh(np.maximum((1 - ratio**2) ** 2, 1e-6))

    def weigh(self, weight: Floats) -> None:
        self.weight, self.total = weight, np.bincount(self.collective, weight)

    def means(self, value: Floats) -> Floats:
        mean: Floats = np.bincount(self.collective, self.weight * value) / self.total
        return mean

    def least_squares(self, start: Floats) -> Floats:
        """Conjugate gradients on the normal equations, preconditioned by their diagonal."""
        ridge = np.zeros((2, 1))
        ridge[1] = (self.scale / (_PRIOR_DRIFT * self.unit)) ** 2
        diagonal = np.stack(
            [np.bincount(self.rank, self.weight * v, self.ranks) for v in (self.x**0, self.x**2)]
        )
        inverse = self.project(1 / np.maximum(diagonal + ridge, 1e-9), centred=False)
        residue = self.project(-self.gradient(self.corrected(start)) - ridge * start)
        solution = start.copy()
        direction = self.project(inverse * residue)
        strength = float((residue * direction).sum())
        goal = max(strength * 1e-18, _EXACT_NS2)
        for _ in range(8 * self.ranks):
            if strength <= goal:
                break
            moved = direction[0][self.rank] + direction[1][self.rank] * self.x
            image = self.project(self.gradient(moved) + ridge * direction)
            step = strength / float((direction * image).sum())
            solution += step * direction
            residue -= step * image
            preconditioned = self.project(inverse * residue)
            previous, strength = strength, float((residue * preconditioned).sum())
            direction = preconditioned + strength / previous * direction
        return solution

    def gradient(self, time: Floats) -> Floats:
        """Of half the weighted sum of squares around each collective's mean."""
        off = self.weight * (time - self.means(time)[self.collective])
        return np.stack([np.bincount(self.rank, v, self.ranks) for v in (off, off * self.x)])

    def project(self, value: Floats, *, centred: bool = True) -> Floats:
        """Onto the ranks that occur and, unless it is told not to, onto sums of zero."""
        kept = np.where(self.present, value, 0)
        if centred:
            kept = kept - np.where(self.present, kept.sum(1, keepdims=True) / self.present.sum(), 0)
        return kept
