"""`verdict`: what bounds each step, in parts that add up to it."""

from __future__ import annotations

from typing import Any

from hypothesis import given

from tests.support.gpu_strategies import gpu_events
from tests.support.gpu_traces import Event, Row, answer, ask, call, copy, note, op, slice_of, work
from tests.support.handmade import text
from tests.support.rank_traces import Slice, custom, foreign
from tests.support.rank_traces import work as rank_work
from tests.support.strategies import LOADING
from tp_tools.engine import load

NCCL = "ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)"
PARTS = (
    "compute_ns",
    "communication_ns",
    "waiting_ns",
    "copy_ns",
    "cpu_ns",
    "sync_ns",
    "dependency_ns",
    "unknown_ns",
)


def check_sums(rows: list[Row]) -> None:
    """Parts add up to each window, and windows to the row of the whole device."""
    whole = {(row["rank"], row["device"]): row for row in rows if row["part"] == "all"}
    windows = [row for row in rows if row["part"] != "all"]
    for row in rows:
        assert sum(row[part] for part in PARTS) == row["dur"]
        assert min(row[part] for part in PARTS) >= 0
    for column in (*PARTS, "dur"):
        for key, row in whole.items():
            own = [it[column] for it in windows if (it["rank"], it["device"]) == key]
            assert not own or sum(own) == row[column]


def test_every_column_by_hand() -> None:
    """Two steps: the second waits for the CPU, for a synchronisation and in its launch call.

    100      150  180 190 200      230              300   310
    | gemm    |copy|   | all-reduce | nothing runs   | gemm |
    """
    events = [
        note("ProfilerStep#1", 0, 210),
        note("ProfilerStep#2", 210, 400),
        call("cudaLaunchKernel", 10, 20, 1),
        call("cudaMemcpyAsync", 30, 40, 2),
        call("cudaLaunchKernel", 50, 60, 3),
        call("cudaStreamSynchronize", 215, 240, 9),
        call("cudaLaunchKernel", 260, 290, 4),
        work("gemm", 100, 150, correlation=1),
        copy("Memcpy DtoD (Device -> Device)", 150, 180, correlation=2),
        work(NCCL, 190, 230, correlation=3),
        work("gemm", 300, 310, correlation=4),
    ]
    whole, first, second = ask("verdict", events)
    check_sums([whole, first, second])
    assert first == {
        "rank": None,
        "device": 0,
        "part": "step",
        "number": 1,
        "step": "ProfilerStep#1",
        "ts": 100,
        "dur": 130,
        "verdict": "GPU-bound",
        # gemm, and 10 ns in which the all-reduce did not begin
        "gpu_percent": 46.154,
        "communication_percent": 30.769,
        "waiting_percent": None,
        "copy_percent": 23.077,
        "cpu_percent": 0,
        "compute_ns": 50,
        "communication_ns": 40,
        "waiting_ns": 0,
        "copy_ns": 30,
        "cpu_ns": 0,
        "sync_ns": 0,
        "dependency_ns": 10,
        "unknown_ns": 0,
        "profiler": None,
    }
    assert second == {
        **first,
        "number": 2,
        "step": "ProfilerStep#2",
        "ts": 230,
        "dur": 80,
        "verdict": "CPU-bound",
        "gpu_percent": 25,
        "communication_percent": 0,
        "copy_percent": 0,
        "cpu_percent": 75,
        "compute_ns": 10,
        "communication_ns": 0,
        "copy_ns": 0,
        # 20 ns until the launch call, 30 ns in it
        "cpu_ns": 50,
        "sync_ns": 10,
        # from its return to the start
        "dependency_ns": 10,
    }
    assert (whole["part"], whole["step"], whole["ts"], whole["dur"]) == ("all", None, 100, 210)
    assert whole["verdict"] == "GPU-bound"


def test_work_before_and_after_the_steps() -> None:
    """It has windows of its own, and what ran of no step within steps is in theirs."""
    events = [
        note("ProfilerStep#1", 100, 200),
        call("cudaLaunchKernel", 110, 115, 1),
        call("cudaLaunchKernel", 150, 155, 2),
        work("early", 0, 50),
        work("k", 120, 130, correlation=1),
        work("stray", 130, 140),
        work("k", 160, 170, correlation=2),
        work("late", 180, 190),
    ]
    rows = ask("verdict", events)
    check_sums(rows)
    assert [(row["part"], row["ts"], row["dur"]) for row in rows] == [
        ("all", 0, 190),
        ("before the first step", 0, 120),
        ("step", 120, 50),
        ("after the last step", 170, 20),
    ]
    assert [row["verdict"] for row in rows] == ["GPU-bound", "CPU-bound", "GPU-bound", None]


def test_a_trace_without_steps_has_one_row() -> None:
    """And no verdict where nothing is known of most of its time."""
    (row,) = ask("verdict", [work("k", 0, 10), work("k", 90, 100)])
    assert (row["part"], row["dur"], row["unknown_ns"], row["verdict"]) == ("all", 100, 80, None)


def test_options_of_the_profiler_are_said() -> None:
    """Python functions, types of inputs and allocations show that it slowed the CPU."""
    base: list[Event] = [work("k", 0, 10)]
    memory = {"ph": "i", "cat": "cpu_instant_event", "name": "[memory]", "s": "t", "pid": 100}
    signs: list[Event] = [
        slice_of("python_function", "a.py(1): f", (100, 20), 0, 10),
        op("aten::mm", 1, 2, **{"Input type": ["float"]}),
        {**memory, "tid": 20, "ts": 0.001, "args": {"Bytes": 1}},
    ]

    def said(events: list[Event]) -> Any:  # noqa: ANN401  text or NULL
        (row,) = ask("verdict", events)
        return row["profiler"]

    assert said(base) is None
    assert said([*base, op("aten::mm", 1, 2)]) is None
    assert said([*base, signs[1]]) == "record_shapes"
    assert said(base + signs) == "with_stack, record_shapes, profile_memory"


def test_waiting_for_a_rank() -> None:
    """The rank that comes first waits; compute beside the collective hides the wait.

    Rank 0 arrives at 20 us and rank 1 at 80 us; on rank 0 a gemm runs from 60 to 70 us.
    """
    slices = [
        rank_work(0, 0, 20),
        custom(0, 20, 100),
        Slice(0, "gemm", 60, 70, row=9),
        rank_work(1, 0, 80),
        custom(1, 80, 100),
    ]
    rows = ask("verdict", foreign(slices))
    check_sums(rows)
    columns = ("rank", "verdict", "compute_ns", "communication_ns", "waiting_ns")
    assert [tuple(row[it] for it in columns) for row in rows] == [
        (0, "waiting for a rank", 30_000, 20_000, 50_000),
        (1, "GPU-bound", 80_000, 20_000, 0),
    ]
    assert [row["waiting_percent"] for row in rows] == [50, 0]


@LOADING
@given(gpu_events())
def test_made_windows_add_up(made: list[Event]) -> None:
    """In whichever relation steps and work stand."""
    with load([text(made)], source="trace.json", allow_loss=True) as tp:
        rows, devices = answer("verdict", tp), answer("gpu_time", tp)
    check_sums(rows)
    spans = [row["dur"] for row in rows if row["part"] == "all"]
    assert spans == [row["span_ns"] for row in devices]
