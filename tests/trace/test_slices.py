"""The table of slices: what counts as one, and in which order."""

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
    on_lanes,
    slices,
    subset,
    with_ends,
)

if TYPE_CHECKING:
    from tp_tools.trace.model import Trace

Row = tuple[str, int, int]


def table_of(*events: Event) -> tuple[Trace, Slices]:
    """A trace of these events, and its slices."""
    trace = trace_of(text(events))
    return trace, slices(trace)


def rows(trace: Trace, table: Slices) -> list[Row]:
    """(name, ts, end) of each slice, in order."""
    names = [trace.names[code] for code in trace.name[table.event]]
    return list(zip(names, table.ts[:].tolist(), table.end[:].tolist(), strict=True))


def test_sorted_as_perfetto_sorts() -> None:
    """By start, then longest first, then place in the file, whatever the file's order."""
    events = [cpu("c", 5, 9), cpu("b", 5, 20), cpu("d", 5, 9), cpu("a", 1, 2)]
    assert [name for name, *_ in rows(*table_of(*events))] == ["a", "b", "c", "d"]


@PURE
@given(
    st.lists(st.tuples(st.integers(0, 20), st.integers(0, 9), st.integers(1, 2)), max_size=40),
    st.sampled_from([2, 4, 8]),
)
def test_a_large_row_is_sorted_in_parts(made: list[tuple[int, int, int]], large: int) -> None:
    """As if it were sorted at once, ties and all."""
    events = [cpu(str(i), ts, ts + dur, tid=tid) for i, (ts, dur, tid) in enumerate(made)]
    _, wanted = table_of(*events)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("tp_tools.trace.slices._LARGE", large)
        patch.setattr("tp_tools.trace.slices._SAMPLES", 2)
        _, found = table_of(*events)
    assert found.event.tolist() == wanted.event.tolist()
    keys = [(made[i][2], made[i][0], -made[i][1], i) for i in found.event.tolist()]
    assert all(one < other for one, other in pairwise(keys) if one[0] == other[0])


def test_rows_are_pid_and_tid() -> None:
    """One tid under two pids is two rows; each row's slices stand together."""
    events = [cpu("a", 0, 9), cpu("b", 1, 9, pid=11), cpu("c", 2, 9), cpu("d", 3, 9, pid=11)]
    trace, table = table_of(*events)
    assert [name for name, *_ in rows(trace, table)] == ["a", "c", "b", "d"]
    assert table.row_ranges() == [(0, 2), (2, 4)]


def test_no_slices_have_no_rows() -> None:
    """A trace of instants has an empty table."""
    _, table = table_of(mark("i", 5, name="i"))
    assert len(table) == 0
    assert table.row_ranges() == []


def test_slices_without_a_time_are_none() -> None:
    """An X without ts is left out, one without a usable dur is 0 long."""
    events = [
        {**cpu("untimed", 0, 9), "ts": None},
        {**cpu("endless", 5, 9), "dur": None},
        {**cpu("negative", 6, 9), "dur": -3},
    ]
    assert rows(*table_of(*events)) == [("endless", 5, 5), ("negative", 6, 6)]


def test_pairs_nest() -> None:
    """Nameless E events end the last open B; what stays open is no slice."""
    events = [
        *(mark("B", ts, name=name) for name, ts in (("a", 0), ("b", 10), ("c", 20))),
        *(mark("E", ts) for ts in (30, 40)),
    ]
    trace, table = table_of(*events)
    assert rows(trace, table) == [("b", 10, 40), ("c", 20, 30)]
    assert table.closing.tolist() == [4, 3]


@pytest.mark.parametrize("key", ["name", "cat"])
def test_pairs_by_what_they_say(key: str) -> None:
    """An E with a name or a category ends the B that has it, so that pairs can overlap."""
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
    """At one time E comes before B, wherever the two stand in the file."""
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
    """B and E events of names and categories that are left out here and there."""
    events: list[Event] = []
    still_open: list[Event] = []
    for ts in range(1, draw(st.integers(2, 12))):
        if draw(st.booleans()) and still_open:
            opening = still_open.pop()
            said = {key: opening[key] for key in ("name", "cat") if key in opening}
            kept = draw(st.sets(st.sampled_from(sorted(said)))) if said else set()
            events.append(mark("E", ts * 1000, **{key: said[key] for key in kept}))
        else:
            said = draw(st.fixed_dictionaries({}, optional={"name": st.sampled_from("ab")}))
            cat = draw(st.fixed_dictionaries({}, optional={"cat": st.sampled_from("cd")}))
            still_open.append(mark("B", ts * 1000, **said, **cat))
            events.append(still_open[-1])
    shuffled: list[Event] = draw(st.permutations(events))
    return shuffled


@LOADING
@given(nesting_pairs())
def test_pairs_are_those_of_perfetto(events: list[Event]) -> None:
    """Pairs that nest are found as TraceProcessor finds them, whatever E events leave out."""
    events = [*events, cpu("x", 0, 1, tid=21)]
    trace, table = table_of(*events)
    with loaded(text(events)) as tp:
        seen = engine.rows(tp, "SELECT name, ts, ts + dur FROM slice WHERE dur >= 0")
    found = Counter((name or "[No name]", ts, end) for name, ts, end in rows(trace, table))
    assert found == Counter(seen)


def test_other_ends_sort_again() -> None:
    """Of two that start together, the one that is cut comes second."""
    trace, table = table_of(cpu("a", 0, 20), cpu("b", 0, 10))
    assert [name for name, *_ in rows(trace, table)] == ["a", "b"]
    cut = with_ends(table, {0: 5})
    assert rows(trace, cut) == [("b", 0, 10), ("a", 0, 5)]


def test_lanes_become_rows() -> None:
    """A slice on a lane shares a row with those of its lane and its row alone."""
    trace, table = table_of(
        cpu("a", 0, 20), cpu("b", 5, 25), cpu("c", 6, 9), cpu("d", 5, 25, tid=21)
    )
    split = on_lanes(table, {1: 2, 3: 2})
    names = [name for name, *_ in rows(trace, split)]
    assert [names[start:stop] for start, stop in split.row_ranges()] == [["a", "c"], ["b"], ["d"]]
    assert on_lanes(table, {}) is table


def test_a_subset_keeps_order() -> None:
    """Chosen slices stand as they stood."""
    trace, table = table_of(*(cpu(str(i), i, i + 5) for i in range(4)))
    chosen = subset(table, table.event[1:3])
    assert rows(trace, chosen) == rows(trace, table)[1:3]
