"""`ops`: CPU time of ops, and what they launched."""

from __future__ import annotations

from tests.support.gpu_traces import THREAD, ask, call, copy, op, slice_of, work


def by_name(events: list[dict[str, object]]) -> dict[str, tuple[int, int, int, int, int, int]]:
    """The columns of numbers of each op, by its name."""
    return {
        row["name"]: tuple(v for k, v in row.items() if k not in ("rank", "name", "reason"))
        for row in ask("ops", events)
        if row["name"] is not None
    }


def of_none(events: list[dict[str, object]]) -> list[tuple[str, int, int]]:
    """Reason, number and GPU time of the work of no op."""
    return [
        (row["reason"], row["gpu_events"], row["self_gpu_ns"])
        for row in ask("ops", events)
        if row["name"] is None
    ]


def test_every_column_by_hand() -> None:
    """Linear calls addmm, which launches two kernels; linear copies by itself."""
    events = [
        op("aten::linear", 0, 100),
        op("aten::addmm", 10, 60),
        op("aten::linear", 200, 230),
        call("cudaLaunchKernel", 20, 25, 1),
        call("cudaLaunchKernel", 30, 35, 2),
        call("cudaMemcpyAsync", 70, 75, 3),
        work("gemm", 300, 340, correlation=1),
        work("splitKreduce", 340, 345, correlation=2),
        copy("Memcpy DtoD (Device -> Device)", 345, 352, correlation=3),
    ]
    rows = ask("ops", events)
    assert rows == [
        {
            "rank": None,
            "name": "aten::addmm",
            "calls": 1,
            "total_ns": 50,
            "self_ns": 50,
            "gpu_events": 2,
            "gpu_ns": 45,
            "self_gpu_ns": 45,
            "reason": None,
        },
        {
            "rank": None,
            "name": "aten::linear",
            "calls": 2,
            "total_ns": 130,
            "self_ns": 80,
            "gpu_events": 3,
            "gpu_ns": 52,
            "self_gpu_ns": 7,
            "reason": None,
        },
    ]


def test_python_frames_between_ops_do_not_part_them() -> None:
    """An op lies in the next op around it, whatever else is in between."""
    events = [
        op("outer", 0, 100),
        slice_of("python_function", "frame", (100, THREAD), 10, 90),
        op("inner", 20, 50),
    ]
    assert by_name(events)["outer"][:3] == (1, 100, 70)


def test_an_op_that_calls_itself_counts_its_time_once() -> None:
    """Total time is that of the outermost, self time that of each, GPU time once."""
    events = [
        op("aten::sum", 0, 100),
        op("aten::sum", 10, 60),
        call("cudaLaunchKernel", 20, 25, 1),
        work("reduce", 200, 230, correlation=1),
    ]
    assert by_name(events) == {"aten::sum": (2, 100, 100, 1, 30, 30)}


def test_threads_are_apart() -> None:
    """The backward thread's ops lie in no op of the main thread, though they run meanwhile."""
    events = [
        op("forward", 0, 100),
        op("backward", 10, 90, thread=21),
        call("cudaLaunchKernel", 20, 25, 1, thread=21),
        work("k", 200, 230, correlation=1),
    ]
    assert by_name(events) == {
        "backward": (1, 80, 80, 1, 30, 30),
        "forward": (1, 100, 100, 0, 0, 0),
    }


def test_the_call_beats_the_external_id() -> None:
    """Inside an op the launch call tells; without a call in the trace, the External id does."""
    events = [
        op("a", 0, 100, **{"External id": 1}),
        op("b", 200, 300, **{"External id": 2}),
        call("cudaLaunchKernel", 50, 55, 1),
        work("k", 400, 410, correlation=1, **{"External id": 2}),
        work("k", 420, 425, correlation=9, **{"External id": 2}),
        work("k", 430, 433, correlation=8, **{"External id": 7}),
    ]
    rows = by_name(events)
    assert rows["a"][3:] == (1, 10, 10)
    assert rows["b"][3:] == (1, 5, 5)


def test_a_call_outside_of_all_ops() -> None:
    """A kernel that no op launched, and that names none, is of no op, and a row says so."""
    events = [
        op("a", 0, 10, **{"External id": 1}),
        call("cudaLaunchKernel", 50, 55, 1),
        work("k", 400, 410, correlation=1),
    ]
    assert by_name(events)["a"][3:] == (0, 0, 0)
    assert of_none(events) == [("outside ops", 1, 10)]


def test_work_of_no_op_has_a_row_per_reason() -> None:
    """In the order of GPU time among the ops, so that the column adds up to all GPU work."""
    events = [
        op("a", 0, 10),
        call("cudaLaunchKernel", 5, 6, 1),
        work("of a", 100, 130, correlation=1),
        call("hipGraphLaunch", 20, 30, 2),
        *(work("replayed", ts, ts + 20, correlation=2) for ts in (130, 150)),
        call("cuLaunchKernelEx", 40, 45, 3, cat="cuda_driver"),
        work("triton", 170, 175, correlation=3),
        work("before the profile", 10, 60, correlation=9),
        copy("Memset (Device)", 60, 61),
    ]
    rows = [(r["name"], r["reason"], r["gpu_events"], r["self_gpu_ns"]) for r in ask("ops", events)]
    assert rows == [
        (None, "launch not recorded", 2, 51),
        (None, "graph replay", 2, 40),
        ("a", None, 1, 30),
        (None, "outside ops", 1, 5),
    ]
    assert sum(row[3] for row in rows) == sum(row["total_ns"] for row in ask("kernels", events))


def test_an_op_that_began_after_the_launch_is_not_its_op() -> None:
    """Its External id says so, but the work was launched, or ran, before the op was called."""
    events = [
        op("early", 0, 10, **{"External id": 5}),
        op("late", 100, 110, **{"External id": 6}),
        call("cudaLaunchKernel", 50, 55, 1),
        call("cudaLaunchKernel", 60, 65, 2),
        work("k", 200, 203, correlation=1, **{"External id": 5}),
        work("k", 210, 217, correlation=2, **{"External id": 6}),
        work("k", 90, 94, correlation=8, **{"External id": 6}),
        work("k", 120, 121, correlation=9, **{"External id": 6}),
    ]
    rows = by_name(events)
    assert (rows["early"][5], rows["late"][5]) == (3, 1)
    assert of_none(events) == [("outside ops", 1, 7), ("launch not recorded", 1, 4)]


def test_an_external_id_that_two_processes_have_is_no_proof() -> None:
    """Each counts its ids from 1: a call tells the process; without one, none is told."""
    events = [
        slice_of("cpu_op", "first", (100, THREAD), 0, 10, **{"External id": 1}),
        slice_of("cpu_op", "second", (200, THREAD), 0, 10, **{"External id": 1}),
        slice_of("cpu_op", "alone", (200, THREAD), 20, 30, **{"External id": 2}),
        slice_of("cuda_runtime", "call", (100, THREAD), 40, 45, correlation=3),
        work("either", 50, 57, correlation=1, **{"External id": 1}),
        work("of second", 60, 65, correlation=2, **{"External id": 2}),
        work("of first", 70, 73, correlation=3, **{"External id": 1}),
        work("of none", 80, 81, correlation=3, **{"External id": 2}),
    ]
    rows = by_name(events)
    assert {name: row[5] for name, row in rows.items()} == {"first": 3, "second": 0, "alone": 5}
    assert of_none(events) == [("launch not recorded", 1, 7), ("outside ops", 1, 1)]


def test_equal_ops_lie_in_each_other_in_the_order_of_the_file() -> None:
    """Whole microseconds give a caller and what it calls one start and one end."""
    events = [
        op("z outer", 1_000, 6_000),
        op("a inner", 1_000, 6_000),
        op("m innermost", 1_000, 6_000),
        call("cudaLaunchKernel", 2_000, 3_000, 1),
        work("k", 9_000, 9_500, correlation=1),
    ]
    rows = by_name(events)
    assert rows["z outer"] == (1, 5_000, 0, 1, 500, 0)
    assert rows["a inner"] == (1, 5_000, 0, 1, 500, 0)
    assert rows["m innermost"] == (1, 5_000, 5_000, 1, 500, 500)


def test_an_op_that_outlasts_its_own_kind_counts_the_time_that_is_new() -> None:
    """The total is the time in which one of the calls was open, on each thread."""
    events = [
        op("aten::contiguous", 0, 20_000),
        moved("aten::contiguous", 4_000, 20_700),
        op("aten::contiguous", 5_000, 9_000),
        op("aten::contiguous", 1_000, 8_000, thread=44),
    ]
    assert by_name(events)["aten::contiguous"][:3] == (4, 27_700, 27_700)


def test_all_kernels_of_a_graph_belong_to_the_op_that_launched_it() -> None:
    """One call, many kernels."""
    events = [
        op("a", 0, 100),
        call("cudaGraphLaunch", 50, 55, 1),
        work("k", 400, 410, correlation=1),
        work("k", 410, 430, correlation=1),
    ]
    assert by_name(events)["a"][3:] == (2, 30, 30)


def moved(name: str, ts: int, end: int) -> dict[str, object]:
    """An op that `fix` put on a lane of its thread."""
    return op(name, ts, end, tpt_tid=THREAD) | {"tid": THREAD + 1}


def test_an_op_on_a_lane_is_on_its_thread() -> None:
    """An op that was moved lies in the op that is open on its thread, and others lie in it."""
    events = [op("outer", 0, 50_000), moved("inner", 10_000, 50_600), op("leaf", 20_000, 30_000)]
    rows = by_name(events)
    assert rows["outer"][:3] == (1, 50_000, 10_000)
    assert rows["inner"][:3] == (1, 40_600, 30_600)


def test_an_op_that_starts_as_another_ends_lies_beside_it() -> None:
    """An overlap of at most 1 us at the end of the earlier one is a clock that was read late."""
    events = [
        op("first", 0, 10_000),
        moved("second", 9_500, 20_000),
        op("leaf", 12_000, 13_000),
    ]
    rows = by_name(events)
    assert rows["first"][1:3] == (10_000, 10_000)
    assert rows["second"][1:3] == (10_500, 9_500)


def test_siblings_that_overlap_take_their_time_once() -> None:
    """Time that two child ops share is subtracted from their parent once."""
    events = [op("outer", 0, 50_000), op("first", 1_000, 10_000), moved("second", 9_500, 20_000)]
    assert by_name(events)["outer"][:3] == (1, 50_000, 31_000)


def test_a_short_op_at_the_end_of_another_lies_beside_it() -> None:
    """Where both its start and its end are within 1 us of that end, it came afterwards."""
    rows = by_name([op("first", 0, 10_000), moved("second", 9_500, 10_400)])
    assert (rows["first"][2], rows["second"][2]) == (10_000, 900)


def test_ops_that_really_overlap_lie_beside_each_other() -> None:
    """Neither is within the other, so neither loses time to it."""
    events = [op("first", 0, 10_000), moved("second", 5_000, 20_000)]
    rows = by_name(events)
    assert (rows["first"][2], rows["second"][2]) == (10_000, 15_000)


def test_trimmed_ops_are_as_recorded() -> None:
    """A slice that `fix` trimmed counts with its recorded duration."""
    assert by_name([op("a", 0, 9_500, tpt_recorded_dur=10.001)])["a"][1:3] == (10_001, 10_001)


def test_equal_names_on_two_ranks() -> None:
    """In a merge, each rank's calls are its own."""
    events = [op("a", 0, 10) | {"pid": f"[TP{rank:02d}] 100"} for rank in (0, 1)]
    rows = [(r["rank"], r["name"], r["calls"]) for r in ask("ops", events)]
    assert rows == [(0, "a", 1), (1, "a", 1)]


def test_an_op_of_285_years() -> None:
    """It is shown as it is, around the ops of its thread, and ops of other threads keep theirs."""
    end = 9 * 10**18
    events = [op("broken", 0, end), op("inner", 10, 20)]
    events += [op(f"op{thread}", 10, 20, thread=thread) for thread in (11, 12, 13)]
    found = {row["name"]: (row["total_ns"], row["self_ns"]) for row in ask("ops", events)}
    others = {f"op{thread}": (10, 10) for thread in (11, 12, 13)}
    assert found == {"broken": (end, end - 10), "inner": (10, 10), **others}
