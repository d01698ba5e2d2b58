"""Find moments by which two recordings can be laid side by side: begins and ends of annotations."""

from __future__ import annotations

from bisect import bisect_right
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.crosscheck.model import Recording

Cut = tuple[int, int]
"""Number of kernels that were launched before a moment, in the one and in the other recording."""


def anchor_names(kineto: Recording, nsys: Recording) -> list[str]:
    """Return the names that mark one annotation in each of two recordings, in order of begin."""
    common = kineto.annotations.keys() & nsys.annotations.keys()
    return sorted(common, key=lambda name: (kineto.annotations[name], name))


def cuts(kineto: Recording, nsys: Recording, names: Sequence[str]) -> list[Cut]:
    """Return where annotations of these names begin and end, in the sequences of launches.

    Args:
        kineto: one recording.
        nsys: the other.
        names: names that both have.

    Returns:
        Cuts in order in both sequences: moments that come in another order in the two are left out,
        as few as can be.
    """
    found = []
    for name in names:
        for of_kineto, of_nsys in zip(
            kineto.annotations[name], nsys.annotations[name], strict=True
        ):
            at = (
                np.searchsorted(kineto.launched, of_kineto),
                np.searchsorted(nsys.launched, of_nsys),
            )
            found.append((int(at[0]), int(at[1])))
    return _rising(sorted(set(found)))


def _rising(points: Sequence[Cut]) -> list[Cut]:
    """Return a longest subsequence in which the second number never falls."""
    ends: list[int] = []
    last: list[int] = []
    before: list[int] = []
    for index, (_, value) in enumerate(points):
        length = bisect_right(ends, value)
        before.append(last[length - 1] if length else -1)
        if length == len(ends):
            ends.append(value)
            last.append(index)
        else:
            ends[length], last[length] = value, index
    chain: list[Cut] = []
    index = last[-1] if last else -1
    while index >= 0:
        chain.append(points[index])
        index = before[index]
    return chain[::-1]
