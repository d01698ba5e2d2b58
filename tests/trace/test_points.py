"""Slices of 0 ns of B and E events are shown as recorded, or counted where they cannot be."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.handmade import Event, cpu, fixed, mark, shown, source_of, text, trace_of
from tests.support.perfetto_content import both
from tests.support.strategies import LOADING
from tp_tools.cli.fix_summary import lines
from tp_tools.repair.summary import summary
from tp_tools.repair.verify_json import verify
from tp_tools.trace.pairs import pairs

if TYPE_CHECKING:
    from pathlib import Path

US = 1000
OTHER = cpu("x", 0, 500, tid=99)
"""A slice of another thread, after which Perfetto sorts events of one time."""


def marks(*given: tuple[str, int, str], **last: object) -> list[Event]:
    """B and E events of one thread: (phase, us, name); an E event is given without a name."""
    events = [mark(ph, at * US, **({"name": name} if ph == "B" else {})) for ph, at, name in given]
    return [*events[:-1], {**events[-1], **last}]


POINT = [("B", 5, "point"), ("E", 5, "")]
CALLS = marks(("B", 1, "outer"), *POINT, ("B", 6, "inner"), ("E", 8, ""), ("E", 9, ""))
"""A call of 8 us, and in it one of 0 us and one of 2 us."""


def calls_in(data: bytes) -> list[tuple[str, int, int]]:
    """(name, start, duration), us, of the calls that TraceProcessor shows, by start."""
    found = [(ts // US, -dur, name) for name, tid, ts, dur in shown(data) if tid != 99]
    return [(name, ts, -dur // US) for ts, dur, name in sorted(found)]


def test_perfetto_takes_the_end_first(tmp_path: Path) -> None:
    """Perfetto ends the outer call at the call of 0 us; in the result each has its own times."""
    data = text([OTHER, *CALLS])
    assert calls_in(data) == [("outer", 1, 4), ("point", 5, 4), ("inner", 6, 2)]
    result = fixed(data)
    assert calls_in(result.data) == [("outer", 1, 8), ("point", 5, 0), ("inner", 6, 2)]
    (out := tmp_path / "out.json").write_bytes(result.data)
    verify(out, "out.json", result.analysis, None)
    numbers = summary(result.analysis)
    assert numbers["repairs"] == {"points": 1}
    assert any("whose E Perfetto takes first" in line for line in lines(result.analysis, numbers))
    assert fixed(result.data).data == result.data


@pytest.mark.parametrize(
    "events",
    [
        CALLS,
        [*CALLS, cpu("x", 20 * US, 21 * US, tid=99)],
        [OTHER, *marks(("B", 1, "a"), ("E", 5, ""), ("B", 5, "b"), ("E", 7, ""))],
        [OTHER, *marks(("B", 5, "a"), ("E", 7, "")), mark("E", 5 * US, tid=21)],
        [OTHER, cpu("point", 5 * US, 5 * US)],
    ],
    ids=["no X event", "before the X event", "one after the other", "another thread", "an X event"],
)
def test_what_perfetto_reads_in_order_stays(events: list[Event]) -> None:
    """A call of 0 us is changed only where Perfetto sorts, and one that follows another never."""
    result = fixed(text(events))
    assert not result.analysis.trace.points
    assert result.data == text(events)
    assert "swapped" not in summary(result.analysis)


@pytest.mark.parametrize(
    "events",
    [
        [OTHER, *marks(("B", 1, "outer"), *POINT, args={"k": 1}), *marks(("E", 9, ""))],
        [OTHER, *CALLS, *marks(("B", 3, "late"), ("E", 4, ""))],
    ],
    ids=["args", "out of order"],
)
def test_what_cannot_be_told_is_said(events: list[Event]) -> None:
    """An E event with args, and a thread out of order, stay as recorded, and are counted."""
    result = fixed(text(events))
    assert not result.analysis.trace.points
    numbers = summary(result.analysis)
    assert numbers["swapped"] == 1
    said = [line for line in lines(result.analysis, numbers) if "takes the E first" in line]
    assert [line.split(" of 0 ns")[0] for line in said] == ["1 slice"]


def test_pairs_of_either_order() -> None:
    """By Perfetto's order an E event ends the outer call; by the file's, that of its own time."""
    events = [OTHER, *marks(("B", 1, "outer"), *POINT, args={"k": 1}), *marks(("E", 9, ""))]
    trace = trace_of(text(events))
    by_perfetto = dict(zip(*(column.tolist() for column in pairs(trace)), strict=True))
    by_file = dict(zip(*(column.tolist() for column in pairs(trace, 1 << 62)), strict=True))
    assert by_perfetto == {1: 3, 2: 4}
    assert by_file == {1: 4, 2: 3}


@st.composite
def call_trees(draw: st.DrawFn) -> list[Event]:
    """Calls in calls on two threads, of whole microseconds, many of 0."""
    events = [OTHER]

    def call(tid: int, at: int, depth: int) -> int:
        events.append(mark("B", at * US, tid=tid, name=f"call {len(events)}"))
        for _ in range(draw(st.integers(0, 2)) if depth < 3 else 0):
            at = call(tid, at + draw(st.integers(0, 1)), depth + 1)
        at += draw(st.integers(0, 1))
        events.append(mark("E", at * US, tid=tid))
        return at

    for tid in (20, 21):
        call(tid, call(tid, draw(st.integers(1, 3)), 0), 0)
    return events


@LOADING
@given(call_trees())
def test_calls_have_their_own_times(
    tmp_path_factory: pytest.TempPathFactory, events: list[Event]
) -> None:
    """Whatever calls of whole microseconds hold, each is shown with its own start and end."""
    expected, stacks = Counter[tuple[str, int, int]](), {20: [], 21: []}
    for event in events[1:]:
        stack, at = stacks[event["tid"]], round(float(bytes(event["ts"])) * US)
        if event["ph"] == "B":
            stack.append((event["name"], at))
        else:
            name, start = stack.pop()
            expected[name, start, at - start] += 1
    source = source_of(text(events), tmp_path_factory.mktemp("calls"))
    for content in both(source):
        found = Counter(
            (name, ts, dur) for (ts, dur, name, *_), _, tid in content.slices if tid != 99
        )
        assert found == expected
