"""Decide about crowds, slices of which more overlap at a time than SQL can compare pair by pair.

The rule is that of sql/overlaps.sql, and tests hold that both decide alike. SQL lists the pairs:
of n slices that all overlap there are n^2 / 2. Here each slice is compared, in numpy, with those
that are open when it starts; a crowd of GPU work is placed by its lossless lanes, in n log n.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import iterate_rows
from tp_tools.trace import Repair
from tp_tools.trace.categories import ANNOTATION, GPU_WORK, STEP_PREFIX, has_category

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace import Slices, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.trace.slice_times import Times

    Flags = NDArray[np.bool_]


class Crowd(Struct, frozen=True):
    """Slices of one track that hang together by overlaps, sorted by ts, longest first.

    Attributes:
        event: int (slices,), numbers of their events.
        ts, end, recorded: int (slices,), start, end, and end before any trim, ns.
        lane: int (slices,), lossless lanes, 0 for the track itself.
        is_gpu_work, is_annotation: bool (slices,), which kind each is of.
        tolerance_ns: overlaps up to this long count as jitter, ns.
    """

    event: Ints
    ts: Ints
    end: Ints
    recorded: Ints
    lane: Ints
    is_gpu_work: Flags
    is_annotation: Flags
    tolerance_ns: int


def split_crowds(
    table: Slices, lane: Ints, chosen: Ints, max_lanes: int
) -> tuple[Ints, list[Ints]]:
    """Separate the crowds from the other slices.

    Args:
        table: all slices.
        lane: int (slices,), their lossless lanes.
        chosen: indices of the slices to separate, ascending.
        max_lanes: lanes of slices that hang together by overlaps, above which they are a crowd.

    Returns:
        Indices of the slices of no crowd, and those of each crowd; ascending.
    """
    if not len(chosen) or int(lane[chosen].max()) < max_lanes:
        return chosen, []
    track, ts, latest = table.track[chosen], table.ts[chosen], table.end[chosen]
    is_new_track = np.diff(track) != 0
    edges = [0, *(np.flatnonzero(is_new_track) + 1).tolist(), len(chosen)]
    for start, stop in pairwise(edges):
        np.maximum.accumulate(latest[start:stop], out=latest[start:stop])
    cuts = np.flatnonzero(is_new_track | (ts[1:] >= latest[:-1])) + 1
    starts = np.concatenate([[0], cuts])
    is_crowd = np.maximum.reduceat(lane[chosen], starts) >= max_lanes
    sizes = np.diff(np.append(starts, len(chosen)))
    crowds = [
        chosen[start : start + size]
        for start, size in iterate_rows(starts[is_crowd], sizes[is_crowd])
    ]
    return chosen[~np.repeat(is_crowd, sizes)], crowds


def repair_crowd(
    trace: Trace, table: Slices, lane: Ints, recorded: Times, crowd: Ints, *, tolerance_ns: int
) -> Iterator[Repair]:
    """Decide about the slices of a crowd.

    Args:
        trace: the trace, for categories and names.
        table: all slices.
        lane: int (slices,), their lossless lanes.
        recorded: ends before any trim, ns.
        crowd: indices of its slices, ascending.
        tolerance_ns: overlaps up to this long count as jitter, ns.

    Yields:
        The repair of each slice that moves or is trimmed.
    """
    event = table.event[crowd]
    found = Crowd(
        event,
        table.ts[crowd],
        table.end[crowd],
        recorded[crowd],
        lane[crowd].astype(np.int64),
        has_category(trace, GPU_WORK)[event],
        _is_annotation(trace)[event],
        tolerance_ns,
    )
    if found.is_annotation.any() or _may_jitter(found):
        lanes, ends = _place(found)
    else:  # whatever overlaps has to move, so the rule is that of lossless lanes
        lanes, ends = found.lane + 1, found.end
    is_repaired = np.flatnonzero((lanes > 1) | (ends != found.end))
    for number, on, end in iterate_rows(event[is_repaired], lanes[is_repaired], ends[is_repaired]):
        yield Repair(number, on, end)


def _is_annotation(trace: Trace) -> Flags:
    steps = [name.startswith(STEP_PREFIX) for name in trace.names]
    flags: Flags = has_category(trace, ANNOTATION) | np.array([*steps, False], np.bool_)[trace.name]
    return flags


def _may_jitter(crowd: Crowd) -> bool:
    """Tell whether some slice could be trimmed: a start or an end lies shortly before its end."""
    others = ~crowd.is_gpu_work
    end, latest_start = crowd.end[others], crowd.recorded[others] - crowd.tolerance_ns
    return any(
        bool((np.searchsorted(times, end) > np.searchsorted(times, latest_start)).any())
        for times in (crowd.ts, np.sort(crowd.end))
    )


def _place(crowd: Crowd) -> tuple[Ints, Ints]:
    """Place slice by slice, work before annotations.

    Returns:
        Lane from 1, and end in ns after trims, of each slice.
    """
    lanes, ends = np.ones(len(crowd.ts), np.int64), crowd.end.copy()
    work, annotations = np.flatnonzero(~crowd.is_annotation), np.flatnonzero(crowd.is_annotation)
    _place_in_turn(crowd, work, work[:0], lanes, ends)
    _place_in_turn(crowd, annotations, work, lanes, ends)
    return lanes, ends


def _place_in_turn(crowd: Crowd, turn: Ints, placed: Ints, lanes: Ints, ends: Ints) -> None:
    """Place the slices of `turn`, given those that are `placed`; fill in `lanes` and `ends`."""
    active = turn[:0]
    for number, index in enumerate(turn.tolist()):
        active = active[crowd.end[active] > crowd.ts[index]]
        pairs = _Pairs.of(crowd, index, np.concatenate([placed, active]))
        taken = np.zeros(number + len(placed) + 2, np.bool_)
        taken[lanes[pairs.other[~(pairs.cut_first | pairs.cut_last)]] - 1] = True
        lanes[index] = int(np.argmin(taken)) + 1
        pairs.trim(crowd, lanes, ends)
        active = np.append(active, index)


class _Pairs(Struct, frozen=True):
    """The slices that one slice overlaps partly, and which of each pair is cut.

    Attributes:
        index: the slice.
        other: int (pairs,), the others.
        first, last: int (pairs,), which of the two starts first, and which ends last.
        cut_first, cut_last: bool (pairs,), which of the two is cut; neither: one has to move.
    """

    index: int
    other: Ints
    first: Ints
    last: Ints
    cut_first: Flags
    cut_last: Flags

    @classmethod
    def of(cls, crowd: Crowd, index: int, others: Ints) -> _Pairs:
        ts, end = crowd.ts, crowd.end
        starts_first = ts[others] < ts[index]
        first = np.where(starts_first, others, index)
        last = np.where(starts_first, index, others)
        partly = (ts[first] < ts[last]) & (ts[last] < end[first]) & (end[first] < end[last])
        other, first, last = others[partly], first[partly], last[partly]
        work = crowd.is_gpu_work
        cut_first = ~work[first] & (crowd.recorded[first] - ts[last] <= crowd.tolerance_ns)
        cut_last = (
            ~cut_first & ~work[last] & (crowd.recorded[last] - end[first] <= crowd.tolerance_ns)
        )
        return cls(index, other, first, last, cut_first, cut_last)

    def trim(self, crowd: Crowd, lanes: Ints, ends: Ints) -> None:
        """Cut the slices that are on one lane now, at the first of their cuts."""
        together = lanes[self.other] == lanes[self.index]
        for cut, at, chosen in (
            (self.first, crowd.ts[self.last], self.cut_first & together),
            (self.last, crowd.end[self.first], self.cut_last & together),
        ):
            np.minimum.at(ends, cut[chosen], at[chosen])
