"""Lossless lanes, on which no slices overlap, and the choice of slices that SQL must see."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tests.support.handmade import cpu, text, trace_of
from tests.support.strategies import PURE, events_of, traces
from tp_tools.repair.lanes import assign_lanes, independent_groups, slices_near
from tp_tools.trace.slices import Slices, slices

if TYPE_CHECKING:
    from tests.support.overlap_model import Slice

Interval = tuple[int, int]


def lanes_of(*intervals: Interval) -> list[int]:
    """Return the lane of each interval of one track, in the order given."""
    table = slices(trace_of(text(cpu(str(i), *it) for i, it in enumerate(intervals))))
    lane = dict(zip(table.event.tolist(), assign_lanes(table).tolist(), strict=True))
    return [lane[i] for i in range(len(intervals))]


def overlaps(table: Slices) -> list[tuple[int, int]]:
    """Return the pairs of slices of a table that share a track and partly overlap."""
    tracks, starts, ends = (it[:].tolist() for it in (table.track, table.ts, table.end))

    def overlap(i: int, j: int) -> bool:
        (ts, end), (later, later_end) = sorted((starts[k], ends[k]) for k in (i, j))
        return ts < later < end < later_end

    pairs = combinations(range(len(table)), 2)
    return [(i, j) for i, j in pairs if tracks[i] == tracks[j] and overlap(i, j)]


def test_slices_that_nest_stay_on_their_track() -> None:
    """Slices that nest, touch, share a start, share an end or take no time need no lane."""
    assert lanes_of((0, 100), (0, 50), (50, 100), (50, 50), (100, 120), (120, 120)) == [0] * 6


def test_each_overlap_takes_the_lowest_lane() -> None:
    """A chain of overlaps alternates between two lanes; three at a time take three."""
    assert lanes_of((0, 12), (10, 22), (20, 32), (30, 42)) == [0, 1, 0, 1]
    assert lanes_of((0, 30), (10, 40), (20, 50), (30, 60)) == [0, 1, 2, 0]


def test_lanes_nest_too() -> None:
    """A slice nested in one that left the track goes to its lane if the track has no room."""
    assert lanes_of((0, 20), (10, 50), (15, 40)) == [0, 1, 1]


def test_the_order_of_the_file_does_not_matter() -> None:
    """The slice that starts later leaves the track, even if it stands first in the file."""
    assert lanes_of((10, 30), (0, 20)) == [1, 0]


@PURE
@given(traces())
def test_no_lane_holds_an_overlap(trace: list[list[Slice]]) -> None:
    """No two slices of one lane overlap, whatever the trace."""
    table = slices(trace_of(text(events_of(trace))))
    lane = assign_lanes(table)
    assert not [(i, j) for i, j in overlaps(table) if lane[i] == lane[j]]


@PURE
@given(traces(), st.sampled_from([0, 500, 2000]))
def test_sql_sees_every_overlap(trace: list[list[Slice]], tolerance: int) -> None:
    """Both slices of every overlapping pair are among those that SQL is shown."""
    table = slices(trace_of(text(events_of(trace))))
    seen = set(slices_near(table, assign_lanes(table), tolerance).tolist())
    assert {k for pair in overlaps(table) for k in pair} <= seen


@PURE
@given(traces(), st.integers(2, 6))
def test_short_tracks_get_their_lanes_together(trace: list[list[Slice]], together: int) -> None:
    """Each slice gets the lane that it gets where its track is looked at alone."""
    table = slices(trace_of(text(events_of(trace))))
    assert assign_lanes(table, together).tolist() == assign_lanes(table, 1).tolist()


def test_tracks_that_last_too_long_to_be_moved() -> None:
    """Tracks that together last longer than int64 can hold get the lanes that each gets alone."""
    ts = np.array([0, 10, 0, 10, 0, 10])
    end = np.array([20, 1 << 62, 20, 1 << 62, 20, 30])
    track = np.array([0, 0, 1, 1, 2, 2])
    event = np.arange(6, dtype=np.int32)
    table = Slices(event, np.full(6, -1, np.int32), track, ts, end)
    assert assign_lanes(table).tolist() == [0, 1, 0, 1, 0, 1]


def test_sql_is_shown_little() -> None:
    """Of a long track with one marked slice, only slices within the tolerance of it are chosen."""
    table = slices(trace_of(text(cpu("k", i * 10_000, i * 10_000 + 9_000) for i in range(100))))
    marked = np.zeros(100, np.int64)
    marked[50] = 1
    assert slices_near(table, marked, 1000).tolist() == [49, 50, 51]
    assert slices_near(table, marked, 999).tolist() == [50]
    assert slices_near(table, np.zeros(100, np.int64), 1000).tolist() == []


@PURE
@given(traces(), st.integers(1, 5))
def test_groups_do_not_overlap(trace: list[list[Slice]], min_size: int) -> None:
    """Every slice is in one group, in order; no two slices of different groups overlap."""
    table = slices(trace_of(text(events_of(trace))))
    chosen = np.arange(len(table))[:: 2 if min_size == 1 else 1]
    groups = independent_groups(table, chosen, min_size)
    assert np.concatenate(groups).tolist() == chosen.tolist()
    assert all(len(group) >= min_size for group in groups[:-1])
    number = {i: n for n, group in enumerate(groups) for i in group.tolist()}
    for i, j in overlaps(table):
        assert i not in number or j not in number or number[i] == number[j]


def test_groups_end_where_no_slice_is_open() -> None:
    """A slice that starts when all others have ended begins the next group."""
    events = [cpu("a", 0, 100), cpu("b", 10, 20), cpu("c", 90, 110), cpu("d", 110, 120)]
    table = slices(trace_of(text(events)))
    assert [group.tolist() for group in independent_groups(table, np.arange(4), 1)] == [
        [0, 1, 2],
        [3],
    ]
