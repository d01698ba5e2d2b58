"""Find candidates for the offset between two series of collectives, by histograms of differences.

The differences between the ends of a short stretch and those of the other series, key by key, pile
up at the right offset; at any other they do so by chance.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tp_tools.alignment.event_series import EventSeries
    from tp_tools.trace.model import Ints

STRETCH = 32
"""Collectives in a stretch."""

_STRETCHES = 8
_MOST_DIFFERENCES = 1 << 22  # per stretch
_PEAKS = 8  # candidates per stretch and width
_BEST = _PEAKS * STRETCH


def offset_candidates(
    base: EventSeries, other: EventSeries, windows: Sequence[int]
) -> Iterator[tuple[tuple[float, float], int]]:
    """Find candidates for the offset in several stretches of `other`.

    Args:
        base: the series that keeps its times.
        other: the series to correct.
        windows: widths of the windows in which differences are counted, ns.

    Yields:
        ((offset, centre of the stretch), number of differences near it), both times in ns.
    """
    size = max(4, min(STRETCH, _MOST_DIFFERENCES // len(base)))
    for start in _stretches(other, size):
        key, end = other.key[start : start + size], other.end[start : start + size]
        differences = np.sort((base.end - end[:, None])[base.key == key[:, None]])
        centre = float(end.mean())
        for width in windows:
            for offset, count in _peaks(differences, width):
                yield (offset, centre), count


def _stretches(other: EventSeries, size: int) -> list[int]:
    """Choose where stretches begin: evenly spread, and around the longest pauses."""
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


def _peaks(differences: Ints, width: int) -> Iterator[tuple[float, int]]:
    """Find the offsets with most differences in a window of `width` ns.

    Args:
        differences: int64, ascending, ns.
        width: ns.

    Yields:
        The median of the window, ns, and the number of differences in it.
    """
    if not len(differences):
        return
    crowded = _crowded(differences, width)
    end = np.searchsorted(differences, differences[crowded] + width, "right")
    count = end - crowded
    most = np.argsort(-count, kind="stable")[:_BEST]
    taken: list[int] = []
    for i, first, many in zip(
        crowded[most].tolist(),
        differences[crowded[most]].tolist(),
        count[most].tolist(),
        strict=True,
    ):
        if all(abs(first - other) > 2 * width for other in taken):
            taken.append(first)
            # the median, since they are in order
            yield int(differences[i + (many - 1) // 2] + differences[i + many // 2]) / 2, many
        if len(taken) == _PEAKS:
            return


def _crowded(differences: Ints, width: int) -> Ints:
    """Return where windows begin that may hold the most differences, at least `_BEST` if there are.

    Whether a window holds 2, 4, 8, ... takes one subtraction, to count them a search. Most windows
    hold about as many as chance puts there.

    Args:
        differences: int64, ascending, ns.
        width: of a window, ns.

    Returns:
        int64, ascending, indices of `differences`: all those with as many in their window as the
        `_BEST` that have the most.
    """

    def holding(least: int) -> Ints:
        reach = differences[least - 1 :] - differences[: max(len(differences) - least + 1, 0)]
        return np.flatnonzero(reach <= width)

    span = max(int(differences[-1] - differences[0]), 1)
    least = 1 << (len(differences) * width // span).bit_length()
    found = holding(least)
    while len(found) < _BEST and least > 1:
        least //= 2
        found = holding(least)
    while len(more := holding(2 * least)) >= _BEST:
        found, least = more, 2 * least
    return found
