"""Match collectives without identity: by order, tested against time.

Ranks are registered one by one (`registration`) against the one with the most collectives. Ranks
that do not fit are tried again with the rest: they may belong to another group, which the trace
does not name. Once the clocks are fitted, ends that coincide are one collective.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from tp_tools.alignment.clock import Clock, medians
from tp_tools.alignment.connected import LEAST
from tp_tools.alignment.event_series import EventSeries
from tp_tools.alignment.match import (
    ALONE,
    ORDER,
    TESTED,
    UNCERTAIN,
    Matches,
    shared,
)
from tp_tools.alignment.rank_rows import rows_by_rank
from tp_tools.alignment.registration import LinearClock, register

if TYPE_CHECKING:
    from collections.abc import Sequence as Listed

    from numpy.typing import NDArray

    from tp_tools.alignment.match import Pool
    from tp_tools.alignment.registration import Registration
    from tp_tools.trace.model import Ints

_SHIFTS = 4  # most collectives by which a rank is shifted to test whether that fits as well
_LEAST_NEAR_NS = 2_000  # least tolerance between ends of one collective
_NEAR_SCALES = 8  # tolerance in multiples of the median residual
_LEAST_COUNT = 2  # collectives that a shift takes

KNOWN = LinearClock(0.0, 0.0, 0.0)
"""Clock of a rank that is on the common clock already."""


class JobRegistration(Struct):
    """The ranks of a job as registered so far; n collectives are to be matched.

    Attributes:
        key, rank: int (n,), key and rank of each collective.
        end: int64 (n,), ns after the first end, on the clocks as fitted so far.
        part: int (ranks,), equal for ranks that are on one clock.
        cluster: int64 (n,), the cluster of ranks that it was registered in; -1 for none.
        entry: int64 (n,), preliminary number of its match; -1 for none.
        rows: int64 (rows of the rank,), the collectives of each rank.
        unsure: pairs (rank, cluster) that could also be registered elsewhere.
        near: largest distance at which a rank was registered, by cluster, ns.
    """

    key: Ints
    rank: Ints
    end: Ints
    part: Ints
    cluster: Ints
    entry: Ints
    rows: dict[int, Ints]
    unsure: set[tuple[int, int]] = field(default_factory=set)
    near: dict[int, int] = field(default_factory=dict)


def register_ranks(pool: Pool, clocks: Listed[Clock], part: Ints) -> JobRegistration:
    """Register the ranks against each other, as far as they fit.

    Args:
        pool: synchronising collectives without identity.
        clocks: the clock of each rank, as far as known.
        part: int (ranks,), equal for ranks whose clocks are known to agree.
    """
    end = pool.end.copy()
    rows = rows_by_rank(pool.rank)
    for rank, of_rank in rows.items():
        end[of_rank] = clocks[rank].common(pool.end[of_rank])
    none = np.full(len(pool), -1, np.int64)
    start = int(end.min()) if len(end) else 0
    columns = (pool.key, pool.rank, end - start, part.copy(), none.copy(), none.copy())
    state = JobRegistration(*columns, rows)
    left = np.ones(len(pool), np.bool_)
    cluster = 0
    while left.any():
        counts = np.bincount(state.rank[left], minlength=len(clocks))
        if (counts >= LEAST).sum() <= ALONE:
            break
        reference = int(counts.argmax())
        _Cluster(state, left, cluster, reference).grow()
        left &= state.cluster < 0
        left &= state.rank != reference
        cluster += 1
    return state


class _Cluster:
    """Registers ranks against a reference rank."""

    def __init__(
        self, state: JobRegistration, left: NDArray[np.bool_], number: int, reference: int
    ) -> None:
        self.state, self.left, self.number = state, left, number
        self.rows = self._left_of(reference)
        self.part = int(state.part[reference])
        self.first = self.next = int(state.entry.max(initial=-1)) + 1
        self.key = state.key[self.rows]
        self.end = state.end[self.rows]
        self.next += len(self.rows)

    def _left_of(self, rank: int) -> Ints:
        """Return the collectives of a rank that are not registered yet."""
        rows = self.state.rows[rank]
        return rows[self.left[rows]]

    def grow(self) -> None:
        """Add rank after rank until none fits any more."""
        state = self.state
        reference = int(state.rank[self.rows[0]])
        waiting = [r for r in np.unique(state.rank[self.left]).tolist() if r != reference]
        agreed = np.empty(0, np.int64)
        while waiting:
            base = EventSeries(self.key, self.end)
            unfit = []
            for rank in waiting:
                keys = self.add(rank, base)
                agreed = np.union1d(agreed, keys)
                if not len(keys):
                    unfit.append(rank)
                elif self.next - self.first > len(base):
                    base = EventSeries(self.key, self.end)
            if len(unfit) == len(waiting):
                break
            waiting = unfit
        fits = np.isin(state.key[self.rows], agreed)
        state.cluster[self.rows[fits]] = self.number
        state.entry[self.rows[fits]] = self.first + np.flatnonzero(fits)

    def add(self, rank: int, base: EventSeries) -> Ints:
        """Register a rank against the cluster; return the keys in which it fits."""
        state = self.state
        rows = self._left_of(rank)
        known = int(state.part[rank]) == self.part
        other = EventSeries(state.key[rows], state.end[rows])
        registration = register(base, other, KNOWN if known else None)
        if registration is None:
            return np.empty(0, np.int64)
        if not known:
            self._move(rank, registration.clock)
        fits = np.isin(state.key[rows], registration.keys)
        state.cluster[rows[fits]] = self.number
        self._enter(rows, registration, fits)
        near = int(registration.near)
        state.near[self.number] = max(near, state.near.get(self.number, near))
        if not registration.sure:
            state.unsure.add((rank, self.number))
        return registration.keys

    def _move(self, rank: int, clock: LinearClock) -> None:
        """Put the rank, and all ranks on its clock, on the clock of this cluster."""
        state = self.state
        together = state.part == state.part[rank]
        moved = np.concatenate([rows for it, rows in state.rows.items() if together[it]])
        shift = clock.at(state.end[moved].astype(np.float64))
        state.end[moved] += np.rint(shift).astype(np.int64)
        state.part[together] = self.part

    def _enter(self, rows: Ints, registration: Registration, fits: NDArray[np.bool_]) -> None:
        """Enter the matches of a rank; its unmatched collectives become entries for later ranks."""
        state = self.state
        matched = registration.match >= 0
        state.entry[rows[matched]] = self.first + registration.match[matched]
        new = rows[fits & ~matched]
        state.entry[new] = self.next + np.arange(len(new))
        self.next += len(new)
        self.key = np.concatenate([self.key, state.key[new]])
        self.end = np.concatenate([self.end, state.end[new]])


def tolerance(off: Ints, most: int) -> int:
    """Return the largest distance between neighbouring ends of one collective, ns.

    Args:
        off: distances of ends from the end of their collective, ns.
        most: the largest tolerance, ns.
    """
    scale = int(np.median(off[off > 0])) if off.any() else 0
    return int(np.clip(_NEAR_SCALES * scale, _LEAST_NEAR_NS, most))


def matches_by_time(registered: JobRegistration, end: Ints, near: dict[int, int]) -> Matches:
    """Match the registered collectives on the fitted clocks.

    Args:
        registered: the clusters of ranks.
        end: int64 (n,), ends on the fitted clocks, ns.
        near: largest distance between two neighbouring ends of one collective, by cluster, ns.
    """
    rows = np.flatnonzero(registered.cluster >= 0)
    order = rows[np.lexsort((end[rows], registered.key[rows], registered.cluster[rows]))]
    same = np.ones(len(order), np.bool_)
    for column in (registered.cluster, registered.key):
        same[1:] &= np.diff(column[order]) == 0
    limits = np.zeros(max(near, default=0) + 1, np.int64)
    limits[list(near)] = list(near.values())
    same[1:] &= np.diff(end[order]) <= limits[registered.cluster[order[1:]]]
    same[:1] = False
    label = np.full(len(end), -1, np.int64)
    label[order] = np.cumsum(~same) - 1
    doubtful = _unrepeated(label, registered.rank, end)
    number = shared(label, registered.rank)
    unsure = np.isin(number, np.unique(number[doubtful]))
    for rank, cluster in registered.unsure:
        unsure |= (registered.rank == rank) & (registered.cluster == cluster)
    count = int(number.max(initial=-1)) + 1
    vague = set(number[unsure & (number >= 0)].tolist())
    return Matches(
        number, [ORDER] * count, [UNCERTAIN if m in vague else TESTED for m in range(count)]
    )


def _unrepeated(label: Ints, rank: Ints, end: Ints) -> NDArray[np.bool_]:
    """Keep, of several collectives of one rank in a group, the one closest to the group's median.

    The label of the others becomes -1, in place.

    Returns:
        bool (n,), the rows that remain in these groups.
    """
    off = np.zeros(len(label), np.int64)
    labelled = label >= 0
    off[labelled] = np.abs(end[labelled] - medians(label[labelled], end[labelled])[label[labelled]])
    order = np.lexsort((off, rank, label))
    twice = np.zeros(len(label), np.bool_)
    twice[order[1:]] = (np.diff(label[order]) == 0) & (np.diff(rank[order]) == 0)
    twice &= labelled
    doubtful: NDArray[np.bool_] = np.isin(label, np.unique(label[twice])) & labelled
    label[twice] = -1
    return doubtful & ~twice


def matches_by_count(pool: Pool, open_rows: NDArray[np.bool_], clocks: Listed[Clock]) -> Matches:
    """Match the n-th collective of a key on every rank, where all ranks have equally many.

    Matches count as tested if all ranks overlap in each of them, and no rank shifted by one to four
    collectives would overlap in any, however far apart their ends lie.

    Args:
        pool: the collectives.
        open_rows: bool (rows of the pool,), those without a match.
        clocks: the clock of each rank, as far as known.
    """
    label = np.full(len(pool), -1, np.int64)
    tested = set[int]()
    next_label = 0
    for key in np.unique(pool.key[open_rows]).tolist():
        of_key = pool.key == key
        ranks, counts = np.unique(pool.rank[of_key], return_counts=True)
        if len(ranks) <= ALONE or (counts != counts[0]).any() or not open_rows[of_key].all():
            continue
        count = int(counts[0])
        label[of_key] = next_label + np.tile(np.arange(count), len(ranks))
        rows = rows_by_rank(pool.rank[of_key])
        begin, end = (
            np.stack([clocks[r].common(times[of_key][of_rank]) for r, of_rank in rows.items()])
            for times in (pool.ts, pool.end)
        )
        if pool.synchronising[of_key].all() and _is_only_way(begin, end):
            tested.update(range(next_label, next_label + count))
        next_label += count
    number = shared(label, pool.rank)
    total = int(number.max(initial=-1)) + 1
    sure = set(number[np.isin(label, sorted(tested))].tolist())
    confidence = [TESTED if match in sure else UNCERTAIN for match in range(total)]
    return Matches(number, [ORDER] * total, confidence)


def _is_only_way(begin: Ints, end: Ints) -> bool:
    """Tell whether collectives overlap on all ranks, but not with a rank shifted against the first.

    Args:
        begin: int64 (ranks, collectives), ns, in order of time.
        end: int64 (ranks, collectives), ns.
    """
    if begin.shape[1] < _LEAST_COUNT or (begin.max(0) >= end.min(0)).any():
        return False
    for shift in range(1, min(_SHIFTS, begin.shape[1] - 1) + 1):
        early, late = slice(None, -shift), slice(shift, None)
        before = (begin[:1, early] < end[1:, late]) & (begin[1:, late] < end[:1, early])
        behind = (begin[:1, late] < end[1:, early]) & (begin[1:, early] < end[:1, late])
        if before.any() or behind.any():
            return False
    return True
