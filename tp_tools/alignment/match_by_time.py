"""Matches of collectives that do not say which they are: by order, tested against time.

Ranks are laid onto each other one by one (`sequences`), starting from the one with the most
collectives. Those that fit nowhere are tried again with what was left: they may belong to another
group, which the trace does not name. Once the clocks are fitted, ends that fall together are one
collective.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

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
from tp_tools.alignment.registration import LinearClock, register

if TYPE_CHECKING:
    from collections.abc import Sequence as Listed

    from numpy.typing import NDArray

    from tp_tools.alignment.match import Pool
    from tp_tools.alignment.registration import Registration
    from tp_tools.trace.model import Ints

_SHIFTS = 4  # by how many a rank is shifted to see whether that fits as well
_LEAST_COUNT = 2  # with one only no shift can be tried

KNOWN = LinearClock(0.0, 0.0, 0.0)


@dataclass
class JobRegistration:
    """What is known about how the ranks lie in time.

    Attributes:
        key, rank: of each collective that is to be matched.
        end: in ns after the first, on the clocks as they are known by now.
        part: by rank: ranks of one part are on one clock.
        cluster: by collective: which ranks it was laid with; -1 for none.
        entry: by collective: the number of its match for the time being.
        unsure: pairs (rank, cluster) that could also lie elsewhere.
    """

    key: Ints
    rank: Ints
    end: Ints
    part: Ints
    cluster: Ints
    entry: Ints
    unsure: set[tuple[int, int]] = field(default_factory=set)


def register_ranks(pool: Pool, clocks: Listed[Clock], part: Ints) -> JobRegistration:
    """Lays the ranks onto each other, as far as they fit.

    Args:
        pool: synchronising collectives without identity.
        clocks: by rank, as far as they are known.
        part: by rank: a number that ranks share whose clocks are known to agree.
    """
    end = pool.end.copy()
    for rank in np.unique(pool.rank).tolist():
        mine = pool.rank == rank
        end[mine] = clocks[rank].common(pool.end[mine])
    none = np.full(len(pool), -1, np.int64)
    start = int(end.min()) if len(end) else 0
    state = JobRegistration(pool.key, pool.rank, end - start, part.copy(), none.copy(), none.copy())
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
    """Ranks laid onto one of them."""

    def __init__(
        self, state: JobRegistration, left: NDArray[np.bool_], number: int, reference: int
    ) -> None:
        self.state, self.left, self.number = state, left, number
        self.rows = np.flatnonzero(left & (state.rank == reference))
        self.part = int(state.part[reference])
        self.first = self.next = int(state.entry.max(initial=-1)) + 1
        self.key = state.key[self.rows]
        self.end = state.end[self.rows]
        self.next += len(self.rows)

    def grow(self) -> None:
        """Adds rank after rank until none fits any more."""
        state = self.state
        own = int(state.rank[self.rows[0]])
        waiting = [r for r in np.unique(state.rank[self.left]).tolist() if r != own]
        agreed = np.empty(0, np.int64)
        while waiting:
            base = EventSeries(self.key, self.end)
            still = []
            for rank in waiting:
                keys = self.add(rank, base)
                agreed = np.union1d(agreed, keys)
                if not len(keys):
                    still.append(rank)
                elif self.next - self.first > len(base):
                    base = EventSeries(self.key, self.end)
            if len(still) == len(waiting):
                break
            waiting = still
        mine = np.isin(state.key[self.rows], agreed)
        state.cluster[self.rows[mine]] = self.number
        state.entry[self.rows[mine]] = self.first + np.flatnonzero(mine)

    def add(self, rank: int, base: EventSeries) -> Ints:
        """Lays a rank on those that are there; the keys in which it fits."""
        state = self.state
        rows = np.flatnonzero(self.left & (state.rank == rank))
        known = int(state.part[rank]) == self.part
        other = EventSeries(state.key[rows], state.end[rows])
        laid = register(base, other, KNOWN if known else None)
        if laid is None:
            return np.empty(0, np.int64)
        if not known:
            self._move(rank, laid.line)
        fits = np.isin(state.key[rows], laid.keys)
        state.cluster[rows[fits]] = self.number
        self._enter(rows, laid, fits)
        if not laid.sure:
            state.unsure.add((rank, self.number))
        return laid.keys

    def _move(self, rank: int, line: LinearClock) -> None:
        """Puts the rank, and all that are on one clock with it, on the clock of this part."""
        state = self.state
        together = state.part == state.part[rank]
        moved = together[state.rank]
        shift = line.at(state.end[moved].astype(np.float64))
        state.end[moved] += np.rint(shift).astype(np.int64)
        state.part[together] = self.part

    def _enter(self, rows: Ints, laid: Registration, fits: NDArray[np.bool_]) -> None:
        """Notes the matches; what has none yet is there for the ranks to come."""
        state = self.state
        found = laid.match >= 0
        state.entry[rows[found]] = self.first + laid.match[found]
        new = rows[fits & ~found]
        state.entry[new] = self.next + np.arange(len(new))
        self.next += len(new)
        self.key = np.concatenate([self.key, state.key[new]])
        self.end = np.concatenate([self.end, state.end[new]])


def matches_by_time(laying: JobRegistration, end: Ints, near: int) -> Matches:
    """Matches of the collectives that were laid out, on the fitted clocks.

    Args:
        laying: what fits where.
        end: on the fitted clocks, ns.
        near: ends of one key that follow each other this closely are one collective, ns.
    """
    rows = np.flatnonzero(laying.cluster >= 0)
    order = rows[np.lexsort((end[rows], laying.key[rows], laying.cluster[rows]))]
    same = np.ones(len(order), np.bool_)
    for column in (laying.cluster, laying.key):
        same[1:] &= np.diff(column[order]) == 0
    same[1:] &= np.diff(end[order]) <= near
    same[:1] = False
    label = np.full(len(end), -1, np.int64)
    label[order] = np.cumsum(~same) - 1
    doubtful = _unrepeated(label, laying.rank, end)
    number = shared(label, laying.rank)
    unsure = np.isin(number, np.unique(number[doubtful]))
    for rank, cluster in laying.unsure:
        unsure |= (laying.rank == rank) & (laying.cluster == cluster)
    count = int(number.max(initial=-1)) + 1
    vague = set(number[unsure & (number >= 0)].tolist())
    return Matches(
        number, [ORDER] * count, [UNCERTAIN if m in vague else TESTED for m in range(count)]
    )


def _unrepeated(label: Ints, rank: Ints, end: Ints) -> NDArray[np.bool_]:
    """Takes what a rank has twice in a group out of it, but for the closest.

    Returns:
        The rows that are left of such groups.
    """
    off = np.zeros(len(label), np.int64)
    found = label >= 0
    off[found] = np.abs(end[found] - medians(label[found], end[found])[label[found]])
    order = np.lexsort((off, rank, label))
    twice = np.zeros(len(label), np.bool_)
    twice[order[1:]] = (np.diff(label[order]) == 0) & (np.diff(rank[order]) == 0)
    twice &= found
    doubtful: NDArray[np.bool_] = np.isin(label, np.unique(label[twice])) & found
    label[twice] = -1
    return doubtful & ~twice


def matches_by_count(pool: Pool, open_rows: NDArray[np.bool_], clocks: Listed[Clock]) -> Matches:
    """The n-th of a key is the n-th on every rank, where all have as many.

    They are tested if all ranks were in each of them at one moment, and would not be in any if a
    rank were shifted by one to four: however far apart their ends lie.

    Args:
        pool: the collectives.
        open_rows: those that nothing else could match.
        clocks: by rank, as far as they are known.
    """
    label = np.full(len(pool), -1, np.int64)
    apart: dict[int, int] = {}
    following = 0
    for key in np.unique(pool.key[open_rows]).tolist():
        mine = pool.key == key
        ranks, counts = np.unique(pool.rank[mine], return_counts=True)
        if len(ranks) <= ALONE or (counts != counts[0]).any() or not open_rows[mine].all():
            continue
        count = int(counts[0])
        label[mine] = following + np.tile(np.arange(count), len(ranks))
        begin, end = (
            np.stack([clocks[r].common(times[mine & (pool.rank == r)]) for r in ranks.tolist()])
            for times in (pool.ts, pool.end)
        )
        if pool.synchronising[mine].all() and _is_only_way(begin, end):
            spread = end.max(0) - end.min(0)
            apart |= dict(zip(range(following, following + count), spread.tolist(), strict=True))
        following += count
    number = shared(label, pool.rank)
    of_label = dict(zip(label[number >= 0].tolist(), number[number >= 0].tolist(), strict=True))
    apart = {of_label[it]: ns for it, ns in apart.items()}
    total = int(number.max(initial=-1)) + 1
    confidence = [TESTED if it in apart else UNCERTAIN for it in range(total)]
    return Matches(number, [ORDER] * total, confidence, apart)


def _is_only_way(begin: Ints, end: Ints) -> bool:
    """Whether collectives overlap on all ranks, and do not if a rank is shifted against the first.

    Args:
        begin: ns, of shape (ranks, collectives), in order of time.
        end: the same.
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
