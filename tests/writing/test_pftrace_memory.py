"""A layout is worked out block by block: it takes few bytes an event, and blocks do not show."""

from __future__ import annotations

import sys
import tracemalloc
from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support.handmade import arrow, cpu, kernel, text, trace_of
from tests.support.strategies import PURE
from tp_tools.columns import BLOCK_SIZE
from tp_tools.files.scratch import Scratch
from tp_tools.repair import ids, planner
from tp_tools.trace.model import Batch, EventIds
from tp_tools.trace.slices import slices
from tp_tools.writing.pftrace.event_rows import EventRows, by_end
from tp_tools.writing.pftrace.flow_sources import NONE, sources
from tp_tools.writing.pftrace.flows import Flows
from tp_tools.writing.pftrace.layout import lay_out
from tp_tools.writing.pftrace.ordering import defer_order
from tp_tools.writing.pftrace.stacking import DEEPER, LEVELS, deep_lanes
from tp_tools.writing.pftrace.thread_events import Place, ThreadEvents
from tp_tools.writing.pftrace.writer import ALONE

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.trace import Trace

NEEDS_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="only Linux reserves bytes")
NO_FLOWS = Flows(np.empty(0, np.int32), np.empty(0, np.int32))


def thread_events(track: np.ndarray, ts: np.ndarray, end: np.ndarray) -> ThreadEvents:
    """Make a table of X events, sorted by track already."""
    count = len(ts)
    edges = [0, *(np.flatnonzero(np.diff(track)) + 1).tolist(), count]
    places = [Place(a, b, int(track[a]), 1) for a, b in pairwise(edges)]
    event, phase = np.arange(count, dtype=np.int32), np.full(count, ord("X"), np.uint8)
    return ThreadEvents(event, np.full(count, -1, np.int32), ts, end, places, phase)


@PURE
@given(
    st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 9)), min_size=1),
    st.integers(1, 5),
)
def test_ends_are_sorted_in_any_blocks(rows: list[tuple[int, int, int]], size: int) -> None:
    """ENDs come by time, the last of the table first, however many are sorted at a time."""
    track, ts, dur = np.array(sorted(rows), np.int64).T
    events = thread_events(track, ts, ts + dur)
    ending = np.flatnonzero(dur > 0)
    expected = ending[np.lexsort((-ending, (ts + dur)[ending]))]
    found = np.concatenate([np.empty(0, np.int32), *by_end(events, size)])
    assert found.tolist() == expected.tolist()


def test_a_group_across_two_blocks_is_one() -> None:
    """Events of one time are deferred behind an earlier one of a later batch, a block before."""
    count = BLOCK_SIZE + 10
    ts = np.arange(count)
    ts[BLOCK_SIZE - 2 :] = BLOCK_SIZE - 2
    batch = np.zeros(count, np.int64)
    batch[BLOCK_SIZE - 2] = 1
    level = defer_order(thread_events(ts * 0, ts, ts + 1), batch, NO_FLOWS)
    assert np.flatnonzero(level).tolist() == list(range(BLOCK_SIZE - 1, count))


@pytest.mark.parametrize("dur", [0, 1])
def test_slices_open_since_an_earlier_block_count(dur: int) -> None:
    """A slice inside LEVELS others goes deeper, in whatever block these began."""
    around, inside = LEVELS, BLOCK_SIZE + 5
    ts = np.concatenate([np.arange(around), around + 2 * np.arange(inside)])
    end = np.concatenate([np.full(around, 1 << 40) - np.arange(around), ts[around:] + dur])
    lanes = deep_lanes(thread_events(ts * 0, ts, end))
    assert lanes.keys.tolist() == list(range(around, around + inside))
    assert set(lanes.values.tolist()) == {1 + DEEPER}


def test_points_of_one_time_nest_across_blocks() -> None:
    """Events of 0 ns at one time lie in each other; a block boundary between them adds nothing."""
    ts = np.arange(BLOCK_SIZE + LEVELS + 10)
    ts[BLOCK_SIZE - 5 :] = BLOCK_SIZE
    lanes = deep_lanes(thread_events(ts * 0, ts, ts))
    assert lanes.keys.tolist() == list(range(BLOCK_SIZE - 5 + LEVELS, len(ts)))


def repeated(trace: Trace, times: int) -> Trace:
    """Return the columns of a trace whose events come again and again, with ids of their own."""
    count, turn = len(trace) * times, np.repeat(np.arange(times), len(trace))
    columns = {
        name: np.tile(getattr(trace, name), times)
        for name in ("phase", "dur", "track", "cat", "name", "bound")
    }
    link = np.tile(trace.link, times)
    link = np.where(link >= 0, link + turn * len(trace.links), -1).astype(np.int32)
    return replace(
        trace,
        **columns,
        ts=np.tile(trace.ts, times) + turn * 1_000_000,
        link=link,
        links=EventIds(np.arange(len(trace.links) * times), []),
        batches=[Batch(at, min(4096, count - at), 1) for at in range(0, count, 4096)],
        metadata={},
    )


def plain_sources(phase: str, key: list[int]) -> list[int]:
    """Find what each flow event continues, one after the other."""
    found, begun = [], dict[int, int]()
    for i, (letter, of) in enumerate(zip(phase, key, strict=True)):
        found.append(begun[of] if letter != "s" and of in begun else NONE)
        if (letter == "t" and of in begun) or (letter == "s" and of not in begun):
            begun[of] = i
    return found


@PURE
@given(
    st.lists(st.tuples(st.integers(0, 2), st.sampled_from("stf")), min_size=1),
    st.sampled_from([0, BLOCK_SIZE - 2, BLOCK_SIZE]),
)
def test_flow_events_continue_those_of_an_earlier_block(
    rows: list[tuple[int, str]], before: int
) -> None:
    """An `s` begins a flow, `t` and `f` continue what came last of it, wherever blocks begin."""
    rows = [(0, "s"), *[(0, "t")] * before, *sorted(rows, key=lambda row: row[0])]
    key, phase = np.array([of for of, _ in rows]), "".join(letter for _, letter in rows)
    found = sources(np.frombuffer(phase.encode(), np.uint8), (key, key * 0))
    assert found.tolist() == plain_sources(phase, key.tolist())


@pytest.mark.parametrize(
    ("is_mapped", "kept_bytes", "bytes_at_once"), [(False, 12, 40), (True, 1, 20)]
)
def test_a_layout_takes_few_bytes_an_event(
    is_mapped: bool, kept_bytes: int, bytes_at_once: int, tmp_path: Path
) -> None:
    """A launch, its work and their flow, 250,000 times: what is kept, and what is held at once.

    In memory, that is: with its columns in files a layout takes less.
    """
    launch, work = cpu("cudaLaunchKernel", 1_000, 6_000), kernel("k", 20_000, 29_000, 7)
    trace = repeated(trace_of(text([launch, work, *arrow(7, launch, work)])), 250_000)
    if is_mapped:
        trace = replace(trace, scratch=Scratch(tmp_path, BLOCK_SIZE))
    table = slices(trace)
    plan = planner.make_plan(trace, table, [], ids.choose_ids(trace))
    tracemalloc.start()
    try:
        layout = lay_out(trace, table, plan, ALONE)
        rows = EventRows(layout)
        kept, most = tracemalloc.get_traced_memory()
        ends = sum(len(ends.ts) for ends in rows.ends())
        _, most_at_ends = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (len(layout.flows), ends > 0) == (250_000, True)
    assert kept < kept_bytes * len(trace)
    assert max(most, most_at_ends) < bytes_at_once * len(trace)
