"""Put losses where the recording that lacks the kernels has calls without them.

Where kernels repeat, a run of missing ones can slide along the sequence while all the others still
match, as a block of equal lines in a text. Matching takes any of these places. A call whose kernel
is missing says which one is right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Collection

    from numpy.typing import NDArray

    from tp_tools.crosscheck.model import Ints, Recording

Run = tuple[int, int]
"""Kernels of a recording that the other lacks: the first one, and the one behind the last."""


def runs(length: int, matched: Ints) -> tuple[list[Run], NDArray[np.bool_]]:
    """Return the runs of places below `length` that are not matched; and the same as marks."""
    lost = np.ones(length, np.bool_)
    lost[matched] = False
    edges = np.diff(np.concatenate([[0], lost.astype(np.int8), [0]]))
    begins, ends = np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist()
    return list(zip(begins, ends, strict=True)), lost


def slides(
    codes: Ints, lost: NDArray[np.bool_], run: Run, barriers: Collection[int]
) -> tuple[int, int]:
    """Return by how many places a run can slide to the left and to the right.

    What leaves it on one side has to equal what joins it on the other.

    Args:
        codes: of the kernels of the recording that has it.
        lost: marks the kernels that are not matched.
        run: the run.
        barriers: places that no run slides across: begins and ends of annotations.
    """
    begin, end = run
    left = 0
    while (
        begin - left > 0
        and begin - left not in barriers
        and not lost[begin - left - 1]
        and codes[begin - left - 1] == codes[end - left - 1]
    ):
        left += 1
    right = 0
    while (
        end + right < len(codes)
        and end + right not in barriers
        and not lost[end + right]
        and codes[begin + right] == codes[end + right]
    ):
        right += 1
    return left, right


def calls_between(lacking: Recording, before: Ints, after: Ints) -> Ints:
    """Count calls without kernels between the launches of kernels of a recording.

    Args:
        lacking: the recording.
        before: places of kernels, shape (gaps,); -1 for the begin of the recording.
        after: places of later ones; the number of its kernels for its end.
    """
    padded = np.concatenate([[np.iinfo(np.int64).min], lacking.launched, [np.iinfo(np.int64).max]])
    low = np.searchsorted(lacking.calls, padded[before + 1], "right")
    high = np.searchsorted(lacking.calls, padded[after + 1], "left")
    counted: Ints = np.maximum(high - low, 0)
    return counted


def settle(
    lacking: Recording, codes: Ints, own: Ints, other: Ints, barriers: Collection[int]
) -> Ints:
    """Slide runs that a recording lacks to where it has calls for them.

    Args:
        lacking: the recording that lacks them.
        codes: of the kernels of the other recording, which has them.
        own: matched places of that other recording, rising, shape (pairs,).
        other: the places in `lacking` that they match, rising.
        barriers: as in `slides`.

    Returns:
        `own`, with the matches around each run that slid moved.
    """
    found = own.copy()
    gaps, lost = runs(len(codes), own)
    for begin, end in gaps:
        left, right = slides(codes, lost, (begin, end), barriers)
        if not left + right:
            continue
        # the pair behind the run; after s slides to the right it is s further
        at = int(np.searchsorted(found, begin)) + np.arange(-left, right + 1)
        edges = np.concatenate([[-1], other, [len(lacking)]])
        calls = calls_between(lacking, edges[at], edges[at + 1])
        fitting = np.flatnonzero(calls >= end - begin) - left
        if len(fitting):
            moved = int(fitting[np.abs(fitting).argmin()])
            _slide(found, lost, (begin, end), moved)
    return found


def _slide(own: Ints, lost: NDArray[np.bool_], run: Run, by: int) -> None:
    """Slide a run: the matches that it passes take the place on its other side."""
    begin, end = run
    length = end - begin
    passed = (own >= end) & (own < end + by) if by > 0 else (own >= begin + by) & (own < begin)
    own[passed] += -length if by > 0 else length
    lost[begin:end] = False
    lost[begin + by : end + by] = True
