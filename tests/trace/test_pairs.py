"""B and E events are paired as Perfetto pairs them; pairs that it misreads are counted."""

from __future__ import annotations

import pytest

from tests.support.handmade import Event, cpu, fixed, mark, shown, text, trace_of
from tp_tools.cli.fix_summary import lines
from tp_tools.repair.summary import summary
from tp_tools.trace.pairs import count_swapped, pairs

US = 1000
OTHER = cpu("x", 0, 500, tid=99)
"""A slice of another thread, after which Perfetto sorts events of one time."""


def marks(*given: tuple[str, int, str]) -> list[Event]:
    """B and E events of one thread: (phase, us, name); an E event is given without a name."""
    return [mark(ph, at * US, **({"name": name} if ph == "B" else {})) for ph, at, name in given]


CALLS = marks(
    ("B", 1, "outer"),
    ("B", 5, "point"),
    ("E", 5, ""),
    ("B", 6, "inner"),
    ("E", 8, ""),
    ("E", 9, ""),
)
"""A call of 8 us, and in it one of 0 us and one of 2 us."""


def test_perfetto_takes_the_end_first() -> None:
    """With an X event the end of the call of 0 us ends the outer call, and the count says so."""
    swapped = text([OTHER, *CALLS])
    assert sorted(it for it in shown(swapped) if it[1] != 99) == [
        ("inner", 20, 6 * US, 2 * US),
        ("outer", 20, 1 * US, 4 * US),
        ("point", 20, 5 * US, 4 * US),
    ]
    assert count_swapped(trace_of(swapped)) == 1
    result = fixed(swapped)
    numbers = summary(result.analysis)
    assert numbers["swapped"] == 1
    said = [line for line in lines(result.analysis, numbers) if "takes the E first" in line]
    assert [line.split(" of 0 ns")[0] for line in said] == ["1 slice"]


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
def test_what_perfetto_reads_in_order_is_not_counted(events: list[Event]) -> None:
    """A call of 0 us is counted only where Perfetto sorts, and one that follows another never."""
    trace = trace_of(text(events))
    assert count_swapped(trace) == 0
    assert "swapped" not in summary(fixed(text(events)).analysis)


def test_pairs_of_either_order() -> None:
    """By Perfetto's order the E event of 5 us ends the outer call; by the file's, its own."""
    trace = trace_of(text([OTHER, *CALLS]))
    by_perfetto = dict(zip(*(column.tolist() for column in pairs(trace)), strict=True))
    by_file = dict(zip(*(column.tolist() for column in pairs(trace, 1 << 62)), strict=True))
    assert by_perfetto == {1: 3, 2: 6, 4: 5}
    assert by_file == {1: 6, 2: 3, 4: 5}
