"""Match the kernels of two recordings in the order of their launch.

A kernel is known by its name without path and arguments, its grid, its block, its registers and its
shared memory: full names are spelled in two ways, and times and streams differ from run to run.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.comparison import sequences
from tp_tools.crosscheck.anchors import anchor_names, cuts
from tp_tools.crosscheck.fitting import fit
from tp_tools.crosscheck.model import Pairs
from tp_tools.crosscheck.settling import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.crosscheck.anchors import Cut
    from tp_tools.crosscheck.model import Ints, Recording

SHAPE = ("grid", "block", "registers", "shared memory")
"""What `Recording.shapes` holds."""

REACH = 16
"""Launches by which the order of two runs may differ: two threads that launch take turns anew."""

_RECORDED = 0.5
"""A detail of the shape counts where so many kernels of each recording have it."""


def details(kineto: Recording, nsys: Recording) -> list[int]:
    """Return the parts of the shape, by their places in `SHAPE`, that both recordings have."""
    return [
        at
        for at in range(len(SHAPE))
        if all(
            sum(shape[at] is not None for shape in of.shapes) >= _RECORDED * max(len(of), 1)
            for of in (kineto, nsys)
        )
    ]


def codes(kineto: Recording, nsys: Recording, chosen: Sequence[int]) -> tuple[Ints, Ints]:
    """Number the kernels: equal numbers stand for equal names and shapes."""
    known: dict[object, int] = {}

    def numbered(of: Recording) -> Ints:
        keys = (
            (name, *(shape[at] for at in chosen))
            for name, shape in zip(of.base_names, of.shapes, strict=True)
        )
        return np.array([known.setdefault(key, len(known)) for key in keys], np.int64)

    return numbered(kineto), numbered(nsys)


def match(kineto: Recording, nsys: Recording, of_kineto: Ints, of_nsys: Ints) -> Pairs:
    """Match two recordings, stretch by stretch between their annotations.

    Args:
        kineto: one recording.
        nsys: the other.
        of_kineto: `codes` of the one, shape (kernels,).
        of_nsys: those of the other.
    """
    names = anchor_names(kineto, nsys)
    found = _Found(of_kineto, of_nsys)
    inner = cuts(kineto, nsys, names)
    ends = [(0, 0), *inner, (len(kineto), len(nsys))]
    for number, (begin, end) in enumerate(pairwise(ends)):
        is_free = number == 0, number == len(ends) - 2
        found.add(begin, end, *is_free)
    pairs = np.array(found.pairs, np.int64).reshape(-1, 2)
    one, other = pairs[:, 0], pairs[:, 1]
    other = settle(kineto, of_nsys, other, one, {cut[1] for cut in inner})
    one = settle(nsys, of_kineto, one, other, {cut[0] for cut in inner})
    one, other, moved = with_moved((one, other), (of_kineto, of_nsys), inner)
    return Pairs(
        one,
        other,
        moved,
        tuple(inner),
        len(names) if inner else 0,
        found.places,
        found.uncompared,
    )


class _Found:
    """Collects pairs of two sequences, stretch by stretch.

    Attributes:
        pairs: places in the one and the other.
        places: the most places at which a stretch fits equally well.
        uncompared: kernels of stretches that differ too much.
    """

    def __init__(self, a: Ints, b: Ints) -> None:
        self.a, self.b = a, b
        self.pairs: list[Cut] = []
        self.places = 1
        self.uncompared = 0

    def add(self, begin: Cut, end: Cut, free_head: bool, free_tail: bool) -> None:  # noqa: FBT001
        """Match the stretch between two cuts; the longer one may be free at an end."""
        of_a, of_b = self.a[begin[0] : end[0]], self.b[begin[1] : end[1]]
        if not len(of_a) or not len(of_b):
            return
        if free_head or free_tail:
            is_swapped = len(of_b) > len(of_a)
            long, short = (of_b, of_a) if is_swapped else (of_a, of_b)
            fitted = fit(long, short, free_head=free_head, free_tail=free_tail)
            matches = fitted.matches if fitted else None
            self.places = max(self.places, fitted.places if fitted and len(fitted.matches.a) else 1)
            if matches and is_swapped:
                matches = sequences.Matches(matches.b, matches.a)
        else:
            matches = sequences.match(of_a, of_b)
        if matches is None:
            self.uncompared += len(of_a) + len(of_b)
            return
        one, other = (matches.a + begin[0]).tolist(), (matches.b + begin[1]).tolist()
        self.pairs.extend(zip(one, other, strict=True))


def with_moved(
    pairs: tuple[Ints, Ints], of: tuple[Ints, Ints], inner: Sequence[Cut]
) -> tuple[Ints, Ints, int]:
    """Pair kernels of one code that are left over on both sides, between the same matches nearly.

    Args:
        pairs: rising places in the one and in the other recording.
        of: codes of all kernels of each.
        inner: cuts, across which nothing is paired.

    Returns:
        The pairs with those, in order of the one recording, and how many were added. What lies
        before the first match or behind the last one of a recording stays alone.
    """
    one, other = pairs
    if not len(one):
        return one, other, 0
    left = [np.setdiff1d(np.arange(own[0], own[-1]), own, assume_unique=True) for own in pairs]
    stretches = [
        np.searchsorted([cut[side] for cut in inner], left[side], "right") for side in (0, 1)
    ]
    # where a kernel of the one would stand in the other: behind the partner of the match before it
    expected = other[np.searchsorted(one, left[0]) - 1] + 1
    waiting: dict[tuple[int, int], list[int]] = defaultdict(list)
    for place, stretch in zip(left[1].tolist(), stretches[1].tolist(), strict=True):
        waiting[int(of[1][place]), stretch].append(place)
    added: list[Cut] = []
    for place, near, stretch in zip(
        left[0].tolist(), expected.tolist(), stretches[0].tolist(), strict=True
    ):
        others = waiting[int(of[0][place]), stretch]
        at = bisect_left(others, near)
        candidates = [it for it in (at - 1, at) if 0 <= it < len(others)]
        nearest = min(candidates, key=lambda it: abs(others[it] - near), default=None)
        if nearest is not None and abs(others[nearest] - near) <= REACH:
            added.append((place, others.pop(nearest)))
    found = np.array([*zip(one.tolist(), other.tolist(), strict=True), *added], np.int64)
    found = found[np.argsort(found[:, 0], kind="stable")]
    return found[:, 0], found[:, 1], len(added)
