"""The table of slices: which events become slices, and how they are sorted."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.handmade import Event, cpu, loaded, mark, text, trace_of
from tests.support.strategies import LOADING, PURE
from tp_tools import engine
from tp_tools.trace.slices import (
    Slices,
    SortSizes,
    on_lanes,
    slices,
    subset,
    with_ends,
)

if TYPE_CHECKING:
    from tp_tools.trace.model import Trace

Row = tuple[str, int, int]


def table_of(*events: Event) -> tuple[Trace, Slices]:
    """Read a trace of these events, and list its slices."""
    trace = trace_of(text(events))
    return trace, slices(trace)


def rows(trace: Trace, table: Slices) -> list[Row]:
    """Return (name, ts, end) of each slice, in order."""
    names = [trace.names[code] for code in trace.name[table.event]]
    return list(zip(names, table.ts[:].tolist(), table.end[:].tolist(), strict=True))


def test_sorted_as_perfetto_sorts() -> None:
    """Slices are sorted by start, then longest first, then by their order in the file."""
    events = [cpu("c", 5, 9), cpu("b", 5, 20), cpu("d", 5, 9), cpu("a", 1, 2)]
    assert [name for name, *_ in rows(*table_of(*events))] == ["a", "b", "c", "d"]


@PURE
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9), st.integers(1, 4)), max_size=40),
    st.sampled_from([2, 4, 8]),
    st.sampled_from([1, 3, 40]),
)
def test_a_long_track_split_by_time_sorts_the_same(
    made: list[tuple[int, int, int]], sort_size: int, together: int
) -> None:
    """Tracks sorted in several calls, or several in one, have the order of each sorted alone."""
    events = [cpu(str(i), ts, ts + dur, tid=tid) for i, (ts, dur, tid) in enumerate(made)]
    trace = trace_of(text(events))
    alone = slices(trace, SortSizes(together=1))
    split = slices(trace, SortSizes(sort_size, 2, together))
    assert split.event.tolist() == slices(trace).event.tolist() == alone.event.tolist()
    keys = [(made[i][2], made[i][0], -made[i][1], i) for i in split.event.tolist()]
    assert all(one < other for one, other in pairwise(keys) if one[0] == other[0])


def test_a_track_is_a_pid_and_a_tid() -> None:
    """One tid under two pids is two tracks; the slices of a track stand together."""
    events = [cpu("a", 0, 9), cpu("b", 1, 9, pid=11), cpu("c", 2, 9), cpu("d", 3, 9, pid=11)]
    trace, table = table_of(*events)
    assert [name for name, *_ in rows(trace, table)] == ["a", "c", "b", "d"]
    assert table.track_ranges() == [(0, 2), (2, 4)]


def test_a_trace_without_slices_has_an_empty_table() -> None:
    """A trace of instants has no slices and no ranges."""
    _, table = table_of(mark("i", 5, name="i"))
    assert len(table) == 0
    assert table.track_ranges() == []


def test_an_x_without_ts_is_no_slice() -> None:
    """An X without ts is left out; an X without a usable dur is 0 ns long."""
    events = [
        {**cpu("untimed", 0, 9), "ts": None},
        {**cpu("endless", 5, 9), "dur": None},
        {**cpu("negative", 6, 9), "dur": -3},
    ]
    assert rows(*table_of(*events)) == [("endless", 5, 5), ("negative", 6, 6)]


def test_pairs_nest() -> None:
    """An E without a name ends the last open B; a B that stays open is no slice."""
    events = [
        *(mark("B", ts, name=name) for name, ts in (("a", 0), ("b", 10), ("c", 20))),
        *(mark("E", ts) for ts in (30, 40)),
    ]
    trace, table = table_of(*events)
    assert rows(trace, table) == [("b", 10, 40), ("c", 20, 30)]
    assert table.closing.tolist() == [4, 3]


@pytest.mark.parametrize("key", ["name", "cat"])
def test_an_e_ends_the_b_of_its_name_or_category(key: str) -> None:
    """An E with a name or a category ends the B that has the same, so that pairs can overlap."""
    events = [
        mark("B", 0, **{"name": "p", key: "a"}),
        mark("B", 10, **{"name": "p", key: "b"}),
        mark("E", 20, **{key: "a"}),
        mark("E", 30, **{key: "b"}),
    ]
    assert [(ts, end) for _, ts, end in rows(*table_of(*events))] == [(0, 20), (10, 30)]


def test_pairs_do_not_cross_threads() -> None:
    """An E ends no B of another thread."""
    events = [mark("B", 0, name="a"), mark("E", 10, tid=21), mark("E", 20)]
    assert rows(*table_of(*events)) == [("a", 0, 20)]


def test_an_end_at_the_start_of_the_next() -> None:
    """An E comes before a B of the same time, whatever their order in the file."""
    events = [
        mark("B", 10, name="b"),
        mark("B", 0, name="a"),
        mark("E", 10),
        mark("E", 20),
        cpu("x", 0, 1, tid=21),
    ]
    found = rows(*table_of(*events))
    assert found == [("a", 0, 10), ("b", 10, 20), ("x", 0, 1)]


@st.composite
def nesting_pairs(draw: st.DrawFn) -> list[Event]:
    """Draw B and E events, some without name or category."""
    events: list[Event] = []
    still_open: list[Event] = []
    for ts in range(1, draw(st.integers(2, 12))):
        if draw(st.booleans()) and still_open:
            opening = still_open.pop()
            fields = {key: opening[key] for key in ("name", "cat") if key in opening}
            kept = draw(st.sets(st.sampled_from(sorted(fields)))) if fields else set()
            events.append(mark("E", ts * 1000, **{key: fields[key] for key in kept}))
        else:
            name = draw(st.fixed_dictionaries({}, optional={"name": st.sampled_from("ab")}))
            cat = draw(st.fixed_dictionaries({}, optional={"cat": st.sampled_from("cd")}))
            still_open.append(mark("B", ts * 1000, **name, **cat))
            events.append(still_open[-1])
    shuffled: list[Event] = draw(st.permutations(events))
    return shuffled


@LOADING
@given(nesting_pairs())
def test_pairs_are_those_of_perfetto(events: list[Event]) -> None:
    """Pairs that nest are those of TraceProcessor, whichever fields the E events lack."""
    events = [*events, cpu("x", 0, 1, tid=21)]
    trace, table = table_of(*events)
    with loaded(text(events)) as tp:
        seen = engine.rows(tp, "SELECT name, ts, ts + dur FROM slice WHERE dur >= 0")
    found = Counter((name or "[No name]", ts, end) for name, ts, end in rows(trace, table))
    assert found == Counter(seen)


def test_new_ends_sort_again() -> None:
    """Of two slices that start together, the one that becomes shorter comes second."""
    trace, table = table_of(cpu("a", 0, 20), cpu("b", 0, 10))
    assert [name for name, *_ in rows(trace, table)] == ["a", "b"]
    cut = with_ends(table, {0: 5})
    assert rows(trace, cut) == [("b", 0, 10), ("a", 0, 5)]


def test_lanes_become_tracks() -> None:
    """A slice shares a range only with slices of the same track and lane."""
    trace, table = table_of(
        cpu("a", 0, 20), cpu("b", 5, 25), cpu("c", 6, 9), cpu("d", 5, 25, tid=21)
    )
    split = on_lanes(table, {1: 2, 3: 2})
    names = [name for name, *_ in rows(trace, split)]
    assert [names[start:stop] for start, stop in split.track_ranges()] == [["a", "c"], ["b"], ["d"]]
    assert on_lanes(table, {}) is table


def test_a_subset_keeps_order() -> None:
    """Chosen slices keep their order."""
    trace, table = table_of(*(cpu(str(i), i, i + 5) for i in range(4)))
    chosen = subset(table, table.event[1:3])
    assert rows(trace, chosen) == rows(trace, table)[1:3]
