"""`--set steps=...`: what queries say of some steps adds up to what they say of all."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import PROCESS, THREAD, answer, ask, call, note, op, slice_of, work
from tests.support.rank_traces import Slice, foreign, reduction, told
from tests.support.rank_traces import ask as ask_ranks
from tp_tools import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NCCL = "ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)"

TWO_STEPS = [
    note("ProfilerStep#1", 0, 100),
    note("ProfilerStep#2", 100, 200),
    op("aten::mm", 10, 30),
    op("aten::mm", 110, 130),
    call("cudaLaunchKernel", 12, 14, 1),
    call("cudaLaunchKernel", 112, 114, 2),
    call("cudaLaunchKernel", 140, 142, 3),
    work("gemm", 20, 60, correlation=1),
    work("gemm", 130, 150, correlation=2),
    work(NCCL, 145, 165, stream=8, correlation=3),
]
"""The window of step 2 begins at 60, where the work of step 1 ends."""


@pytest.mark.parametrize(
    ("name", "columns", "first", "second"),
    [
        ("gpu_time", "ts span_ns busy_ns compute_ns", (20, 40, 40, 40), (60, 105, 35, 20)),
        ("comm_overlap", "collectives communication_ns hidden_ns", (0, 0, 0), (1, 20, 5)),
        ("streams", "stream events busy_ns overlap_ns", (7, 1, 40, 0), (7, 1, 20, 5)),
        ("idle", "cause idle_ns", None, ("cpu", 52)),
        ("ops", "name calls self_gpu_ns", ("aten::mm", 1, 40), ("aten::mm", 1, 20)),
    ],
)
def test_by_hand(
    name: str, columns: str, first: tuple[object, ...] | None, second: tuple[object, ...]
) -> None:
    """The first row of each step."""
    for number, right in ((1, first), (2, second)):
        rows = ask(name, TWO_STEPS, {"steps": number})
        found = [tuple(row[column] for column in columns.split()) for row in rows]
        assert found[:1] == ([] if right is None else [right])


def test_work_of_no_op_is_that_of_its_step() -> None:
    """What was launched outside of ops in another step is not there."""
    assert [row["reason"] for row in ask("ops", TWO_STEPS, {"steps": 1})] == [None]
    assert [row["reason"] for row in ask("ops", TWO_STEPS, {"steps": 2})] == [None, "outside ops"]


def test_lines_of_some_steps() -> None:
    """A function that began before the steps has the work of the step, and no call of it."""
    thread = (PROCESS, THREAD)
    events = [
        *TWO_STEPS,
        slice_of("python_function", "train.py(1): main", thread, 0, 200),
        slice_of("python_function", "train.py(9): step", thread, 5, 50),
        slice_of("python_function", "train.py(9): step", thread, 105, 150),
    ]

    def lines(**values: int) -> dict[str, tuple[int, int, int]]:
        columns = ("calls", "gpu_ns", "self_gpu_ns")
        rows = ask("python_lines", events, values)
        return {row["python_line"].split()[1]: tuple(row[it] for it in columns) for row in rows}

    assert lines() == {"main": (1, 80, 0), "step": (2, 80, 80)}
    assert lines(steps=1) == {"main": (1, 40, 0), "step": (1, 40, 40)}
    assert lines(steps=2) == {"main": (0, 40, 0), "step": (1, 40, 40)}


SUMS = {
    "ops": "calls self_ns self_gpu_ns",
    "modules": "calls cpu_ns self_gpu_ns",
    "module_ops": "calls gpu_events gpu_ns",
    "python_lines": "gpu_events self_gpu_ns",
    "streams": "events total_ns busy_ns",
    "gpu_time": "span_ns busy_ns communication_ns idle_ns",
    "comm_overlap": "collectives communication_ns exposed_ns",
    "idle": "idle_ns gaps",
    "roofline": "gpu_ns gpu_events",
    "pipeline": "dur",
}


def test_steps_add_up(real_trace: Callable[[str], Path]) -> None:
    """On a trace whose steps hold all of its work."""
    with open_trace(real_trace("nccl_args_rank0.json.gz")) as tp:
        for name, columns in SUMS.items():
            parts = [row for number in (4, 5, 6) for row in answer(name, tp, {"steps": number})]
            whole = answer(name, tp)
            for column in columns.split():
                assert sum(row[column] for row in parts) == sum(row[column] for row in whole)


def test_iterations_of_some_steps(real_trace: Callable[[str], Path]) -> None:
    """Each is of the step in which it began, and work of none of the step that launched it."""
    events = [
        note("ProfilerStep#1", 0, 100),
        note("ProfilerStep#2", 100, 200),
        note("execute_context_2(512)_generation_0(0)", 10, 90),
        note("execute_context_0(0)_generation_8(8)", 110, 190),
        call("cudaLaunchKernel", 20, 25, 1),
        call("cudaLaunchKernel", 95, 96, 2),
        call("cudaLaunchKernel", 120, 125, 3),
        work("gemm", 30, 130, correlation=1),
        work("sample", 130, 140, correlation=2),
        work("gemm", 140, 150, correlation=3),
    ]

    def of(number: int) -> list[tuple[object, ...]]:
        rows = ask("phases", events, {"steps": number})
        return [(row["phase"], row["reason"], row["gpu_dur"], row["kernels"]) for row in rows]

    assert of(1) == [("prefill", None, 100, 1), (None, "outside iterations", 10, 1)]
    assert of(2) == [("decode", None, 10, 1)]
    assert of(3) == []
    with open_trace(real_trace("b200_vllm_tp8_rank0.json.gz")) as tp:
        steps = [row["number"] for row in answer("steps", tp) if row["number"] is not None]
        parts = [row for number in steps for row in answer("phases", tp, {"steps": number})]
        whole = [row for row in answer("phases", tp) if row["reason"] is None]
        assert sum(it["kernels"] for it in parts) >= sum(it["kernels"] for it in whole) > 0


def test_stragglers_of_some_steps() -> None:
    """Rank 1 is late in step 1, rank 0 in step 2."""
    late = {1: 1, 2: 0}
    slices = []
    for number, last in late.items():
        at = 1000 * number
        for rank in (0, 1):
            start = at + (40 if rank == last else 10)
            launch = Slice(rank, "cudaLaunchKernel", at + 5, at + 6, "cuda_runtime", 61_001)
            step = Slice(rank, f"ProfilerStep#{number}", at, at + 900, "user_annotation", 61_001)
            key = {"correlation": number}
            slices += [
                step,
                Slice(launch.rank, launch.name, launch.ts, launch.end, launch.cat, 61_001, key),
                reduction(rank, start, at + 60, {**told(), **key}),
            ]
    for number, last in late.items():
        rows = ask_ranks("stragglers", foreign(slices), {"steps": number})
        assert [(row["rank"], row["times_last"]) for row in rows] == [(last, 1), (1 - last, 0)]
