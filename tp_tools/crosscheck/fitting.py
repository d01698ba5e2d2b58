"""Fit a short sequence of kernels into a long one, whose ends may be free.

The greedy algorithm of E. W. Myers, as in `comparison.sequences`, but what the long sequence has
before the first or behind the last match costs nothing where that end is free. So a recording of
three steps finds its place in one of thirty, and it is counted how many places are as good.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.comparison.sequences import Matches, slid

if TYPE_CHECKING:
    from tp_tools.comparison.sequences import Codes

MOST_EDITS = 4000
"""Insertions and deletions at most."""

MOST_CELLS = 40_000_000
"""Diagonals times edits at most: 8 bytes each."""

_FAR = np.iinfo(np.int64).min // 2


class Fit(Struct, frozen=True):
    """The place of a short sequence in a long one.

    Attributes:
        matches: places of equal codes; `a` is the long sequence.
        edits: how many insertions and deletions it takes.
        places: how many places take as few, with as many matches.
    """

    matches: Matches
    edits: int
    places: int


class Limits(Struct, frozen=True):
    """Where to give up: see `MOST_EDITS` and `MOST_CELLS`."""

    edits: int = MOST_EDITS
    cells: int = MOST_CELLS


def fit(
    a: Codes, b: Codes, *, free_head: bool, free_tail: bool, limits: Limits | None = None
) -> Fit | None:
    """Fit a short sequence into a long one.

    Args:
        a: codes of the long one, shape (length,).
        b: codes of the short one.
        free_head: whether codes of `a` before the first match cost nothing.
        free_tail: whether those behind the last match cost nothing.
        limits: where to give up.

    Returns:
        The first of the places with the fewest edits, of these of those with the most matches;
        None where it takes more than the limits allow.
    """
    search = _Search(a, b, free_head=free_head, free_tail=free_tail)
    bounds = limits or Limits()
    for edits in range(min(bounds.edits, len(a) + len(b)) + 1):
        if edits and search.cells() > bounds.cells:
            return None
        search.advance()
        ends = search.ends()
        if len(ends):
            used = search.used(ends)
            best = ends[used == used.max()]
            places = min(len(np.unique(search.origins[best])), len(best))
            return Fit(search.matches(int(best[0])), edits, places)
    return None


class _Search:
    """Rounds of the algorithm: after each, how far every diagonal comes with so many edits.

    A diagonal is x - y, place in `a` minus place in `b`. All arrays have an entry for each of
    `low` to `high`; `origins` holds the diagonal on which the path began.
    """

    def __init__(self, a: Codes, b: Codes, *, free_head: bool, free_tail: bool) -> None:
        self.a, self.b, self.free_tail = a, b, free_tail
        self.low, self.high = -1, (len(a) if free_head else 0) + 1
        # a margin on each side, so that each round finds its neighbours
        self.reached: list[Codes] = []
        self.firsts: list[int] = []
        self.x = np.full(self.high - self.low + 1, _FAR, np.int64)
        self.x[1:-1] = np.arange(0, self.high)
        self.origins = np.arange(self.low, self.high + 1)

    def cells(self) -> int:
        """Count what the rounds so far hold."""
        return sum(len(x) for x in self.reached)

    def advance(self) -> None:
        """Allow one edit more; the first call allows none."""
        if self.reached:
            self._edit()
        diagonals = np.arange(self.low, self.high + 1)
        self.x = slid(self.a, self.b, self.x, diagonals)
        self.reached.append(self.x)
        self.firsts.append(self.low)

    def _edit(self) -> None:
        far = np.full(1, _FAR, np.int64)
        diagonals = np.arange(self.low - 1, self.high + 2)
        padded = np.concatenate([far, self.x, far])
        choices = np.stack(
            [
                padded,
                np.concatenate([far, padded[:-1] + 1]),  # of the diagonal below: x + 1
                np.concatenate([padded[1:], far]),  # of the one above: y + 1
            ]
        )
        outside = (choices > len(self.a)) | (choices - diagonals > len(self.b))
        choices[outside] = _FAR
        best = choices.argmax(axis=0)
        self.low, self.high = self.low - 1, self.high + 1
        self.x = choices.max(axis=0)
        begun = np.concatenate([far, self.origins, far])
        shifted = np.stack(
            [
                begun,
                np.concatenate([far, begun[:-1]]),
                np.concatenate([begun[1:], far]),
            ]
        )
        self.origins = shifted[best, np.arange(len(best))]

    def ends(self) -> Codes:
        """Return the indices of the diagonals on which all of `b` is used up."""
        y = self.x - np.arange(self.low, self.high + 1)
        done = (self.x >= 0) & (y == len(self.b))
        if not self.free_tail:
            done &= self.x == len(self.a)
        return np.flatnonzero(done)

    def used(self, ends: Codes) -> Codes:
        """Count the codes of `a` between the free ends of the paths to some diagonals."""
        found: Codes = self.x[ends] - np.maximum(self.origins[ends], 0)
        return found

    def matches(self, end: int) -> Matches:
        """Follow the path back from the end on a diagonal, given by its index."""
        pairs: list[tuple[int, int]] = []
        diagonal = end + self.low
        x = int(self.x[end])
        for edits in range(len(self.reached) - 1, 0, -1):
            before, first = self.reached[edits - 1], self.firsts[edits - 1]
            start, came = self._source(before, first, diagonal)
            pairs.extend((i, i - diagonal) for i in range(x - 1, start - 1, -1))
            diagonal = came
            x = int(before[diagonal - first])
        pairs.extend((i, i - diagonal) for i in range(x - 1, max(diagonal, 0) - 1, -1))
        found = np.array(pairs[::-1], np.int64).reshape(-1, 2)
        return Matches(found[:, 0], found[:, 1])

    def _source(self, before: Codes, first: int, diagonal: int) -> tuple[int, int]:
        """Return where a round began on a diagonal, and the diagonal that it came from."""
        best = (_FAR, diagonal)
        for source, step in ((diagonal, 0), (diagonal - 1, 1), (diagonal + 1, 0)):
            index = source - first
            if 0 <= index < len(before):
                x = int(before[index]) + step
                inside = 0 <= x <= len(self.a) and x - diagonal <= len(self.b)
                if inside and x > best[0]:
                    best = (x, source)
        return best
