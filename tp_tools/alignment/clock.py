"""Fit one clock for all ranks to the ends of the collectives that they share.

No rank leaves a synchronising collective before the last one has arrived, so its ends on all ranks
are readings of one moment on several clocks. Each rank's clock gets an offset and a drift such that
these readings agree best, over all ranks at once and not along a chain. Outliers (a wrong match, a
rank interrupted between data and end) lose their weight: iteratively reweighted least squares with
Tukey's biweight, solved by conjugate gradients.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.alignment.rank_rows import rows_by_rank

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints

    Floats = NDArray[np.float64]

PPT = 10**12
"""Unit of drift is 1e-12; a drift of 1 adds 4 ns in an hour."""

_SECOND_NS = 10**9
_MAX_ROUNDS = 25
_BIWEIGHT = 4.685  # 95 % efficient on normal residuals
_MAD = 1.4826  # from median absolute deviation to standard deviation of a normal
_MIN_SCALE_NS = 100.0  # clocks are not read more precisely
_PRIOR_DRIFT = 5e-5  # drift of quartz; it decides only where readings hardly do
_SETTLED_NS = 0.5
_SOLVED_NS2 = 1e-8  # weighted square of the remaining correction at which iteration ends


class Clock(Struct, frozen=True):
    """The map from a rank's own time to common time: t + offset + drift * (t - at).

    Attributes:
        offset_ns: ns added at `at_ns`.
        drift_ppt: time added per time since `at_ns`, in 1e-12.
        at_ns: the middle of the rank's trace, ns since the epoch on its own clock.
    """

    offset_ns: int = 0
    drift_ppt: int = 0
    at_ns: int = 0

    def common(self, time: Ints) -> Ints:
        """Map times of the rank to the common clock, in the same order.

        The drift is applied per whole microsecond, in integers that hold centuries, and rounded
        down once, so that no two times change order.

        Args:
            time: int64 ns since the epoch, on the rank's own clock.

        Returns:
            int64 ns since the epoch, on the common clock.
        """
        seconds, rest_ns = np.divmod(time - self.at_ns, _SECOND_NS)
        drift_ns, thousandths = np.divmod(seconds * self.drift_ppt, 1000)
        drift = drift_ns + (thousandths * 10**6 + rest_ns // 1000 * self.drift_ppt) // 10**9
        shifted: Ints = time + self.offset_ns + drift
        return shifted

    @property
    def drift_ppb(self) -> float:
        """Return the drift in 1e-9."""
        return self.drift_ppt / 1000


class Readings(Struct, frozen=True):
    """Ends of collectives, as each rank's clock read them; row k is one end on one rank.

    Columns:
        rank: int, index of the rank.
        collective: int, number of the collective.
        end: int64, ns since the epoch on the rank's clock.
    """

    rank: Ints
    collective: Ints
    end: Ints

    def where(self, chosen: NDArray[np.bool_]) -> Readings:
        """Return the chosen rows, with collectives renumbered from 0."""
        _, collective = np.unique(self.collective[chosen], return_inverse=True)
        return Readings(self.rank[chosen], collective.astype(np.int64), self.end[chosen])


def common_ends(readings: Readings, clocks: list[Clock]) -> Ints:
    """Map each reading to the common clock, ns."""
    ends = readings.end.copy()
    for rank, of_rank in rows_by_rank(readings.rank).items():
        ends[of_rank] = clocks[rank].common(readings.end[of_rank])
    return ends


def residuals(readings: Readings, clocks: list[Clock]) -> Ints:
    """Return the distance of each reading from its collective's end, the median over ranks, ns."""
    ends = common_ends(readings, clocks)
    return ends - medians(readings.collective, ends)[readings.collective]


def medians(group: Ints, value: Ints) -> Ints:
    """Return the lower median of each group's values; 0 for a group without values.

    Args:
        group: group of each value, from 0.
        value: the values.

    Returns:
        int64 array (highest group + 1,).
    """
    count = np.bincount(group)
    order = np.lexsort((value, group))
    first = np.cumsum(count) - count
    result = np.zeros(len(count), np.int64)
    present = count > 0
    result[present] = value[order][(first + (count - 1) // 2)[present]]
    return result


def fit(readings: Readings, clocks: list[Clock]) -> list[Clock]:
    """Fit the clocks of ranks to their readings, given first guesses.

    Args:
        readings: ends of synchronising collectives, two or more per collective, of ranks that are
            all connected.
        clocks: guess for each rank, correct to about the time between two collectives.

    Returns:
        Fitted clocks of the ranks with readings, guesses of the others. The lowest rank with
        readings keeps its guess, since its clock is the common one.
    """
    # the first round removes offsets of seconds, next to which a drift would look like an offset
    return _fit_rounds(readings, _fit_rounds(readings, clocks, rounds=1), rounds=_MAX_ROUNDS)


def _fit_rounds(readings: Readings, clocks: list[Clock], *, rounds: int) -> list[Clock]:
    """Fit clocks, with at most `rounds` rounds of reweighting."""
    system = _System(readings, common_ends(readings, clocks), len(clocks))
    solution = system.solve(rounds)
    present = np.unique(readings.rank).tolist()
    corrections = _relative_corrections(system, solution, present)
    fitted = list(clocks)
    for rank in present[1:]:
        fitted[rank] = _composed(clocks[rank], *corrections[rank], system.centre)
    return fitted


def _relative_corrections(
    system: _System, solution: Floats, present: list[int]
) -> dict[int, tuple[float, float]]:
    """Return (a, b) by rank: a guessed time t becomes t + a + b * (t - centre).

    The corrections are relative to the lowest rank, which gets (0, 0).
    """
    offset, slope = solution[0], solution[1] / system.unit
    a0, b0 = offset[present[0]], slope[present[0]]
    return {r: ((offset[r] - a0) / (1 + b0), (slope[r] - b0) / (1 + b0)) for r in present}


def _composed(guess: Clock, offset: float, slope: float, centre: int) -> Clock:
    """Add to a clock the correction offset + slope * (t - centre), with t on the guessed clock."""
    at = int(guess.common(np.array([guess.at_ns]))[0])
    drift = guess.drift_ppt / PPT
    return Clock(
        guess.offset_ns + round(offset + slope * (at - centre)),
        round((drift + slope + drift * slope) * PPT),
        guess.at_ns,
    )


class _System:
    """The least squares problem of the corrections of all ranks; true ends are eliminated.

    The unknowns are the offset and slope of each rank's correction, as the rows of a (2, ranks)
    array. Their sums over the ranks are kept at zero; otherwise the best solution would shrink all
    clocks to one moment.
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
        """Return offsets in ns and slopes per `unit`, as an array (2, ranks)."""
        solution = np.zeros((2, self.ranks))
        self.reweight(solution, by_median=True)
        for _ in range(rounds):
            next_solution = self.least_squares(solution)
            change = np.abs(next_solution - solution).max()
            solution = next_solution
            self.reweight(solution, by_median=False)
            if change < _SETTLED_NS:
                break
        return solution

    def corrected(self, solution: Floats) -> Floats:
        """Return the readings with these corrections, ns from the centre."""
        corrected: Floats = self.time + solution[0][self.rank] + solution[1][self.rank] * self.x
        return corrected

    def reweight(self, solution: Floats, *, by_median: bool) -> None:
        """Set the weights to Tukey's biweight of the residuals, scaled by their median.

        Args:
            solution: corrections.
            by_median: whether residuals count from the median of a collective's readings, which
                resists outliers in the first round, or from the weighted mean.
        """
        time = self.corrected(solution)
        if by_median:
            rounded = np.rint(time).astype(np.int64)
            centres = medians(self.collective, rounded).astype(np.float64)
        else:
            centres = self.means(time)
        off = np.abs(time - centres[self.collective])
        self.scale = max(_MAD * float(np.median(off[off > 0])) if off.any() else 0, _MIN_SCALE_NS)
        ratio = np.minimum(off / (_BIWEIGHT * self.scale), 1)
        # weights stay above zero, so that a rank with a bad guess can recover
        self.weigh(np.maximum((1 - ratio**2) ** 2, 1e-6))

    def weigh(self, weight: Floats) -> None:
        """Set the weight of each reading."""
        self.weight, self.total = weight, np.bincount(self.collective, weight)

    def means(self, value: Floats) -> Floats:
        """Return the weighted mean of each collective's readings."""
        mean: Floats = np.bincount(self.collective, self.weight * value) / self.total
        return mean

    def least_squares(self, start: Floats) -> Floats:
        """Solve the weighted problem by conjugate gradients, preconditioned by the diagonal.

        Args:
            start: corrections to start from.
        """
        ridge = np.zeros((2, 1))
        ridge[1] = (self.scale / (_PRIOR_DRIFT * self.unit)) ** 2
        diagonal = np.stack(
            [np.bincount(self.rank, self.weight * v, self.ranks) for v in (self.x**0, self.x**2)]
        )
        inverse = self.project(1 / np.maximum(diagonal + ridge, 1e-9), centred=False)
        residual = self.project(-self.gradient(self.corrected(start)) - ridge * start)
        solution = start.copy()
        direction = self.project(inverse * residual)
        strength = float((residual * direction).sum())
        goal = max(strength * 1e-18, _SOLVED_NS2)
        for _ in range(8 * self.ranks):
            if strength <= goal:
                break
            change = direction[0][self.rank] + direction[1][self.rank] * self.x
            image = self.project(self.gradient(change) + ridge * direction)
            step = strength / float((direction * image).sum())
            solution += step * direction
            residual -= step * image
            preconditioned = self.project(inverse * residual)
            previous, strength = strength, float((residual * preconditioned).sum())
            direction = preconditioned + strength / previous * direction
        return solution

    def gradient(self, time: Floats) -> Floats:
        """Return the gradient of half the weighted sum of squares around each collective's mean."""
        off = self.weight * (time - self.means(time)[self.collective])
        return np.stack([np.bincount(self.rank, v, self.ranks) for v in (off, off * self.x)])

    def project(self, value: Floats, *, centred: bool = True) -> Floats:
        """Project onto the ranks with readings and, if `centred`, onto sums of zero."""
        kept = np.where(self.present, value, 0)
        if centred:
            kept = kept - np.where(self.present, kept.sum(1, keepdims=True) / self.present.sum(), 0)
        return kept
