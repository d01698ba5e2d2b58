"""List the slices of a trace, X events and B/E pairs, in the order in which Perfetto sorts them."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import group_order, indices_of, runs, take
from tp_tools.trace.model import UNTIMED
from tp_tools.trace.pairs import pairs
from tp_tools.trace.slice_times import Recorded, time_view

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from numpy.typing import NDArray

    from tp_tools.columns import Empty
    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.slice_times import Times


class SortSizes(Struct, frozen=True):
    """Sizes that decide how much memory a sort takes, never its order.

    Attributes:
        slices: number of slices sorted in one call; a longer track is split by time first.
        samples: number of starts sampled per `slices`, to choose the times at which to split.
        together: number of slices of short tracks that are sorted in one call.
    """

    slices: int = 1 << 20
    samples: int = 1 << 10
    together: int = 1 << 12


DEFAULT_SORT_SIZES = SortSizes()


class Slices(Struct, frozen=True):
    """A table of slices, sorted by track, then ts, then longest first, then number of the event.

    Columns:
        event: int32, number of the slice's event in the file; of a pair the B event.
        closing: int32, number of the E event of a pair; -1 for an X event.
        track: int, index in Trace.tracks of the slice's track.
        ts, end: int64 ns; recorded times are looked up in the trace.
    """

    event: NDArray[np.int32]
    closing: NDArray[np.int32]
    track: Ints
    ts: Times
    end: Times

    def __len__(self) -> int:
        return len(self.event)

    def track_ranges(self) -> list[tuple[int, int]]:
        """Return (start, stop) of the slices of each track that has some."""
        edges = np.flatnonzero(np.diff(self.track)) + 1
        starts = [0, *edges.tolist()]
        return list(zip(starts, [*edges.tolist(), len(self)], strict=True)) if len(self) else []


def slices(trace: Trace, sizes: SortSizes = DEFAULT_SORT_SIZES) -> Slices:
    """List all slices that have a time.

    An X event without a usable `dur` counts as 0 ns long. A B event without an E event is no slice.

    Args:
        trace: the trace.
        sizes: how many slices are sorted in one call.
    """
    empty, tracks = trace.scratch.empty, len(trace.tracks)
    opening, closing = pairs(trace)
    closing_of: NDArray[np.int32] | None = None
    if len(opening):
        closing_of = empty(len(trace), np.int32)
        closing_of[:] = -1
        closing_of[opening] = closing

    def track_of(block: slice) -> Ints:
        """Return the track of each event of a block; one more than there are where it is none."""
        is_slice = (trace.phase[block] == ord("X")) & (trace.ts[block] != UNTIMED)
        if closing_of is not None:
            is_slice |= closing_of[block] >= 0
        return np.where(is_slice, trace.track[block].astype(np.int64), tracks)

    order, edges = group_order(len(trace), tracks + 1, track_of, empty)
    event = order[: edges[-2]]
    for run in runs(np.diff(edges[:-1]).tolist(), min(sizes.together, sizes.slices)):
        _sort(trace, event[run], closing_of, sizes)
    ts, end = _recorded_times(trace, event, closing_of)
    return Slices(event, ts.closing, take(trace.track, event, empty), ts, end)


def _recorded_times(
    trace: Trace, event: NDArray[np.int32], closing_of: NDArray[np.int32] | None
) -> tuple[Recorded, Recorded]:
    """Return the starts and ends of slices.

    Args:
        trace: the trace.
        event: numbers of the slices' events.
        closing_of: E event of each event of the trace, -1 for none; None if there are no pairs.
    """
    none = np.broadcast_to(np.int32(-1), len(event))  # takes no memory
    closing = none if closing_of is None else closing_of[event]
    ts, end = (Recorded(trace, event, closing, at_end) for at_end in (False, True))
    return ts, end


def _sort(
    trace: Trace,
    event: NDArray[np.int32],
    closing_of: NDArray[np.int32] | None,
    sizes: SortSizes,
) -> None:
    """Sort the events of one track, or of several short ones, in place, as `Slices` are sorted."""

    def times_of(numbers: NDArray[np.int32]) -> tuple[Times, Times]:
        return _recorded_times(trace, numbers, closing_of)

    sort_by_time(event, times_of, sizes, trace.scratch.empty)
    if len(event) <= sizes.slices:
        track = trace.track[event]
        if track.min() != track.max():
            event[:] = event[np.argsort(track, kind="stable")]


def sort_by_time(
    event: NDArray[np.int32],
    times_of: Callable[[NDArray[np.int32]], tuple[Times, Times]],
    sizes: SortSizes = DEFAULT_SORT_SIZES,
    empty: Empty = np.empty,
) -> None:
    """Sort events by ts, then longest first, then number, in place.

    Many events are split by start times first, so that each sort takes little memory.

    Args:
        event: numbers of events.
        times_of: returns starts and ends of events, ns.
        sizes: how many events are sorted in one call.
        empty: makes columns.
    """
    if len(event) <= sizes.slices:
        ts, end = times_of(event)
        event[:] = event[sort_order(ts[:], end, event)]
        return
    samples = np.sort(times_of(event[:: sizes.slices // sizes.samples])[0][:])
    edges = samples[sizes.samples :: sizes.samples]

    def part_of(block: slice) -> Ints:
        """Return between which edges each event of a block starts."""
        return np.searchsorted(edges, times_of(event[block])[0][:], "right")

    order, cuts = group_order(len(event), len(edges) + 1, part_of, empty)
    by_time = take(event, order, empty)
    for start, stop in pairwise(cuts.tolist()):
        numbers = by_time[start:stop]
        ts, end = times_of(numbers)
        event[start:stop] = numbers[sort_order(ts[:], end, numbers)]


def sort_order(ts: Ints, end: Times, event: Ints) -> NDArray[np.int32]:
    """Return the order of slices by ts, then longest first, then number of the event.

    Args:
        ts: starts, ns.
        end: ends, ns; read only where starts are equal.
        event: numbers of the slices' events.

    Returns:
        int32 array (slices,) of indices.
    """
    order = np.argsort(ts, kind="stable").astype(np.int32)
    ts = take(ts, order)
    is_tied = np.zeros(len(ts) + 1, np.bool_)
    is_tied[1:-1] = ts[1:] == ts[:-1]
    tied = np.flatnonzero(is_tied[1:] | is_tied[:-1])
    index = order[tied]
    order[tied] = index[np.lexsort((event[index], -end[index], ts[tied]))]
    return order


def _sorted(
    event: NDArray[np.int32],
    closing: NDArray[np.int32],
    track: Ints,
    ts: NDArray[np.int64],
    end: NDArray[np.int64],
) -> Slices:
    """Build a table, sorted."""
    order = np.lexsort((event, ts - end, ts, track))
    return Slices(event[order], closing[order], track[order], ts[order], end[order])


def subset(table: Slices, chosen: Ints) -> Slices:
    """Return some of the slices, in the same order.

    Args:
        table: the slices.
        chosen: indices of the slices to return, ascending.
    """
    return Slices(
        table.event[chosen],
        table.closing[chosen],
        table.track[chosen],
        table.ts[chosen],
        table.end[chosen],
    )


def slices_between(table: Slices, start: int, stop: int) -> Slices:
    """Return the slices from index `start` up to `stop`, without a copy."""
    index = slice(start, stop)
    return Slices(
        table.event[index],
        table.closing[index],
        table.track[index],
        time_view(table.ts, index),
        time_view(table.end, index),
    )


def with_ends(table: Slices, ends: Mapping[int, int]) -> Slices:
    """Return the slices with other ends, sorted again.

    Args:
        table: the slices.
        ends: new ends by event, ns.
    """
    return _sorted(table.event, table.closing, table.track, table.ts[:], ends_of(table, ends)[:])


def ends_of(table: Slices, ends: Mapping[int, int]) -> Times:
    """Return the end of each slice, ns: the one given for its event, else the one in the table."""
    if not ends:
        return table.end
    end = table.end[:].copy()
    index = indices_of(table.event, ends)
    end[index] = [ends[event] for event in table.event[index].tolist()]
    return end


def lanes_of(event: Ints, lanes: Mapping[int, int], empty: Empty = np.empty) -> NDArray[np.int32]:
    """Return the lane of each event: the one given for it, else 1.

    Args:
        event: numbers of events.
        lanes: lane by event, from 2.
        empty: makes the column of the result.

    Returns:
        int32 array (len(event),).
    """
    lane = empty(len(event), np.int32)
    lane[:] = 1
    index = indices_of(event, lanes)
    lane[index] = [lanes[number] for number in event[index].tolist()]
    return lane


def on_lanes(table: Slices, lanes: Mapping[int, int]) -> Slices:
    """Return the slices with every lane as a track of its own, sorted again.

    Args:
        table: the slices.
        lanes: lane by event, from 2; slices of other events are on lane 1.
    """
    if not lanes:
        return table
    lane = lanes_of(table.event, lanes)
    track = table.track.astype(np.int64) * (int(lane.max()) + 1) + lane
    return _sorted(table.event, table.closing, track, table.ts[:], table.end[:])
