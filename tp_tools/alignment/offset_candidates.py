"""Where one sequence of collectives may lie on another: by votes of short stretches of it.

The differences of all ends of one kind between a stretch and the other sequence pile up at the
right offset; anywhere else they do so by chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.alignment.event_series import EventSeries
    from tp_tools.trace.model import Ints

HISTOGRAM_NS = (6_000, 30_000)
"""How close differences must be to pile up."""

STRETCH = 32
"""Collectives in a stretch that votes."""

_STRETCHES = 8
_BALLOT = 1 << 22  # differences in one vote
_ELECTED = 8  # candidates of each vote
_BEST = _ELECTED * STRETCH


def offset_candidates(
    base: EventSeries, other: EventSeries
) -> Iterator[tuple[tuple[float, float], int]]:
    """(offset, where it was seen) with its votes, of several stretches of the other sequence."""
    size = max(4, min(STRETCH, _BALLOT // len(base)))
    for start in _stretches(other, size):
        key, end = other.key[start : start + size], other.end[start : start + size]
        votes = np.sort((base.end - end[:, None])[base.key == key[:, None]])
        centre = float(end.mean())
        for width in HISTOGRAM_NS:
            for offset, count in _elected(votes, width):
                yield (offset, centre), count


def _stretches(other: EventSeries, size: int) -> list[int]:
    """Where stretches begin: spread evenly, and around the longest pauses, which set marks."""
    last = max(len(other) - size, 0)
    even = np.linspace(0, last, _STRETCHES).astype(np.int64).tolist()
    pauses = np.argsort(-np.diff(other.end), kind="stable")[: 4 * _STRETCHES]
    chosen: list[int] = []
    for start in np.clip(pauses - size // 2, 0, last).tolist():
        if len(chosen) < _STRETCHES and all(
            abs(start - other_start) >= size // 2 for other_start in chosen
        ):
            chosen.append(start)
    return sorted({*even, *chosen})


def _elected(votes: Ints, width: int) -> Iterator[tuple[float, int]]:
    """The offsets at which most votes pile up, and how many do."""
    if not len(votes):
        return
    count = np.searchsorted(votes, votes + width, "right") - np.arange(len(votes))
    taken: list[int] = []
    most = np.sort(np.argpartition(-count, min(_BEST, len(count)) - 1)[:_BEST])
    most = most[np.argsort(-count[most], kind="stable")]
    for i, first, many in zip(
        most.tolist(), votes[most].tolist(), count[most].tolist(), strict=True
    ):
        if all(abs(first - other) > 2 * width for other in taken):
            taken.append(first)
            # the median, since they are in order
            yield int(votes[i + (many - 1) // 2] + votes[i + many // 2]) / 2, many
        if len(taken) == _ELECTED:
            return
