"""The order of packets: events of one time come in the order of their track."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tp_tools.writing.pftrace.flows import Flows
from tp_tools.writing.pftrace.ordering import DeferredPackets, defer_order
from tp_tools.writing.pftrace.thread_events import Place, ThreadEvents

STARTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40
)


def events_of(starts: list[tuple[int, int, int]]) -> tuple[ThreadEvents, np.ndarray, np.ndarray]:
    """Make thread events of (track, time, batch), sorted; return tracks and batches, too."""
    track, ts, batch = np.array(sorted(starts, key=lambda it: it[:2]), np.int64).T
    count = len(starts)
    number = np.arange(count)
    edges = [0, *(np.flatnonzero(np.diff(track)) + 1).tolist(), count]
    places = [Place(start, stop, int(track[start]), 1) for start, stop in pairwise(edges)]
    phase = np.full(count, ord("X"), np.uint8)
    return ThreadEvents(number, number - count, ts, ts, places, phase), track, batch


def written(batch: np.ndarray, level: np.ndarray) -> list[int]:
    """Return the indices of thread events in the order in which they are written."""
    index = np.arange(len(batch))
    in_batches = index[np.lexsort((index, batch))]
    at_end = index[np.lexsort((index, level))]
    return [*in_batches[level[in_batches] == 0].tolist(), *at_end[level[at_end] > 0].tolist()]


@given(STARTS, st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=6))
def test_equal_times_come_in_order(
    starts: list[tuple[int, int, int]], pairs: list[tuple[int, int]]
) -> None:
    """Events come in the order of their track, and sources of flows before their targets."""
    events, track, batch = events_of(starts)
    # flows that lead to later indices form no circles
    ends = [(a, b) for a, b in pairs if a < b < len(events) and events.ts[a] == events.ts[b]]
    out, into = np.array(ends, np.int64).reshape(-1, 2).T
    place = np.argsort(written(batch, defer_order(events, batch, Flows(out, into))))
    for i in range(1, len(events)):
        if track[i] == track[i - 1] and events.ts[i] == events.ts[i - 1]:
            assert place[i - 1] < place[i]
    assert all(place[a] < place[b] for a, b in ends)


@given(STARTS)
def test_events_in_order_are_not_deferred(starts: list[tuple[int, int, int]]) -> None:
    """Where the batches of every track ascend, each packet is written with its batch."""
    events, _, batch = events_of(starts)
    none = Flows(np.empty(0, np.int64), np.empty(0, np.int64))
    assert not defer_order(events, np.sort(batch), none).any()


def test_flows_in_a_circle_come_to_an_end() -> None:
    """Two instants that point at each other cannot both be first; tracks keep their order."""
    events, _, batch = events_of([(0, 0, 0), (0, 0, 0), (1, 0, 0)])
    circle = Flows(np.array([1, 2, 0]), np.array([2, 0, 1]))
    level = defer_order(events, batch, circle)
    assert level[0] <= level[1]


@pytest.mark.parametrize("memory_limit", [1, 1 << 20])
def test_deferred_packets_come_back_sorted(memory_limit: int) -> None:
    """From memory or from disk, packets come back by level, then by index; none is lost."""
    with closing(DeferredPackets(memory_limit)) as kept:
        kept.add(np.array([2, 1]), np.array([0, 9]), [b"third", b"second"])
        kept.add(np.array([1, 2]), np.array([3, 4]), [b"first", b"fourth"])
        assert list(kept.in_order()) == [b"first", b"second", b"third", b"fourth"]
