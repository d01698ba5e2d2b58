"""Register one rank's collectives against another's: find offset and drift from their ends alone.

Two ranks record the same collectives on clocks that differ by an unknown offset and drift, begin
and end their profiles at different ones, and may have lost some. At the right offset the ends of
one coincide with those of the other, at a wrong one by chance only. Candidates are the peaks of
the histogram of differences between the ends of a short stretch and all ends of the other rank
(`offset_candidates`). Each is fitted, with its drift, over the whole trace; the one with the most
support wins, and its strongest rival decides whether the result is sure.

Distances count relative to the time between collectives: over NVLink ends fall together within
microseconds, over PCIe a collective of 3 ms may end 0.3 ms later on one rank than on another. So
the search begins with tolerances of microseconds, and widens them while it finds nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.alignment.offset_candidates import STRETCH, offset_candidates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.alignment.event_series import EventSeries
    from tp_tools.trace.model import Ints

    Floats = NDArray[np.float64]

_SHARE = 0.125
"""Tolerances are at most this share of the time between two collectives, or the narrowest ones."""

_WIDENING = 4  # factor between one level of tolerances and the next

_SURE = 0.7  # the rival's support, as a share of the best, above which nothing is sure
_LEAST_SUPPORT = 4.0  # eight good matches more than there are misses
_MOST_CANDIDATES = 24  # that are fitted
_DRIFT = 2e-4  # no two clocks drift apart faster
_USUAL_DRIFT = 1e-4
_LEAST_SHARE = 0.3  # of the collectives in reach must match, or a candidate is dropped
_LEAST_MATCHES = 6
_REWEIGHTED = 3


class Tolerances(Struct, frozen=True):
    """Distances between two ends, ns; the defaults are those of GPUs that NVLink joins.

    Attributes:
        near: ends further apart are no match at all.
        first_near: the same, while the drift is unknown.
        sharp: lower and upper bound of the distance that halves the support of a match.
        windows: widths of the windows in which differences are counted.
    """

    near: float = 50_000.0
    first_near: float = 15_000.0
    sharp: tuple[float, float] = (5_000.0, 25_000.0)
    windows: tuple[int, int] = (6_000, 30_000)

    def wider(self) -> Tolerances:
        """Return the next level."""
        return Tolerances(
            self.near * _WIDENING,
            self.first_near * _WIDENING,
            (self.sharp[0] * _WIDENING, self.sharp[1] * _WIDENING),
            (self.windows[0] * _WIDENING, self.windows[1] * _WIDENING),
        )


def _levels(base: EventSeries) -> Iterator[Tolerances]:
    """Yield tolerances from the narrowest to those that the pauses of a series allow."""
    level = Tolerances()
    yield level
    while (level := level.wider()).near <= _SHARE * base.pause:
        yield level


class LinearClock(Struct, frozen=True):
    """Correction of a clock: adds offset + slope * (time - centre) to a time, in ns."""

    offset: float
    slope: float
    centre: float

    def at(self, time: Floats) -> Floats:
        """Return the corrections at these times: float64 (n,), ns."""
        return self.offset + self.slope * (time - self.centre)

    def there(self, time: float) -> float:
        """Return the correction at one time, ns."""
        return self.offset + self.slope * (time - self.centre)


class Registration(Struct, frozen=True):
    """A series of n collectives registered against another.

    Attributes:
        clock: the correction of its times.
        match: int (n,), index of the match in the other series, or -1.
        keys: int64, the keys in which the two agree; other keys have no matches.
        support: matches in excess of misses, summed over these keys.
        sure: whether no other registration has nearly as much support.
        near: the largest distance between two ends of a match, ns.
    """

    clock: LinearClock
    match: Ints
    keys: Ints
    support: float
    sure: bool
    near: float


def register(
    base: EventSeries, other: EventSeries, hint: LinearClock | None
) -> Registration | None:
    """Register a series against another; None if they agree nowhere.

    Args:
        base: the series that keeps its times.
        other: the series to correct.
        hint: the correction, if it is known, for example from matches by sequence number.
    """
    if not len(base) or not len(other):
        return None
    for level in _levels(base):
        registered = _registered(base, other, hint, level)
        if registered is not None:
            return registered
    return None


def _registered(
    base: EventSeries, other: EventSeries, hint: LinearClock | None, level: Tolerances
) -> Registration | None:
    """Register a series against another with the tolerances of one level."""
    if hint is not None:
        registered = _supported(base, other, hint, level)
        return registered if registered.support >= _LEAST_SUPPORT else None
    found = sorted(_registrations(base, other, level), key=lambda registered: -registered.support)
    if not found or found[0].support < _LEAST_SUPPORT:
        return None
    best = found[0]
    rivals = [one for one in found if one.support > _SURE * best.support and not _same(one, best)]
    if not rivals:
        return best
    # several fit: the smallest correction is the most likely
    middle = float(other.end.mean())
    return replace(min([best, *rivals], key=lambda one: abs(one.clock.there(middle))), sure=False)


def _same(registered: Registration, other: Registration) -> bool:
    """Tell whether two registrations match mostly the same collectives."""
    both = (registered.match >= 0) & (other.match >= 0)
    same = registered.match[both] == other.match[both]
    return bool(both.any()) and int(same.sum()) > len(same) // 2


def _registrations(
    base: EventSeries, other: EventSeries, level: Tolerances
) -> Iterator[Registration]:
    """Fit the strongest candidates; skip those on a clock that was fitted already."""
    candidates = offset_candidates(base, other, level.windows)
    voted = sorted(candidates, key=lambda candidate: -candidate[1])
    found: list[LinearClock] = []
    for (offset, centre), _ in voted[:_MOST_CANDIDATES]:
        if any(abs(clock.there(centre) - offset) < level.windows[-1] for clock in found):
            continue
        clock = _fit_outwards(base, other, LinearClock(offset, 0.0, centre), level)
        if clock is not None:
            found.append(clock)
            yield _supported(base, other, clock, level)


def _fit_outwards(
    base: EventSeries, other: EventSeries, clock: LinearClock, level: Tolerances
) -> LinearClock | None:
    """Fit a clock to ever longer stretches around the candidate's centre, up to the whole trace.

    Returns:
        The fitted clock; None where too few collectives match, or the drift is too large.
    """
    distance = np.abs(other.end - clock.centre)
    reach = float(np.sort(distance)[min(STRETCH, len(other)) - 1])
    while True:
        inside = np.flatnonzero(distance <= reach)
        key, end = other.key[inside], other.end[inside].astype(np.float64)
        match = base.nearest(key, end + clock.at(end), level.first_near)
        found = match >= 0
        matches = int(found.sum())
        possible = _possible(base, key, end + clock.at(end), level.near)
        if matches < max(_LEAST_MATCHES, _LEAST_SHARE * possible):
            return None
        clock = _fitted(end[found], base.end[match[found]] - end[found], clock)
        if abs(clock.slope) > _DRIFT:
            return None
        if reach >= distance.max():
            return clock
        reach *= 2


def _possible(base: EventSeries, key: Ints, end: Floats, near: float) -> int:
    """Count the most matches possible: the collectives per key within the time that both cover."""
    first, last = max(base.end.min(), end.min()), min(base.end.max(), end.max())
    counts = np.bincount(key[(end >= first - near) & (end <= last + near)])
    inside = (base.end >= first - near) & (base.end <= last + near)
    others = np.bincount(base.key[inside], minlength=len(counts))[: len(counts)]
    return int(np.minimum(counts, others).sum())


def _fitted(time: Floats, difference: Floats, clock: LinearClock) -> LinearClock:
    """Refine a clock by iteratively reweighted least squares, in which outliers lose weight.

    Args:
        time: float64 (n,), ns.
        difference: float64 (n,), corrections to reach at these times, ns.
        clock: the clock to refine.
    """
    x = time - clock.centre
    off = difference - clock.at(time)
    unit = max(float(np.abs(x).max()), 1.0)
    matrix = np.stack([np.ones_like(x), x / unit], 1)
    change = np.array([np.median(off), 0.0])
    for _ in range(_REWEIGHTED):
        residual = off - matrix @ change
        scale = max(2 * float(np.median(np.abs(residual))), 500.0)
        weight = 1 / (1 + (residual / scale) ** 2)
        # a prior on the drift keeps short stretches from fitting noise
        ridge = np.diag([0.0, (scale / (_USUAL_DRIFT * unit)) ** 2])
        normal = (matrix.T * weight) @ matrix + ridge
        change = np.linalg.solve(normal, (matrix.T * weight) @ off)
    return LinearClock(clock.offset + change[0], clock.slope + change[1] / unit, clock.centre)


def _supported(
    base: EventSeries, other: EventSeries, clock: LinearClock, level: Tolerances
) -> Registration:
    """Compute the support of a clock: matches against misses, key by key."""
    end = other.end.astype(np.float64)
    moved = end + clock.at(end)
    match = base.nearest(other.key, moved, level.near)
    found = match >= 0
    off = base.end[match[found]] - moved[found]
    keys = np.unique(other.key)
    usual = 2 * float(np.median(np.abs(off))) if len(off) else 0.0
    most = min(level.sharp[1], _SHARE * base.pause)
    sharp = max(min(usual, most), level.sharp[0])
    strength = np.bincount(other.key[found], 1 / (1 + (off / sharp) ** 2), int(keys[-1]) + 1)
    total, agreed = 0.0, []
    for key in keys.tolist():
        mine = other.key == key
        possible = _possible(base, other.key[mine], moved[mine], level.near)
        support = float(strength[key]) - possible / 2
        if support > 0:
            total += support
            agreed.append(key)
    match[~np.isin(other.key, agreed)] = -1
    return Registration(clock, match, np.array(agreed, np.int64), total, sure=True, near=level.near)
