"""The plan: flows follow their slices, lanes get names, times and ids stay readable."""

from __future__ import annotations

import msgspec
import pytest

from tests.support.handmade import (
    US,
    Event,
    arrow,
    arrows,
    cpu,
    fixed,
    kernel,
    loaded,
    mark,
    text,
    trace_of,
    x,
)
from tp_tools.errors import EngineError, InputError
from tp_tools.repair import planner
from tp_tools.trace.plan import Repair

DAY_US = 86_400 * 10**6
EXACT_US = 1 << 42

EARLY, LATE = kernel("early", 0, 12 * US, 1), kernel("late", 10 * US, 22 * US, 2)
"""Two kernels that overlap: the late one moves."""


def named(key: str, value: str | int, **ids: object) -> Event:
    """Make a metadata event such as thread_name, of stream 7 of GPU 0."""
    inner = "sort_index" if key.endswith("sort_index") else "name"
    return {"ph": "M", "name": key, "pid": 0, "tid": 7, "args": {inner: value}, **ids}


def launched(*work: Event) -> list[Event]:
    """Make a launch on the CPU for each kernel, and a flow from launch to kernel."""
    events = []
    for number, it in enumerate(work):
        launch = cpu(f"launch {it['name']}", number * US, number * US + 500, cat="cuda_runtime")
        launch["args"] = it["args"]
        events += [launch, it, *arrow(it["args"]["correlation"], launch, it)]
    return events


def ends(data: bytes) -> set[tuple[str, str]]:
    """Return the names of the two slices of each flow in Perfetto."""
    with loaded(data) as tp:
        return set(arrows(tp))


def test_arrows_follow_a_moved_kernel() -> None:
    """Each flow ends at the kernel of its launch; only the flow of the moved kernel changes."""
    result = fixed(text(launched(EARLY, LATE)))
    assert ends(result.data) == {("launch early", "early"), ("launch late", "late")}
    tids = {it["id"]: it["tid"] for it in result.events if it["ph"] == "f"}
    assert tids == {1: 7, 2: result.named("late")["tid"]}
    assert {it["tid"] for it in result.events if it["ph"] == "s"} == {20}


def test_arrows_start_at_a_moved_launch() -> None:
    """A flow that starts at a moved CPU slice starts on its lane."""
    work = kernel("k", 50 * US, 60 * US, 5)
    launch = cpu("launch", 10 * US, 30 * US, cat="cuda_runtime", args={"correlation": 5})
    result = fixed(text([cpu("first", 0, 20 * US), launch, work, *arrow(5, launch, work)]))
    assert result.lanes() == {"launch": 2}
    assert ends(result.data) == {("launch", "k")}


def test_a_kernel_and_an_annotation_that_start_together() -> None:
    """A flow follows the kernel, whichever of the two moves."""
    note = x("note", 10 * US, 50 * US, cat="gpu_user_annotation")
    moved_kernel = fixed(text([*launched(EARLY, LATE), note]))
    assert moved_kernel.lanes()["late"] == 2
    assert ends(moved_kernel.data) == {("launch early", "early"), ("launch late", "late")}
    after = kernel("after", 30 * US, 60 * US, 3)
    crossing = x("note", 10 * US, 40 * US, cat="gpu_user_annotation")
    alone = kernel("alone", 10 * US, 22 * US, 2)
    moved_note = fixed(text([*launched(alone, after), crossing]))
    assert moved_note.lanes() == {"note": 2}
    assert ends(moved_note.data) == {("launch alone", "alone"), ("launch after", "after")}


def test_an_arrow_follows_its_correlation_before_the_shortest() -> None:
    """A shorter slice that starts with a kernel, and stays, does not get the kernel's flow."""
    short = x("short", 10 * US, 11 * US, cat="gpu_user_annotation")
    result = fixed(text([*launched(EARLY, LATE), short]))
    assert result.lanes() == {"late": 2}
    assert ends(result.data) == {("launch early", "early"), ("launch late", "late")}


def test_an_arrow_without_a_correlation_follows_the_shortest() -> None:
    """A flow without a correlation follows the innermost slice that starts with it."""
    outer, inner = cpu("outer", 10 * US, 30 * US), cpu("inner", 10 * US, 15 * US)
    target = cpu("target", 50 * US, 60 * US)
    flow = arrow(9, outer, target, cat="fwdbwd")
    result = fixed(text([cpu("first", 0, 12 * US), outer, inner, target, *flow]))
    assert result.lanes() == {"outer": 2, "inner": 2}
    assert ends(result.data) == {("inner", "target")}


def test_an_arrow_inside_a_moved_slice() -> None:
    """A flow event in the middle of slices belongs to the innermost open slice."""
    moved, target = cpu("moved", 10 * US, 40 * US), cpu("target", 50 * US, 60 * US)
    flow = arrow(9, cpu("", 30 * US, 31 * US), target, cat="fwdbwd")
    around = [cpu("frame", 0, 100 * US), cpu("first", 0, 20 * US)]
    result = fixed(text([*around, moved, target, *flow]))
    assert result.lanes() == {"moved": 2}
    assert ends(result.data) == {("moved", "target")}


def test_arrows_of_what_stays_stay() -> None:
    """Flows of other slices, of the same and of other tracks, are not changed."""
    spanned = kernel("spanned", 13 * US, 14 * US, 3)
    elsewhere = kernel("elsewhere", 10 * US, 22 * US, 4, tid=8)
    events = launched(EARLY, LATE, spanned, elsewhere)
    result = fixed(text(events))
    assert ends(result.data) == {
        (f"launch {it}", it) for it in ("early", "late", "spanned", "elsewhere")
    }
    changed = [it for it in result.events if it["ph"] == "f" and it["tid"] not in (7, 8)]
    assert [it["id"] for it in changed] == [2]


def test_both_ends_of_an_arrow_can_move() -> None:
    """A flow from one moved slice to another keeps both ends."""
    one, other = cpu("one", 10 * US, 30 * US), cpu("other", 60 * US, 80 * US)
    events = [cpu("a", 0, 20 * US), one, cpu("b", 50 * US, 70 * US), other]
    result = fixed(text([*events, *arrow(9, one, other, cat="fwdbwd")]))
    assert result.lanes() == {"one": 2, "other": 2}
    assert ends(result.data) == {("one", "other")}


def test_lanes_are_rows_beside_their_stream() -> None:
    """Lanes are named after their stream, sorted with it, and have tids of their own."""
    third = kernel("third", 11 * US, 23 * US, 3)
    rows = [named("thread_name", "stream 7 "), named("thread_sort_index", 7)]
    taken = [kernel("other", 0, 5, 4, tid=8), named("thread_name", "stream 8", tid=8)]
    result = fixed(text([*rows, *taken, EARLY, LATE, third]))
    assert result.lanes() == {"late": 2, "third": 3}
    assert result.thread_names() == {
        (0, 7): "stream 7 ",
        (0, 8): "stream 8",
        (0, 9): "stream 7 (2)",
        (0, 10): "stream 7 (3)",
    }
    sorted_by = {
        it["tid"]: it["args"]["sort_index"]
        for it in result.events
        if it["name"] == "thread_sort_index"
    }
    assert sorted_by == {7: 7, 9: 7, 10: 7}
    assert (result.named("late")["tid"], result.named("third")["tid"]) == (9, 10)


def test_a_lane_avoids_the_main_thread() -> None:
    """No lane gets a tid equal to its pid, since Perfetto shows that thread first."""
    events = [{**it, "pid": 8} for it in (EARLY, LATE)]
    assert fixed(text(events)).named("late")["tid"] == 9


def test_a_lane_avoids_tids_of_metadata() -> None:
    """No lane gets a tid that only metadata uses."""
    assert fixed(text([named("thread_name", "idle", tid=8), EARLY, LATE])).named("late")["tid"] == 9


def test_two_processes_may_use_one_tid() -> None:
    """Lanes of two GPUs may have the same tid under different pids."""
    events = [
        {**it, "pid": gpu, "name": f"{it['name']}{gpu}"} for gpu in (0, 1) for it in (EARLY, LATE)
    ]
    result = fixed(text(events))
    found = {
        (result.named(f"late{gpu}")["pid"], result.named(f"late{gpu}")["tid"]) for gpu in (0, 1)
    }
    assert found == {(0, 8), (1, 8)}


@pytest.mark.parametrize(
    ("cat", "row", "lane"),
    [("kernel", "stream 7", "stream 7 (2)"), ("cpu_op", "thread 7", "thread 7 (2)")],
)
def test_a_row_without_a_name_gets_one(cat: str, row: str, lane: str) -> None:
    """A track without a name gets one, so that its lane's name tells where it belongs."""
    result = fixed(text([{**EARLY, "cat": cat}, {**LATE, "cat": cat}]))
    assert result.thread_names() == {(0, 7): row, (0, 8): lane}


def test_a_lane_of_a_text_id() -> None:
    """Tracks with text ids get numbers, and their lanes are named after the text."""
    result = fixed(text([{**it, "pid": "Spans", "tid": "PyTorch"} for it in (EARLY, LATE)]))
    early, late = result.named("early"), result.named("late")
    assert all(isinstance(it[key], int) for it in (early, late) for key in ("pid", "tid"))
    assert result.thread_names() == {
        (early["pid"], early["tid"]): "PyTorch",
        (late["pid"], late["tid"]): "PyTorch (2)",
    }
    assert late["args"]["tpt_tid"] == early["tid"] != late["tid"]


@pytest.mark.parametrize(("pid", "tid"), [(-1, 7), (3, 0), (-1, 0), ("a", 0), (2, -5)])
def test_arrows_follow_where_ids_change_too(pid: object, tid: object) -> None:
    """Moved slices of tracks with misread ids keep their flows."""
    work = [{**it, "pid": pid, "tid": tid} for it in (EARLY, LATE)]
    result = fixed(text(launched(*work)))
    assert ends(result.data) == {("launch early", "early"), ("launch late", "late")}
    assert result.named("late")["args"]["tpt_tid"] == result.named("early")["tid"]


def test_stream_0_moves_beside_others() -> None:
    """Stream 0, which Perfetto takes for the main thread, and its lane get tids of their own."""
    work = [{**it, "pid": 2, "tid": 0} for it in (EARLY, LATE)]
    neighbour = kernel("neighbour", 0, 99, 3, pid=2, tid=2)
    result = fixed(text([*work, neighbour]))
    tids = [result.named(name)["tid"] for name in ("early", "late", "neighbour")]
    assert len(set(tids)) == 3
    assert 0 not in tids
    assert tids[2] == 2


def test_a_moved_pair_moves_whole() -> None:
    """Both events of a moved B/E pair change thread, and flow events follow."""
    pair = [mark("B", 10 * US, name="pair"), mark("E", 40 * US, name="pair")]
    target = cpu("target", 50 * US, 60 * US)
    flow = arrow(9, cpu("", 10 * US, 20 * US), target, cat="fwdbwd")
    result = fixed(text([cpu("first", 0, 20 * US), *pair, target, *flow]))
    moved = [it for it in result.events if it["ph"] in "BE"]
    assert [it["tid"] for it in moved] == [21, 21]
    assert moved[0]["args"] == {"tpt_tid": 20, "tpt_lane": 2}
    assert "args" not in moved[1]
    assert ends(result.data) == {("pair", "target")}


def test_a_trimmed_pair_ends_earlier() -> None:
    """The E event of a trimmed pair gets an earlier time; the B event notes the old duration."""
    pair = [mark("B", 0, name="pair"), mark("E", 20_400, name="pair")]
    result = fixed(text([*pair, cpu("next", 20_000, 50_000)]))
    opening, closing = (it for it in result.events if it["ph"] in "BE")
    assert (opening["ts"], closing["ts"]) == (0, 20_000)
    assert float(opening["args"]["tpt_recorded_dur"]) == 20.4
    assert "args" not in closing


def base_of(events: list[Event], **top: object) -> tuple[int, object]:
    """Return the ns subtracted from all times, and the base time in the result."""
    result = fixed(text(events, **top))
    return result.analysis.plan.rebase_ns, result.top.get("baseTimeNanoseconds")


def late_kernel(ts: str) -> Event:
    """Make a kernel whose ts is this text."""
    return {**EARLY, "ts": msgspec.Raw(ts.encode())}


def test_times_that_a_double_holds_stay() -> None:
    """Decimals below 2^42 us, and whole microseconds of any size, are not rebased."""
    assert base_of([late_kernel(f"{EXACT_US - 1}.999")]) == (0, None)
    assert base_of([late_kernel("1712188800123456")]) == (0, None)
    assert base_of([late_kernel(f"{EXACT_US - 1}.999")], baseTimeNanoseconds=5) == (0, 5)


@pytest.mark.parametrize("ts", [f"{EXACT_US}.001", "1712188800123456.789", '"1712188800123456.5"'])
def test_inexact_times_are_rebased_by_whole_days(ts: str) -> None:
    """Inexact times shrink by whole days, and the base time grows by as much."""
    shift, base = base_of([late_kernel(ts)], baseTimeNanoseconds=1_700_000_000_000_000_000)
    assert shift > 0
    assert shift % (86_400 * 10**9) == 0
    assert base == 1_700_000_000_000_000_000 + shift
    assert base_of([late_kernel(ts)]) == (shift, shift)


def test_negative_times_are_rebased() -> None:
    """Negative times, which Perfetto drops, are rebased."""
    result = fixed(
        text([late_kernel("-3.500"), kernel("k", 5 * US, 6 * US, 2)], baseTimeNanoseconds=0)
    )
    times = [it["ts"] for it in result.events]
    assert times == [86_400 * 10**9 - 3_500, 86_400 * 10**9 + 5_000]
    assert result.top["baseTimeNanoseconds"] == -86_400 * 10**9


@pytest.mark.parametrize("days", [40_000, -2])
def test_an_event_at_midnight_is_rebased_to_the_day_after(days: int) -> None:
    """At 0, with all others days later, it would read as one whose time was never filled in."""
    events = [late_kernel(f"{days * DAY_US}"), late_kernel(f"{(days + 3) * DAY_US}.001")]
    result = fixed(text(events))
    assert [it["ts"] for it in result.events] == [86_400 * 10**9, 4 * 86_400 * 10**9 + 1]
    assert fixed(result.data).data == result.data


def test_metadata_of_time_0_stays() -> None:
    """Metadata at time 0 is not rebased when all other times count from the epoch."""
    stamped = {**named("thread_name", "stream 7"), "ts": 0}
    result = fixed(text([stamped, late_kernel("1712188800123456.789")]))
    assert result.events[0]["ts"] == 0
    assert result.events[1]["ts"] < 86_400 * 10**9


def test_times_too_far_apart_are_an_error() -> None:
    """Times that cannot be made exact are an error that asks whether one is wrong."""
    with pytest.raises(InputError, match=r"span 19817 days.*Is the time of some event wrong"):
        fixed(text([late_kernel("0.5"), late_kernel("1712188800123456.789")]))


def test_a_pair_trimmed_between_whole_microseconds() -> None:
    """A trimmed pair at epoch times is rebased only if its new end needs decimals."""
    epoch = 1_712_188_800_000_000 * US

    def times(*events: Event) -> bytes:
        return text({**it, "ts": int(it["ts"]) + epoch // US} for it in events)

    def whole(event: Event, **more: object) -> Event:
        return {**event, "ts": round(float(bytes(event["ts"]))), **more}

    pair = [whole(mark("B", 0, name="pair")), whole(mark("E", 21 * US, name="pair"))]
    start = whole(cpu("next", 20 * US, 50 * US), dur=30)
    kept = fixed(times(*pair, start))
    assert kept.analysis.plan.rebase_ns == 0
    assert kept.events[1]["ts"] == epoch + 20 * US
    assert fixed(kept.data).data == kept.data
    parent = whole(cpu("parent", 0, 20_500), name="parent", dur=20.5)
    inner = [whole(mark("B", 10 * US, name="pair")), whole(mark("E", 21 * US, name="pair"))]
    shifted = fixed(times(parent, *inner))
    assert shifted.analysis.plan.rebase_ns > 0
    assert shifted.events[2]["ts"] - shifted.events[0]["ts"] == 20_500
    assert fixed(shifted.data).data == shifted.data


def test_a_slice_without_a_duration_gets_none() -> None:
    """An X whose dur is no number is written as 0 ns long, with the recorded value in its args."""
    result = fixed(text([{**EARLY, "dur": None}, {**LATE, "dur": -5}]))
    assert [it["dur"] for it in result.events] == [0, 0]
    assert [it["args"]["tpt_recorded_dur"] for it in result.events] == [None, -5]


def test_an_event_without_a_time_is_left_out() -> None:
    """Events without a time are left out, except metadata, which needs none."""
    untimed = [{**EARLY, "ts": None}, {key: LATE[key] for key in LATE if key != "ts"}]
    result = fixed(text([untimed[0], named("thread_name", "stream 7"), untimed[1], EARLY]))
    assert [it["name"] for it in result.events] == ["thread_name", "early"]
    assert result.analysis.plan.untimed == [0, 2]


def test_a_plan_that_changes_nothing_is_empty() -> None:
    """A plan without edits is empty, and each kind of edit makes it not empty."""

    def empty(*events: Event) -> bool:
        return fixed(text(events)).analysis.plan.is_empty()

    assert empty(EARLY, kernel("k", 12 * US, 20 * US, 2))
    assert not empty(EARLY, LATE)
    assert not empty(cpu("a", 0, 20_500), cpu("b", 20_000, 40_000))
    assert not empty({**EARLY, "dur": None})
    assert not empty({**EARLY, "ts": None})
    assert not empty(late_kernel("1712188800123456.789"))
    assert not empty({**EARLY, "pid": "a"})


def test_rows_of_sql_become_repairs() -> None:
    """Columns are read by name, and ends are counted from the recorded start."""
    trace = trace_of(text([x("a", 0, 5), x("b", 400, 500), x("c", 0, 9), x("d", 860, 900)]))
    columns = ("repaired_dur", "event", "dur", "lane")
    found = planner.repairs_of(columns, [(90, 1, 100, 1), (40, 3, 40, 3)], trace)
    assert found == [Repair(1, 1, 490), Repair(3, 3, 900)]
    assert [it.kind for it in found] == ["jitter", "concurrent"]


def test_a_row_that_leads_to_no_event_is_an_error() -> None:
    """A row without an event number, as of another query, is an error."""
    with pytest.raises(EngineError, match="without the number"):
        planner.repairs_of(
            ("event", "dur", "repaired_dur", "lane"), [(None, 1, 1, 2)], trace_of(text([EARLY]))
        )
