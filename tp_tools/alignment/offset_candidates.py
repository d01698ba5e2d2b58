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
    count = np.searchsorted(differences, differences + width, "right") - np.arange(len(differences))
    taken: list[int] = []
    most = np.sort(np.argpartition(-count, min(_BEST, len(count)) - 1)[:_BEST])
    most = most[np.argsort(-count[most], kind="stable")]
    for i, first, many in zip(
        most.tolist(), differences[most].tolist(), count[most].tolist(), strict=True
    ):
        if all(abs(first - other) > 2 * width for other in taken):
            taken.append(first)
            # the median, since they are in order
            yield int(differences[i + (many - 1) // 2] + differences[i + many // 2]) / 2, many
        if len(taken) == _PEAKS:
            return
