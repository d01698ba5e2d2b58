"""The order of packets: what starts at one time comes as its track wants it, wherever it stood."""

from __future__ import annotations

from contextlib import closing

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tp_tools.writing.pftrace import deferred
from tp_tools.writing.pftrace.deferred import DeferredPackets
from tp_tools.writing.pftrace.flows import Flows
from tp_tools.writing.pftrace.ordering import defer_order
from tp_tools.writing.pftrace.thread_events import ThreadEvents

STARTS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 3), st.integers(0, 4)), min_size=1, max_size=40
)


def shown_of(starts: list[tuple[int, int, int]]) -> tuple[ThreadEvents, np.ndarray]:
    """(track, time, run) as entries in the order that tracks want, and their runs."""
    track, ts, run = np.array(sorted(starts, key=lambda it: it[:2]), np.int64).T
    count = len(starts)
    number = np.arange(count)
    found = ThreadEvents(number, number - count, track, number * 0 + 1, ts, ts, number >= 0)
    return found, run


def written(run: np.ndarray, level: np.ndarray) -> list[int]:
    """The entries in the order in which they are written."""
    place = np.arange(len(run))
    in_runs = place[np.lexsort((place, run))]
    at_end = place[np.lexsort((place, level))]
    return [*in_runs[level[in_runs] == 0].tolist(), *at_end[level[at_end] > 0].tolist()]


@given(STARTS, st.lists(st.tuples(st.integers(0, 39), st.integers(0, 39)), max_size=6))
def test_equal_times_come_in_order(
    starts: list[tuple[int, int, int]], pairs: list[tuple[int, int]]
) -> None:
    """On each track in the track's order; and sources of arrows before their targets."""
    found, run = shown_of(starts)
    # arrows that lead on in the order of all tracks have no circles
    ends = [(a, b) for a, b in pairs if a < b < len(found) and found.ts[a] == found.ts[b]]
    out, into = np.array(ends, np.int64).reshape(-1, 2).T
    place = np.argsort(written(run, defer_order(found, run, Flows(out, into))))
    for i in range(1, len(found)):
        if found.row[i] == found.row[i - 1] and found.ts[i] == found.ts[i - 1]:
            assert place[i - 1] < place[i]
    assert all(place[a] < place[b] for a, b in ends)


@given(STARTS)
def test_what_is_in_order_does_not_wait(starts: list[tuple[int, int, int]]) -> None:
    """Where every track's runs ascend, all is written with its run."""
    found, run = shown_of(starts)
    none = Flows(np.empty(0, np.int64), np.empty(0, np.int64))
    assert not defer_order(found, np.sort(run), none).any()


def test_arrows_in_a_circle_come_to_an_end() -> None:
    """Two instants that point at each other cannot both be first; tracks keep their order."""
    found, run = shown_of([(0, 0, 0), (0, 0, 0), (1, 0, 0)])
    circle = Flows(np.array([1, 2, 0]), np.array([2, 0, 1]))
    level = defer_order(found, run, circle)
    assert level[0] <= level[1]


@pytest.mark.parametrize("in_memory", [1, 1 << 20])
def test_late_packets_come_back_sorted(monkeypatch: pytest.MonkeyPatch, in_memory: int) -> None:
    """By level, then by place, from memory or from disk; none is lost."""
    monkeypatch.setattr(deferred, "_IN_MEMORY", in_memory)
    with closing(DeferredPackets()) as kept:
        kept.add(np.array([2, 1]), np.array([0, 9]), [b"third", b"second"])
        kept.add(np.array([1, 2]), np.array([3, 4]), [b"first", b"fourth"])
        assert list(kept.in_order()) == [b"first", b"second", b"third", b"fourth"]
