"""How one rank's collectives lie on another's in time, found from the times of their ends alone.

Two ranks record the same collectives on clocks that differ by an unknown offset and drift, begin
and end their profiles at different ones, and may have lost some. The right offset puts the ends of
one onto those of the other; a wrong one does so by chance only. Candidates come from votes: the
differences of all ends of one kind within a short stretch pile up at the right offset. Each is then
followed over the whole trace, its drift with it, and the one with the most support wins; its
nearest rival says how sure that is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.alignment.offset_candidates import HISTOGRAM_NS, STRETCH, offset_candidates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.alignment.event_series import EventSeries
    from tp_tools.trace.model import Ints

    Floats = NDArray[np.float64]

_SHARP_NS = (5_000.0, 25_000.0)
"""Ends that lie this far apart still support a match by half: at least, at most."""

_SHARP_SHARE = 0.125  # and no further than this share of what lies between two collectives

_NEAR_NS = 50_000  # ends further apart than this are no match at all
_SURE = 0.7  # the rival's support, as a share of the best, above which nothing is sure
_LEAST_SUPPORT = 4.0  # eight good matches more than there are misses
_FOLLOWED = 24  # candidates in all
_FIRST_NEAR_NS = 15_000.0
_DRIFT = 2e-4  # no two clocks drift apart faster
_USUAL_DRIFT = 1e-4
_LEAST_SHARE = 0.3  # of the collectives in reach must match for a candidate to be followed further
_LEAST_MATCHES = 6
_REWEIGHTED = 3


@dataclass(frozen=True)
class LinearClock:
    """What is added to a time: offset + slope * (time - centre), in ns."""

    offset: float
    slope: float
    centre: float

    def at(self, time: Floats) -> Floats:
        """What is added at these times."""
        return self.offset + self.slope * (time - self.centre)

    def there(self, time: float) -> float:
        """What is added at one time."""
        return self.offset + self.slope * (time - self.centre)


@dataclass(frozen=True)
class Registration:
    """How a sequence lies on another.

    Attributes:
        line: what is to be added to its times.
        match: for each of its collectives the index in the other, or -1.
        keys: those in which the two agree; the others have no matches.
        support: matches in excess of misses, as a sum over these keys.
        sure: whether no other way to lay it has nearly as much support.
    """

    line: LinearClock
    match: Ints
    keys: Ints
    support: float
    sure: bool


def register(
    base: EventSeries, other: EventSeries, hint: LinearClock | None
) -> Registration | None:
    """Lays a sequence on another; None if they do not agree anywhere.

    Args:
        base: stays where it is.
        other: is to be moved.
        hint: what is known already to be right, as from matches by number.
    """
    if not len(base) or not len(other):
        return None
    if hint is not None:
        laid = _supported(base, other, hint)
        return laid if laid.support >= _LEAST_SUPPORT else None
    found = sorted(_followed(base, other), key=lambda laid: -laid.support)
    if not found or found[0].support < _LEAST_SUPPORT:
        return None
    best = found[0]
    rivals = [it for it in found if it.support > _SURE * best.support and not _same(it, best)]
    if not rivals:
        return best
    # nothing is sure: the times as they were recorded are then most likely nearly right
    middle = float(other.end.mean())
    return replace(min([best, *rivals], key=lambda it: abs(it.line.there(middle))), sure=False)


def _same(laid: Registration, other: Registration) -> bool:
    """Whether two candidates that were followed came to the same end."""
    both = (laid.match >= 0) & (other.match >= 0)
    same = laid.match[both] == other.match[both]
    return bool(both.any()) and int(same.sum()) > len(same) // 2


def _followed(base: EventSeries, other: EventSeries) -> Iterator[Registration]:
    voted = sorted(offset_candidates(base, other), key=lambda it: -it[1])
    found: list[LinearClock] = []
    for (offset, centre), _ in voted[:_FOLLOWED]:
        if any(abs(line.there(centre) - offset) < HISTOGRAM_NS[-1] for line in found):
            continue
        line = _follow(base, other, LinearClock(offset, 0.0, centre))
        if line is not None:
            found.append(line)
            yield _supported(base, other, line)


def _follow(base: EventSeries, other: EventSeries, line: LinearClock) -> LinearClock | None:
    """The line over the whole trace, fitted to ever longer stretches around where it was seen."""
    distance = np.abs(other.end - line.centre)
    near, reach = _FIRST_NEAR_NS, float(np.sort(distance)[min(STRETCH, len(other)) - 1])
    while True:
        inside = np.flatnonzero(distance <= reach)
        key, end = other.key[inside], other.end[inside].astype(np.float64)
        match = base.nearest(key, end + line.at(end), near)
        found = match >= 0
        matches = int(found.sum())
        if matches < max(_LEAST_MATCHES, _LEAST_SHARE * _possible(base, key, end + line.at(end))):
            return None
        line = _fitted(end[found], base.end[match[found]] - end[found], line)
        if abs(line.slope) > _DRIFT:
            return None
        if reach >= distance.max():
            return line
        reach *= 2


def _possible(base: EventSeries, key: Ints, end: Floats) -> int:
    """How many matches there can be at most: those that both have within the time both cover."""
    first, last = max(base.end.min(), end.min()), min(base.end.max(), end.max())
    own = np.bincount(key[(end >= first - _NEAR_NS) & (end <= last + _NEAR_NS)])
    inside = (base.end >= first - _NEAR_NS) & (base.end <= last + _NEAR_NS)
    others = np.bincount(base.key[inside], minlength=len(own))[: len(own)]
    return int(np.minimum(own, others).sum())


def _fitted(time: Floats, difference: Floats, line: LinearClock) -> LinearClock:
    """A line through the differences, by least squares in which outliers lose their weight."""
    x = time - line.centre
    off = difference - line.at(time)
    unit = max(float(np.abs(x).max()), 1.0)
    matrix = np.stack([np.ones_like(x), x / unit], 1)
    change = np.array([np.median(off), 0.0])
    for _ in range(_REWEIGHTED):
        residual = off - matrix @ change
        scale = max(2 * float(np.median(np.abs(residual))), 500.0)
        weight = 1 / (1 + (residual / scale) ** 2)
        # what is known beforehand about drift keeps short stretches from inventing some
        ridge = np.diag([0.0, (scale / (_USUAL_DRIFT * unit)) ** 2])
        normal = (matrix.T * weight) @ matrix + ridge
        change = np.linalg.solve(normal, (matrix.T * weight) @ off)
    return LinearClock(line.offset + change[0], line.slope + change[1] / unit, line.centre)


def _supported(base: EventSeries, other: EventSeries, line: LinearClock) -> Registration:
    """What speaks for this line: in each key, matches against misses."""
    end = other.end.astype(np.float64)
    moved = end + line.at(end)
    match = base.nearest(other.key, moved, _NEAR_NS)
    found = match >= 0
    off = base.end[match[found]] - moved[found]
    keys = np.unique(other.key)
    usual = 2 * float(np.median(np.abs(off))) if len(off) else 0.0
    most = min(_SHARP_NS[1], _SHARP_SHARE * base.pause)
    sharp = max(min(usual, most), _SHARP_NS[0])
    strength = np.bincount(other.key[found], 1 / (1 + (off / sharp) ** 2), int(keys[-1]) + 1)
    total, agreed = 0.0, []
    for key in keys.tolist():
        mine = other.key == key
        possible = _possible(base, other.key[mine], moved[mine])
        support = float(strength[key]) - possible / 2
        if support > 0:
            total += support
            agreed.append(key)
    match[~np.isin(other.key, agreed)] = -1
    return Registration(line, match, np.array(agreed, np.int64), total, sure=True)
