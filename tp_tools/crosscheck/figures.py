"""Hold the times of matched kernels side by side: durations by name, overlaps."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.crosscheck.model import KINETO, NSYS, NameRow, Overlaps

if TYPE_CHECKING:
    from tp_tools.crosscheck.model import Ints, Pairs, Recording

LOW, HIGH = 5, 95
"""Percentiles of the ratio of durations."""


def durations(kineto: Recording, nsys: Recording, pairs: Pairs) -> list[NameRow]:
    """Return the durations of matched kernels by Kineto's name, most time first."""
    places: dict[str, list[int]] = defaultdict(list)
    for at, kernel in enumerate(pairs.kineto.tolist()):
        places[kineto.names[kernel]].append(at)
    rows = []
    for name, of in places.items():
        one, other = kineto.dur[pairs.kineto[of]], nsys.dur[pairs.nsys[of]]
        spelled = Counter(nsys.names[at] for at in pairs.nsys[of].tolist()).most_common(1)[0][0]
        rows.append((int(one.sum()), _row(name, spelled, one, other)))
    return [row for _, row in sorted(rows, key=lambda it: (-it[0], it[1].name))]


def _row(name: str, nsys_name: str, kineto: Ints, nsys: Ints) -> NameRow:
    known = (kineto > 0) & (nsys > 0)
    unknown = int(len(known) - known.sum())
    if not known.any():
        return NameRow(name, nsys_name, len(known), 0.0, 0.0, None, None, None, unknown)
    one, other = kineto[known], nsys[known]
    low, middle, high = np.percentile(other / one, [LOW, 50, HIGH]).tolist()
    medians = float(np.median(one)), float(np.median(other))
    return NameRow(name, nsys_name, len(known), *medians, middle, low, high, unknown)


def overlaps(kineto: Recording, nsys: Recording, pairs: Pairs) -> Overlaps:
    """Find the kernels that start before the former one on their stream has ended."""
    of_kineto, of_nsys = _overlapped(kineto), _overlapped(nsys)
    partner = dict(zip(pairs.nsys.tolist(), pairs.kineto.tolist(), strict=True))
    shown = {
        KINETO: {(at, other) for at, (other, _) in of_kineto.items()},
        NSYS: {
            (partner[at], partner[other])
            for at, (other, _) in of_nsys.items()
            if at in partner and other in partner
        },
    }
    matched = set(pairs.kineto.tolist())
    shown[KINETO] = {pair for pair in shown[KINETO] if matched.issuperset(pair)}
    return Overlaps(
        {KINETO: len(of_kineto), NSYS: len(of_nsys)},
        {
            KINETO: sum(ns for _, ns in of_kineto.values()),
            NSYS: sum(ns for _, ns in of_nsys.values()),
        },
        len(shown[KINETO] & shown[NSYS]),
        {
            KINETO: len(shown[KINETO] - shown[NSYS]),
            NSYS: len(shown[NSYS] - shown[KINETO]),
        },
    )


def _overlapped(of: Recording) -> dict[int, tuple[int, int]]:
    """Return by kernel which one before it on its stream still ran at its start, and how long.

    Of several that of the latest end counts; the time is that in which both ran, ns.
    """
    found: dict[int, tuple[int, int]] = {}
    latest: dict[int, tuple[int, int]] = {}
    ends = of.ts + of.dur
    for at in np.lexsort((-of.dur, of.ts)).tolist():
        stream, ts, end = int(of.streams[at]), int(of.ts[at]), int(ends[at])
        if end == ts:
            continue
        until, before = latest.get(stream, (ts, -1))
        if ts < until:
            found[at] = before, min(end, until) - ts
        if end > until or before < 0:
            latest[stream] = end, at
    return found
