"""Match two sequences of kernels by the fewest insertions and deletions.

E. W. Myers, An O(ND) difference algorithm and its variations, Algorithmica 1, 1986: the greedy
algorithm, on integer codes, all diagonals of a round at a time. With a cap on the edits: sequences
that have less in common are not matched.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    Codes: TypeAlias = NDArray[np.int64]

MOST_EDITS = 4000
"""Insertions and deletions at most; their paths take 2 * MOST_EDITS ** 2 bytes."""

_AT_A_TIME = 1 << 12
"""Codes of all diagonals together that are compared at a time, at most, once slides are long."""

_ENOUGH = 0.8
"""A kernel is renamed if this share of its launches has the other one in its place."""

_ANCHORS = 1 / 3
"""Share of the shorter sequence that has to match, so that places mean something."""


class Matches(Struct, frozen=True):
    """What two sequences have in common.

    Attributes:
        a, b: places of equal codes, in order, shape (matches,).
    """

    a: Codes
    b: Codes

    def hunks(self, length_a: int, length_b: int) -> Iterator[tuple[range, range]]:
        """Yield the places between matches that one sequence has and the other has not."""
        ends_a = [*self.a.tolist(), length_a]
        ends_b = [*self.b.tolist(), length_b]
        at_a = at_b = 0
        for end_a, end_b in zip(ends_a, ends_b, strict=True):
            if end_a > at_a or end_b > at_b:
                yield range(at_a, end_a), range(at_b, end_b)
            at_a, at_b = end_a + 1, end_b + 1


def match(a: Codes, b: Codes, most_edits: int = MOST_EDITS) -> Matches | None:
    """Match two sequences.

    Args:
        a: codes of one, shape (length,).
        b: codes of the other.
        most_edits: give up beyond so many insertions and deletions.

    Returns:
        The matches; None if there are more edits.
    """
    rounds = _rounds(a, b, most_edits)
    if rounds is None:
        return None
    x, y = len(a), len(b)
    pairs: list[tuple[int, int]] = []
    for edits in range(len(rounds) - 1, -1, -1):
        start_x, start_y = _start(rounds, edits, x - y)
        pairs.extend((x - i - 1, y - i - 1) for i in range(x - start_x))
        # start_x, start_y lie behind the edit; before it is the end of the round before
        x, y = (start_x, start_y) if not edits else _before(rounds, edits, x - y)
    found = np.array(pairs[::-1], np.int64).reshape(-1, 2)
    return Matches(found[:, 0], found[:, 1])


def _rounds(a: Codes, b: Codes, most_edits: int) -> list[Codes] | None:
    """Return for each number of edits how far each diagonal comes: x by diagonal -d, -d + 2, ... d.

    A diagonal is x - y.
    """
    rounds: list[Codes] = []
    for edits in range(min(most_edits, len(a) + len(b)) + 1):
        diagonals = np.arange(-edits, edits + 1, 2)
        x = np.zeros(1, np.int64) if not edits else _edited(rounds[-1])
        x = slid(a, b, x, diagonals)
        rounds.append(x)
        if np.any((x >= len(a)) & (x - diagonals >= len(b))):
            return rounds
    return None


def _edited(x: Codes) -> Codes:
    """Take each diagonal's farthest point after one more edit: an insertion or a deletion."""
    far = np.iinfo(np.int64).min // 2
    inserted = np.append(x, far)  # from the diagonal above: y + 1
    deleted = np.append(far, x) + 1  # from the one below: x + 1
    farthest: Codes = np.maximum(inserted, deleted)
    return farthest


def slid(a: Codes, b: Codes, x: Codes, diagonals: Codes) -> Codes:
    """Follow equal codes along each diagonal as far as they go, twice as many each time."""
    x = x.copy()
    active = np.arange(len(x)) if len(a) and len(b) else np.arange(0)
    width = 1
    while len(active):
        at_a = x[active][:, None] + np.arange(width)
        at_b = at_a - diagonals[active][:, None]
        equal = (at_a < len(a)) & (at_b < len(b)) & (at_b >= 0)
        equal &= a[np.clip(at_a, 0, len(a) - 1)] == b[np.clip(at_b, 0, len(b) - 1)]
        is_on = equal.all(axis=1)
        x[active] += np.where(is_on, width, equal.argmin(axis=1))
        active = active[is_on]
        width = max(1, min(2 * width, _AT_A_TIME // max(len(active), 1)))
    return x


def _before(rounds: list[Codes], edits: int, diagonal: int) -> tuple[int, int]:
    """Return the point from which the last edit of a path went."""
    x, index = rounds[edits - 1], (diagonal + edits) // 2
    # index counts diagonals of this round; that of the round before begins one higher
    from_above = int(x[index]) if index < len(x) else -1
    from_below = int(x[index - 1]) if index > 0 else -2
    if from_above >= from_below + 1:
        return from_above, from_above - (diagonal + 1)
    return from_below, from_below - (diagonal - 1)


def _start(rounds: list[Codes], edits: int, diagonal: int) -> tuple[int, int]:
    """Return where the slide of a round began on a diagonal."""
    if not edits:
        return 0, 0
    x, y = _before(rounds, edits, diagonal)
    return (x, y + 1) if x - y == diagonal + 1 else (x + 1, y)


def renamed(
    a: Sequence[str], b: Sequence[str], kinds: dict[str, str], found: Matches
) -> dict[str, str]:
    """Find kernels that stand in one sequence where others stand in the other.

    Args:
        a: names of one sequence.
        b: names of the other.
        kinds: compute, collective or copy, by name: a kernel is not renamed to another kind.
        found: what they have in common.

    Returns:
        Names of `b` by names of `a`: each only in its own sequence, and where one stood, the other
        stands nearly always. None where too few launches match to tell places by them.
    """
    if len(found.a) < _ANCHORS * min(len(a), len(b)):
        return {}
    votes = Counter[tuple[str, str]]()
    for of_a, of_b in found.hunks(len(a), len(b)):
        if len(of_a) == len(of_b):
            votes.update((a[i], b[j]) for i, j in zip(of_a, of_b, strict=True))
    counts_a, counts_b = Counter(a), Counter(b)
    return {
        old: new
        for (old, new), count in votes.items()
        if old not in counts_b
        and new not in counts_a
        and kinds.get(old) == kinds.get(new)
        and count >= _ENOUGH * max(counts_a[old], counts_b[new])
    }
