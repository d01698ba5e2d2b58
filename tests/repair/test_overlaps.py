"""The rule of sql/overlaps.sql, which slices move and which are trimmed, on handmade traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from tests.support import overlap_model
from tests.support.handmade import Event, cpu, fixed, kernel, overlap_options, repairs_in, text, x
from tests.support.strategies import LOADING_MANY, MANY, events_of, traces
from tp_tools import engine, library
from tp_tools.errors import VerificationError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.overlap_model import Slice

US = 1000
NOTHING: dict[str, int] = {}


def lanes(*events: Event, tolerance_ns: int = US) -> dict[str, int]:
    """Return the lanes of moved slices; fail if any slice is trimmed."""
    result = fixed(text(events), tolerance_ns)
    assert result.durs() == NOTHING
    return result.lanes()


def durs(*events: Event, tolerance_ns: int = US) -> dict[str, int]:
    """Return the durations of trimmed slices; fail if any slice moves."""
    result = fixed(text(events), tolerance_ns)
    assert result.lanes() == NOTHING
    return result.durs()


def step(name: str, ts: int, end: int, **more: object) -> Event:
    """Make an annotation on stream 7."""
    return x(name, ts, end, cat="gpu_user_annotation") | more


def test_of_a_chain_of_three_the_middle_moves() -> None:
    """Of kernels that each start before the last one ends (PDL), every other one moves."""
    chain = [kernel(f"k{i}", i * 10 * US, i * 10 * US + 12 * US, i) for i in range(5)]
    assert lanes(*chain[:3]) == {"k1": 2}
    assert lanes(*chain) == {"k1": 2, "k3": 2}


def test_one_nanosecond_is_an_overlap_of_kernels() -> None:
    """GPU work that overlaps by 1 ns moves; work that touches does not."""
    assert lanes(kernel("a", 0, 10_001, 1), kernel("b", 10_000, 20_000, 2)) == {"b": 2}
    assert lanes(kernel("a", 0, 10_000, 1), kernel("b", 10_000, 20_000, 2)) == NOTHING


@pytest.mark.parametrize(
    "cat", ["kernel", "gpu_memcpy", "gpu_memset", "Kernel", "Memcpy", "Memset"]
)
def test_gpu_work_is_never_trimmed(cat: str) -> None:
    """GPU work is never trimmed, whatever shape an overlap within the tolerance has."""
    head = x("head", 0, 10_500, cat=cat)
    assert lanes(head, x("tail", 10_000, 20_000, cat=cat)) == {"tail": 2}
    assert lanes(head, cpu("long", 10_000, 30_000, pid=0, tid=7)) == {"long": 2}
    assert durs(head, cpu("hanging", 5_000, 11_000, pid=0, tid=7)) == {"hanging": 5_500}
    assert durs(cpu("head", 0, 10_500, pid=0, tid=7), x("tail", 10_000, 20_000, cat=cat)) == {
        "head": 10_000
    }
    hanging = x("hanging", 5_000, 20_500, cat=cat)
    assert lanes(cpu("host", 0, 20_000, pid=0, tid=7), hanging) == {"hanging": 2}


@pytest.mark.parametrize("cat", ["user_annotation", "gpu_user_annotation"])
def test_between_annotation_and_work_the_annotation_moves(cat: str) -> None:
    """Work stays on its track, whether it or the annotation started first."""
    work = kernel("work", 10 * US, 30 * US, 1)
    assert lanes(step("early", 0, 20 * US, cat=cat), work) == {"early": 2}
    assert lanes(work, step("late", 20 * US, 40 * US, cat=cat)) == {"late": 2}
    both = [step("early", 0, 20 * US, cat=cat), work, step("late", 25 * US, 50 * US, cat=cat)]
    assert lanes(*both) == {"early": 2, "late": 2}


def test_a_profiler_step_is_an_annotation_by_its_name() -> None:
    """ProfilerStep#N counts as an annotation even with the category of operators."""
    profiled = cpu("ProfilerStep#5", 0, 20 * US)
    assert lanes(profiled, cpu("aten::mm", 15 * US, 40 * US)) == {"ProfilerStep#5": 2}
    assert lanes(cpu("Profiler", 0, 20 * US), cpu("b", 15 * US, 40 * US)) == {"b": 2}


def test_of_two_annotations_the_later_moves() -> None:
    """Of two overlapping steps the first stays."""
    steps = [step("ProfilerStep#1", 0, 20 * US), step("ProfilerStep#2", 15 * US, 40 * US)]
    assert lanes(*steps) == {"ProfilerStep#2": 2}


def test_three_at_a_time_take_three_lanes() -> None:
    """Each slice goes to the lowest lane with room, and the fourth stays on lane 1."""
    work = [kernel(f"k{i}", i * 10 * US, i * 10 * US + 25 * US, i) for i in range(4)]
    assert lanes(*work) == {"k1": 2, "k2": 3}


def test_lanes_are_used_again() -> None:
    """A later overlap takes lane 2, not a lane of its own."""
    pairs = [(0, 12), (10, 22), (100, 112), (110, 122)]
    work = [kernel(f"k{i}", a * US, b * US, i) for i, (a, b) in enumerate(pairs)]
    assert lanes(*work) == {"k1": 2, "k3": 2}


def test_slices_nest_on_a_lane() -> None:
    """Two that overlap a third, one inside the other, share lane 2."""
    outer, inner = kernel("outer", 10 * US, 50 * US, 2), kernel("inner", 15 * US, 40 * US, 3)
    assert lanes(kernel("first", 0, 20 * US, 1), outer, inner) == {"outer": 2, "inner": 2}


def test_a_slice_moves_alone() -> None:
    """Slices inside a moved slice stay on the track."""
    spanned = [cpu("child", 25 * US, 30 * US), cpu("grandchild", 26 * US, 27 * US)]
    assert lanes(cpu("first", 0, 20 * US), cpu("moved", 10 * US, 40 * US), *spanned) == {"moved": 2}


def test_the_longest_of_a_start_is_placed_first() -> None:
    """Two that start together overlap the first; both fit on lane 2, nested."""
    work = [kernel("a", 0, 20 * US, 1), kernel("b", 10 * US, 30 * US, 2)]
    assert lanes(*work, kernel("c", 10 * US, 40 * US, 3)) == {"b": 2, "c": 2}


def test_same_start_or_same_end_is_no_overlap() -> None:
    """Nor is a slice of no length at the end of another, or twice the same interval."""
    work = [(0, 30), (0, 20), (10, 20), (20, 20), (25, 30), (25, 30)]
    assert lanes(*(kernel(str(i), a, b, i) for i, (a, b) in enumerate(work))) == NOTHING


def test_tracks_are_independent() -> None:
    """Kernels of two streams, or of one stream number on two GPUs, do not overlap."""
    work = [kernel("a", 0, 20, 1), kernel("b", 10, 30, 2, tid=20), kernel("c", 11, 31, 3, pid=1)]
    assert lanes(*work) == NOTHING


def test_equal_overlaps_get_equal_lanes() -> None:
    """The same overlaps on three tracks get the same lane numbers, on threads of their own."""
    rows = [{"pid": 0, "tid": 7}, {"pid": 0, "tid": 20}, {"pid": 1, "tid": 7}]
    work = [
        kernel(f"{name}{i}", ts * US, ts * US + 12 * US, i, **row)
        for i, row in enumerate(rows)
        for name, ts in (("a", 0), ("b", 10))
    ]
    result = fixed(text(work))
    assert result.lanes() == {"b0": 2, "b1": 2, "b2": 2}
    assert len({(it["pid"], it["tid"]) for it in result.events if it["ph"] == "X"}) == 6


@pytest.mark.parametrize(("tolerance", "least"), [(0, 1), (500, 501), (1000, 1001), (2000, 2001)])
def test_the_tolerance_is_the_most_that_is_jitter(tolerance: int, least: int) -> None:
    """An overlap of exactly the tolerance is trimmed; of 1 ns more, the slice moves."""

    def chain(by: int) -> list[Event]:
        return [cpu("a", 0, 20_000), cpu("b", 20_000 - by, 90_000)]

    def overhang(by: int) -> list[Event]:
        return [cpu("a", 0, 20_000), cpu("b", 5_000, 20_000 + by)]

    assert lanes(*chain(least), tolerance_ns=tolerance) == {"b": 2}
    assert lanes(*overhang(least), tolerance_ns=tolerance) == {"b": 2}
    if tolerance:
        assert durs(*chain(tolerance), tolerance_ns=tolerance) == {"a": 20_000 - tolerance}
        assert durs(*overhang(tolerance), tolerance_ns=tolerance) == {"b": 15_000}


def test_jitter_shortens_the_earlier_one_where_it_can() -> None:
    """If both ends are near, the earlier slice is trimmed to the start of the later one."""
    assert durs(cpu("a", 0, 1_000), cpu("b", 600, 1_700)) == {"a": 600}


def test_slices_nested_in_a_trimmed_tail_are_trimmed_with_it() -> None:
    """A Python stack is trimmed as one; a slice wholly inside the tail keeps its times."""
    stack = [cpu("a", 0, 20_500), cpu("b", 100, 20_400), cpu("c", 19_000, 20_300)]
    inside = cpu("inside", 20_050, 20_200)
    assert durs(*stack, inside, cpu("next", 20_000, 40_000)) == {
        "a": 20_000,
        "b": 19_900,
        "c": 1_000,
    }


def test_a_stack_that_hangs_over_is_trimmed_whole() -> None:
    """All slices of a stack that ends after its parent are trimmed to the parent's end."""
    stack = [cpu("b", 100, 20_400), cpu("c", 18_000, 20_300), cpu("d", 20_100, 20_200)]
    assert durs(cpu("parent", 0, 20_000), *stack) == {"b": 19_900, "c": 2_000}


def test_a_moved_slice_trims_nothing_on_its_track() -> None:
    """A moved slice no longer overlaps on its track; jitter on its lane is trimmed."""
    first, moved = cpu("first", 0, 50_000), cpu("moved", 10_000, 90_000)
    near = cpu("near", 60_000, 90_500)
    result = fixed(text([first, moved, near]))
    assert (result.lanes(), result.durs()) == ({"moved": 2}, NOTHING)
    both = fixed(text([first, moved, cpu("too", 20_000, 90_500)]))
    assert (both.lanes(), both.durs()) == ({"moved": 2, "too": 2}, {"too": 70_000})


DEEP = [cpu("a", 0, 10_000), cpu("b", 1_000, 10_300), cpu("c", 9_800, 10_200)]
"""c nests in b, and a is cut where c starts: only then does b overlap c."""


def test_a_trim_that_lays_an_overlap_bare() -> None:
    """An overlap that only a trim causes is repaired as well."""
    assert durs(*DEEP) == {"a": 9_800, "b": 8_800}


def test_nothing_loses_more_than_the_tolerance() -> None:
    """A slice is not trimmed twice, by 800 ns and 700 ns, if the tolerance is 1 us."""
    events = [cpu("x", 0, 10_000), cpu("y", 8_500, 30_000), cpu("w", 9_200, 15_000)]
    other = [{**event, "name": f"{event['name']}2", "tid": 21} for event in DEEP]
    for together in (events, events + other):
        result = fixed(text(together))
        assert result.lanes() == {"y": 2}
        assert result.durs()["x"] == 9_200


def test_a_finished_track_does_not_change_in_later_rounds() -> None:
    """A track keeps its repairs while another is asked about again."""
    events = [kernel("k1", 0, 12_000, 1), kernel("k2", 10_000, 22_000, 2)]
    result = fixed(text([*events, *DEEP]))
    assert (result.lanes(), result.durs()) == ({"k2": 2}, {"a": 9_800, "b": 8_800})


@LOADING_MANY
@given(traces(MANY), st.sampled_from([0, 500, 1000, 2000]))
def test_the_rule_done_by_hand_agrees(trace: list[list[Slice]], tolerance: int) -> None:
    """Plain loops over all pairs, by the rule in the header of the query, give the same repairs."""
    assert repairs_in(
        text(events_of(trace)), overlap_options(tolerance)
    ) == overlap_model.repairs_of(trace, tolerance)


@LOADING_MANY
@given(traces(MANY))
def test_a_full_load_gives_the_same(trace: list[list[Slice]]) -> None:
    """SQL decides the same from all slices as from those near overlaps."""
    data = text(events_of(trace))
    assert repairs_in(data, overlap_options()) == repairs_in(data, overlap_options(everything=True))


@LOADING_MANY
@given(traces(MANY))
def test_group_by_group_gives_the_same(trace: list[list[Slice]]) -> None:
    """SQL decides the same if it is asked about a few slices at a time."""
    data = text(events_of(trace))
    together = repairs_in(data, overlap_options())
    assert (
        repairs_in(data, replace(overlap_options(), engines=2, min_group=1, max_group=3))
        == together
    )


@LOADING_MANY
@given(traces(MANY), st.randoms(use_true_random=False))
def test_the_order_of_the_file_does_not_matter(trace: list[list[Slice]], random: object) -> None:
    """Shuffled events get the same repairs."""
    events = events_of(trace)
    found = repairs_in(text(events), overlap_options())
    random.shuffle(events)  # type: ignore[attr-defined]
    assert repairs_in(text(events), overlap_options()) == found


def test_sql_alone_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    """If sql/overlaps.sql gives no rows, nothing is repaired, and that is an error."""
    read = library.read

    def without_rows(path: Path) -> str:
        return (
            read(path)
            .replace("FROM tpt_overlap_repair AS p\n", "FROM tpt_none AS p\n")
            .replace(
                "SELECT\n  -- id",
                "CREATE PERFETTO VIEW tpt_none AS SELECT * FROM tpt_overlap_repair WHERE FALSE;\n"
                "SELECT\n  -- id",
            )
        )

    monkeypatch.setattr(library, "read", without_rows)
    with pytest.raises(VerificationError, match="overlaps are left"):
        fixed(text([kernel("k1", 0, 12, 1), kernel("k2", 10, 22, 2)]))


def test_a_trace_without_overlaps_starts_no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """If no slices overlap, no TraceProcessor is started."""
    monkeypatch.setattr(engine, "load", None)
    assert lanes(kernel("k1", 0, 10, 1), kernel("k2", 10, 22, 2)) == NOTHING
