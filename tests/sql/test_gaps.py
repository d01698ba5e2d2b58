"""`gaps`: idle time, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import PROCESS, THREAD, ask, call, copy, note, op, slice_of, work

if TYPE_CHECKING:
    from tests.support.gpu_traces import Event

PARTS = ("wait_ns", "cpu_ns", "launch_call_ns", "dependency_ns", "front_end_ns", "unknown_ns")
FIRST = [call("cudaLaunchKernel", 0, 5, 1), work("a", 10, 100, correlation=1)]


def gap(*events: Event) -> dict[str, object]:
    """The only gap after `FIRST`, with these events."""
    (row,) = ask("gaps", [*FIRST, *events])
    return row


def parts(row: dict[str, object]) -> tuple[object, ...]:
    """Waiting, other work of the CPU, launch call, dependency, front end, unknown."""
    return tuple(row[name] for name in PARTS)


def frame(name: str, ts: int, end: int) -> Event:
    """A Python function on the launching thread."""
    return slice_of("python_function", name, (PROCESS, THREAD), ts, end)


def test_every_column_by_hand() -> None:
    """The GPU ran dry at 100; the CPU waited to 103, launched from 118 to 130, and 10 ns passed."""
    row = gap(
        op("aten::mul", 104, 132),
        call("cudaStreamSynchronize", 50, 103, 9),
        call("cudaLaunchKernel", 118, 130, 2),
        work("b", 140, 150, correlation=2, stream=8),
    )
    assert row == {
        "rank": None,
        "device": 0,
        "ts": 100,
        "dur": 40,
        "why": "cpu",
        "wait_ns": 3,
        "waited_in": "cudaStreamSynchronize",
        "cpu_ns": 15,
        "cpu_op": "aten::mul",
        "python_line": None,
        "launch_call_ns": 12,
        "dependency_ns": 0,
        "front_end_ns": 10,
        "unknown_ns": 0,
        "at_step_boundary": 0,
        "before": "a",
        "after": "b",
        "before_stream": 7,
        "after_stream": 8,
        "launch_ts": 118,
        "launch_name": "cudaLaunchKernel",
    }


def test_dependency() -> None:
    """Its call had returned before the gap began: it waited for something else."""
    row = gap(call("cudaLaunchKernel", 20, 25, 2), work("b", 140, 150, correlation=2))
    assert row["why"] == "dependency"


def test_a_call_that_returned_as_the_gap_began_was_in_time() -> None:
    """At the very ns it is a dependency still."""
    row = gap(call("cudaLaunchKernel", 95, 100, 2), work("b", 140, 150, correlation=2))
    assert row["why"] == "dependency"


def test_a_call_that_was_under_way_is_late() -> None:
    """A call that began before the gap and had not returned by then kept the GPU waiting."""
    row = gap(call("cudaLaunchKernel", 95, 130, 2), work("b", 125, 150, correlation=2))
    assert (row["why"], *parts(row)) == ("launch", 0, 0, 25, 0, 0, 0)


def test_within_a_graph_it_is_a_dependency() -> None:
    """Kernels of the graph that was already running need no launch, however long its call took."""
    events = [
        call("cudaGraphLaunch", 0, 500, 2),
        work("a", 10, 100, correlation=2),
        work("b", 140, 150, correlation=2),
    ]
    (row,) = ask("gaps", events)
    assert row["why"] == "dependency"


@pytest.mark.parametrize(
    "name",
    [
        "cudaStreamSynchronize",
        "hipDeviceSynchronize",
        "cuEventSynchronize",
        "cudaMalloc",
        "cudaFree",
        "hipHostMalloc",
        "cudaHostAlloc",
        "cuMemCreate",
        "cudaMemcpy",
        "hipMemcpyWithStream",
        "cuModuleLoadData",
        "cudaGraphInstantiate",
    ],
)
def test_calls_that_hold_the_thread(name: str) -> None:
    """The thread that launched next was in such a call for most of the gap, which is named."""
    row = gap(
        call(name, 50, 130, 9),
        call("cudaLaunchKernel", 132, 135, 2),
        work("b", 136, 150, correlation=2),
    )
    assert (row["why"], row["waited_in"]) == ("sync", name)
    assert parts(row) == (30, 2, 3, 0, 1, 0)


def test_a_wait_counts_as_long_as_it_lasted() -> None:
    """It was over after 5 of 1,010 ns: the rest is the CPU's."""
    row = gap(
        call("cudaStreamSynchronize", 20, 105, 9),
        call("cudaLaunchKernel", 1100, 1105, 2),
        work("b", 1110, 1150, correlation=2),
    )
    assert (row["why"], row["waited_in"]) == ("cpu", "cudaStreamSynchronize")
    assert parts(row) == (5, 995, 5, 0, 5, 0)


def test_several_waits_in_one_gap_count_once_and_the_longest_is_named() -> None:
    """Nested and separate: 100 to 110, 120 to 150 with another one within, 160 to 170."""
    row = gap(
        call("cudaEventSynchronize", 90, 110, 9),
        call("cudaStreamSynchronize", 120, 150, 10),
        call("cuStreamSynchronize", 122, 149, 11, cat="cuda_driver"),
        call("cudaEventSynchronize", 160, 170, 12),
        call("cudaLaunchKernel", 180, 185, 2),
        work("b", 190, 200, correlation=2),
    )
    assert parts(row) == (50, 30, 5, 0, 5, 0)
    assert row["waited_in"] == "cudaStreamSynchronize"


def test_waits_of_one_gap_are_none_of_another() -> None:
    """Two gaps, each with a wait of its own."""
    events = [
        *FIRST,
        call("cudaStreamSynchronize", 105, 115, 8),
        call("cudaLaunchKernel", 120, 125, 2),
        work("b", 130, 200, correlation=2),
        call("cudaMalloc", 190, 240, 9),
        call("cudaLaunchKernel", 250, 255, 3),
        work("c", 260, 270, correlation=3),
    ]
    found = {row["ts"]: (row["waited_in"], *parts(row)) for row in ask("gaps", events)}
    assert found == {
        100: ("cudaStreamSynchronize", 10, 10, 5, 0, 5, 0),
        200: ("cudaMalloc", 40, 10, 5, 0, 5, 0),
    }


def test_waits_that_are_over_or_elsewhere_hold_nothing_up() -> None:
    """A wait that ended before the gap, and one of another thread."""
    row = gap(
        call("cudaStreamSynchronize", 50, 90, 8),
        call("cudaStreamSynchronize", 50, 200, 9, thread=21),
        call("cudaLaunchKernel", 120, 130, 2),
        work("b", 140, 150, correlation=2),
    )
    assert (row["why"], row["waited_in"]) == ("cpu", None)
    assert parts(row) == (0, 20, 10, 0, 10, 0)


def test_time_after_a_late_call_is_the_front_ends() -> None:
    """The call returned 6 ns into a gap of 900: the GPU, not the CPU, took the rest."""
    row = gap(call("cudaGraphLaunch", 101, 106, 2), work("b", 1000, 1050, correlation=2))
    assert (row["why"], *parts(row)) == ("front end", 0, 1, 5, 0, 894, 0)


def test_a_blocking_copy_is_a_wait() -> None:
    """A copy whose call returned only after the copy had kept its thread waiting."""
    events = [
        *FIRST,
        call("cudaMemcpyAsync", 20, 125, 2),
        copy("Memcpy DtoH (Device -> Pageable)", 100, 120, correlation=2),
        call("cudaLaunchKernel", 126, 127, 3),
        work("b", 128, 150, correlation=3),
    ]
    (row,) = ask("gaps", events)
    assert (row["ts"], row["why"], row["waited_in"]) == (120, "sync", "cudaMemcpyAsync")
    assert parts(row) == (5, 1, 1, 0, 1, 0)


def test_the_op_and_the_python_line() -> None:
    """Of those that fill at least half of the CPU's time the innermost; built-ins have no line."""
    row = gap(
        frame("train.py(12): main", 0, 900),
        frame("model.py(40): forward", 90, 700),
        op("outer", 101, 695),
        op("inner", 300, 600),
        frame("<built-in method mul>", 310, 590),
        op("short", 320, 330),
        call("cudaLaunchKernel", 690, 692, 2),
        work("b", 710, 750, correlation=2),
    )
    assert (row["cpu_op"], row["python_line"]) == ("inner", "model.py(40): forward")


def test_an_op_that_fills_less_than_half_is_not_named() -> None:
    """Short ops one after the other: none is what the CPU did."""
    row = gap(
        *(op(f"op{i}", 100 + 10 * i, 109 + 10 * i) for i in range(10)),
        call("cudaLaunchKernel", 205, 206, 2),
        work("b", 210, 220, correlation=2),
    )
    assert (row["cpu_ns"], row["cpu_op"]) == (105, None)


def test_a_blocking_copy_counts_as_launched_when_its_call_began() -> None:
    """Its call was open all the time because the copy had to wait, not the other way round."""
    row = gap(
        call("cudaMemcpyAsync", 20, 160, 2),
        copy("Memcpy DtoH (Device -> Pageable)", 140, 150, correlation=2),
    )
    assert row["why"] == "dependency"


def test_a_step_boundary_is_no_cause() -> None:
    """The work before belongs to one step, the work after to the next: said beside the cause."""
    row = gap(
        note("ProfilerStep#1", 0, 110),
        note("ProfilerStep#2", 110, 300),
        call("cudaDeviceSynchronize", 50, 105, 9),
        call("cudaLaunchKernel", 120, 130, 2),
        work("b", 140, 150, correlation=2),
    )
    assert (row["why"], row["at_step_boundary"]) == ("cpu", 1)
    assert parts(row) == (5, 15, 10, 0, 10, 0)


def test_between_steps_that_were_launched_ahead_it_is_a_dependency() -> None:
    """A CPU that is a step ahead does not make the GPU wait at the end of a step."""
    row = gap(
        note("ProfilerStep#1", 0, 10),
        note("ProfilerStep#2", 10, 300),
        call("cudaLaunchKernel", 20, 30, 2),
        work("b", 140, 150, correlation=2),
    )
    assert row["why"] == "dependency"


def test_without_the_call_the_cause_is_unknown() -> None:
    """Work that was launched before the profile began gives no cause."""
    row = gap(work("b", 140, 150, correlation=77))
    assert (row["why"], row["launch_ts"], row["launch_name"]) == (None, None, None)
    assert parts(row) == (0, 0, 0, 0, 0, 40)


def test_only_times_without_any_work_are_gaps() -> None:
    """Another stream or an overlapping kernel fills what looks like a gap; longest come first."""
    events = [
        work("a", 0, 10),
        work("long", 5, 30, stream=8),
        work("a", 20, 40),
        work("a", 41, 50),
        work("zero", 60, 60),
        copy("Memset (Device)", 70, 75),
        work("ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)", 75, 80),
        work("a", 110, 115),
    ]
    rows = [(r["ts"], r["dur"], r["before"], r["after"]) for r in ask("gaps", events)]
    assert rows == [
        (80, 30, "ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)", "a"),
        (50, 10, "a", "zero"),
        (60, 10, "zero", "Memset (Device)"),
        (40, 1, "a", "a"),
    ]


def test_several_that_end_or_start_together_are_one_gap() -> None:
    """A gap has one row; of several kernels the one on the lowest stream is named."""
    events = [
        work("x", 0, 10, stream=9),
        work("y", 0, 10, stream=8),
        work("z", 20, 30, stream=9),
        work("w", 20, 30, stream=7),
    ]
    rows = [(r["before"], r["after"], r["after_stream"]) for r in ask("gaps", events)]
    assert rows == [("y", "w", 7)]


def test_each_device_has_its_gaps() -> None:
    """Work of one device ends no gap of another."""
    events = [work("a", 0, 10), work("b", 12, 14, device=1), work("a", 20, 30)]
    assert [(r["device"], r["ts"], r["dur"]) for r in ask("gaps", events)] == [(0, 10, 10)]
