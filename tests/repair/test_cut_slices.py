"""Slices that Perfetto ends too soon by B events are found, with the ends that it gives."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.handmade import fixed, shown, text
from tp_tools import engine
from tp_tools.chrome import read
from tp_tools.files import Source
from tp_tools.repair.cut_slices import cut_slices
from tp_tools.repair.ids import plan_of_ids
from tp_tools.trace.model import UNTIMED
from tp_tools.trace.slices import slices

if TYPE_CHECKING:
    from pathlib import Path

Events = list[dict[str, Any]]


def event(phase: str, ts: int, name: str, **more: int) -> dict[str, Any]:
    """An event of thread 1, ts in us."""
    return {"ph": phase, "pid": 1, "tid": 1, "ts": ts, "name": name, **more}


def cut(events: Events, folder: Path) -> dict[str, int]:
    """Return the ends in ns of the slices that are cut, by name."""
    path = folder / "in.json"
    path.write_text(json.dumps({"traceEvents": events}))
    trace = read(Source(path, path.name))
    table = slices(trace)
    found = cut_slices(trace, table, plan_of_ids(trace), trace.ts != UNTIMED)
    assert found.sooner == len(found.ends)
    return {trace.names[trace.name[event]]: end for event, end in found.ends.items()}


PAIR = [event("B", 1, "pair"), event("E", 5, "pair")]


@pytest.mark.parametrize(
    ("others", "ends"),
    [
        ([event("X", 1, "x", dur=2)], {"pair": 3_000}),
        ([event("X", 1, "x", dur=3), event("X", 1, "y", dur=1)], {"pair": 2_000}),
        ([event("X", 1, "point", dur=0)], {}),
        ([event("X", 1, "as long", dur=4)], {}),
        ([event("X", 1, "longer", dur=9)], {}),
        ([event("X", 2, "later", dur=1)], {}),
        ([{**event("X", 1, "on another track", dur=2), "tid": 2}], {}),
        ([event("B", 1, "later"), event("E", 3, "later")], {}),
        ([], {}),
    ],
)
def test_a_shorter_slice_of_the_same_start_cuts(
    others: Events, ends: dict[str, int], tmp_path: Path
) -> None:
    """The one that ends first, if it is longer than 0 and on the same track."""
    assert cut([*PAIR, *others], tmp_path) == ends


def test_a_shorter_pair_that_stands_before_it_cuts(tmp_path: Path) -> None:
    """Perfetto opens pairs of one start in the order of the file."""
    inner = [event("B", 1, "inner"), event("E", 3, "inner")]
    assert cut([*inner, *PAIR], tmp_path) == {"pair": 3_000}


@pytest.mark.parametrize(
    ("before", "after", "ends"),
    [
        ([event("i", 1, "other")], [], {"later": 6_000}),
        ([event("X", 1, "other", dur=1)], [], {}),
        ([], [event("X", 9, "other", dur=1)], {"later": 6_000}),
        ([], [event("X", 5, "out of order", dur=1)], {}),
        ([], [event("X", 9, "other", dur=1), {"ph": "M", "name": "process_labels", "pid": 1}], {}),
    ],
    ids=["no X", "after an X", "before an X", "an X out of order", "metadata at 0"],
)
def test_a_pair_that_starts_before_the_end_of_another_in_the_file(
    before: Events, after: Events, ends: dict[str, int], tmp_path: Path
) -> None:
    """At one time it is inside the other where Perfetto does not sort; v52 shows it so."""
    events = [event("B", 3, "first"), event("B", 6, "later"), event("E", 6, "first")]
    events = [*before, *events, event("E", 8, "later"), *after]
    assert cut(events, tmp_path) == ends
    text = json.dumps({"traceEvents": events}).encode()
    with engine.load([text], source="in", allow_loss=True) as tp:
        rows = dict(engine.rows(tp, "SELECT name, ts + dur FROM slice WHERE name = 'later'"))
    assert rows == {"later": 8_000} | ends


@pytest.mark.parametrize("name", ["inner", None])
def test_the_end_of_a_cut_pair_ends_the_one_around_it(name: str | None, tmp_path: Path) -> None:
    """If it can, by its name or since it has none; of another name it ends nothing."""
    ends = [event("E", 8, "inner"), event("E", 9, "outer")]
    if name is None:
        for it in ends:
            del it["name"]
    begins = [event("B", 1, "outer"), event("B", 5, "inner"), event("X", 5, "x", dur=1)]
    outer = {} if name else {"outer": 8_000}
    assert cut([*begins, *ends], tmp_path) == {"inner": 6_000} | outer


def test_a_trace_without_pairs_has_none(tmp_path: Path) -> None:
    """X events alone nest as they are."""
    assert cut([event("X", 1, "x", dur=2), event("X", 1, "y", dur=1)], tmp_path) == {}


@st.composite
def nested(draw: st.DrawFn) -> Events:
    """Pairs within each other, and slices that start with one of them and end within it."""
    depth = draw(st.integers(1, 4))
    starts = sorted(draw(st.lists(st.integers(0, 9), min_size=depth, max_size=depth)))
    pairs = [(f"p{i}", start, 40 - 5 * i) for i, start in enumerate(starts)]
    made = [event("B", start, name) for name, start, _ in pairs]
    made += [event("E", end, name) for name, _, end in pairs]
    innermost = pairs[-1][1]
    made += [
        event("X", innermost, f"x{i}", dur=dur)
        for i, dur in enumerate(sorted(draw(st.lists(st.integers(0, 20), max_size=3))))
    ]
    return draw(st.permutations(made))


@settings(
    max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(nested())
def test_perfetto_ends_them_there(tmp_path: Path, events: Events) -> None:
    """Durations of the pairs in v52 are as recorded, but for those that are found."""
    found = cut(events, tmp_path)
    begins = {it["name"]: it["ts"] * 1000 for it in events if it["ph"] == "B"}
    ends = {it["name"]: it["ts"] * 1000 for it in events if it["ph"] == "E"} | found
    text = json.dumps({"traceEvents": events}).encode()
    with engine.load([text], source="in", allow_loss=True) as tp:
        shown = dict(engine.rows(tp, "SELECT name, ts + dur FROM slice WHERE name GLOB 'p*'"))
    assert shown == {name: ends[name] for name in begins}


@pytest.mark.parametrize("others", [[], [event("X", 50, "x", dur=1)]])
def test_pairs_that_cross_by_jitter_are_shown_whole(others: Events) -> None:
    """One that ends after the next began is trimmed to before that, whose B event stands first.

    With both in one ns Perfetto puts the second inside the first, and ends it with that.
    """
    crossing = [
        event("B", 1, "a"),
        event("B", 2, "b"),
        event("E", 3, "a"),
        event("E", 4, "b"),
    ]
    found = {name: (ts, dur) for name, _, ts, dur in shown(fixed(text([*crossing, *others])).data)}
    found.pop("x", None)
    assert found == {"a": (1_000, 999), "b": (2_000, 2_000)}


def test_pairs_inside_one_that_is_trimmed_to_a_pair_are_trimmed_with_it() -> None:
    """A pair that ends where the next one begins would cross the one around it by the ns."""
    events = [event("B", 1, "a"), event("B", 2, "inner"), event("E", 4, "inner")]
    events += [event("B", 4, "b"), {**event("E", 5, "a"), "ts": 4.5}, event("E", 9, "b")]
    found = {name: (ts, dur) for name, _, ts, dur in shown(fixed(text(events)).data)}
    assert found == {"a": (1_000, 2_999), "inner": (2_000, 1_999), "b": (4_000, 5_000)}


def test_pairs_in_a_file_that_perfetto_sorts_end_where_the_next_one_begins() -> None:
    """E events come first there."""
    events = [event("X", 9, "x", dur=1), event("B", 1, "a"), event("B", 2, "b")]
    events += [{**event("E", 5, "a"), "ts": 2.5}, event("E", 9, "b")]
    found = {name: (ts, dur) for name, _, ts, dur in shown(fixed(text(events)).data)}
    assert found == {"a": (1_000, 1_000), "b": (2_000, 7_000), "x": (9_000, 1_000)}
