"""`step_samples`: what each step spent its time on, by level and name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given

from tests.support.gpu_strategies import gpu_events
from tests.support.gpu_traces import Event, Row, answer, ask, call, copy, note, work
from tests.support.handmade import text
from tests.support.strategies import LOADING
from tp_tools.engine import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.support.recorded import LoadedRecording

NCCL = "ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)"


def sums(rows: Iterable[Row], level: str) -> dict[tuple[int | None, str], tuple[int, int]]:
    """Count and total by step and name."""
    return {
        (row["number"], row["name"]): (row["count"], row["total_ns"])
        for row in rows
        if row["level"] == level
    }


def test_two_steps_by_hand() -> None:
    """Each level by hand; the second window begins where the last work of the first step ends.

    ns:       0   50   80  90  120      200  210  220 230 240
    step 1        a====     nccl===
    step 2                                   b====   copy==
    """
    events = [
        note("ProfilerStep#1", 0, 100),
        note("ProfilerStep#2", 100, 205),
        call("cudaLaunchKernel", 10, 15, 1),
        call("cudaLaunchKernel", 20, 25, 2),
        call("cudaLaunchKernel", 190, 200, 3),
        call("cudaMemcpyAsync", 201, 204, 4),
        work("a", 50, 80, correlation=1),
        work(NCCL, 90, 120, correlation=2, stream=8),
        work("b", 210, 220, correlation=3),
        copy("Memcpy DtoD (Device -> Device)", 230, 240, correlation=4),
    ]
    rows = ask("step_samples", events)
    assert sums(rows, "kernel") == {
        (1, "a"): (1, 30),
        (1, NCCL): (1, 30),
        (2, "b"): (1, 10),
        (2, "Memcpy DtoD (Device -> Device)"): (1, 10),
    }
    assert sums(rows, "collective") == {(1, "all_reduce"): (1, 30)}
    assert sums(rows, "gap") == {
        (1, "dependency"): (1, 10),
        (2, "cpu"): (1, 90),
        (2, "dependency"): (1, 10),
    }
    times = {key: ns for key, (_, ns) in sums(rows, "time").items() if ns}
    assert times == {
        (1, "cpu_step"): 100,
        (1, "step"): 70,
        (1, "compute"): 30,
        (1, "communication"): 30,
        (1, "dependency"): 10,
        (2, "cpu_step"): 105,
        (2, "step"): 120,
        (2, "compute"): 10,
        (2, "copy"): 10,
        (2, "cpu"): 70 + 10,  # before the launch call, and in it
        (2, "dependency"): 10 + 10,  # from its return to the start, and before the copy
    }


def test_a_rank_without_steps_is_one_sample() -> None:
    """It has no number, and no reason."""
    rows = ask("step_samples", [work("a", 0, 10), work("a", 20, 40)])
    assert {(row["number"], row["reason"]) for row in rows} == {(None, None)}
    assert sums(rows, "kernel") == {(None, "a"): (2, 30)}
    assert sums(rows, "time")[None, "step"] == (1, 40)


def test_work_of_no_step_has_a_reason() -> None:
    """It is no part of a sample."""
    events = [
        note("ProfilerStep#1", 100, 200),
        call("cudaLaunchKernel", 10, 15, 1),
        call("cudaLaunchKernel", 110, 115, 2),
        work("a", 20, 30, correlation=1),
        work("a", 120, 130, correlation=2),
    ]
    kernels = [row for row in ask("step_samples", events) if row["level"] == "kernel"]
    assert {(row["number"], row["reason"]) for row in kernels} == {
        (1, None),
        (None, "outside steps"),
    }


def test_steps_select() -> None:
    """`--set steps` leaves the rows of these steps."""
    events = [
        note("ProfilerStep#1", 0, 100),
        note("ProfilerStep#2", 100, 200),
        work("a", 10, 20),
        work("a", 110, 130),
    ]
    assert {row["number"] for row in ask("step_samples", events, {"steps": "2"})} == {2}


@LOADING
@given(gpu_events())
def test_kernels_are_those_of_the_trace(events: list[Event]) -> None:
    """Kernels add up to all GPU work, the parts of windows to the windows, gaps to idle time."""
    with load([text(events)], source="trace.json", allow_loss=True) as tp:
        _check(answer("step_samples", tp), answer("kernels", tp), answer("idle", tp))


def test_recorded_traces(
    real_trace: Callable[[str], Path], loaded_recording: LoadedRecording
) -> None:
    """The same on recorded ones."""
    for name in ("h100_qwen15_chat", "train128_rank0", "nccl_args_rank0"):
        path = real_trace(f"{name}.json.gz")
        _check(*(loaded_recording.rows(path, it) for it in ("step_samples", "kernels", "idle")))


def _check(samples: list[Row], kernels: list[Row], idle: list[Row]) -> None:
    """Compare the sums of samples with those of other queries."""

    def total(level: str, *names: str) -> int:
        return sum(
            row["total_ns"]
            for row in samples
            if row["level"] == level and (not names or row["name"] in names)
        )

    assert total("kernel") == sum(row["total_ns"] for row in kernels)
    assert total("gap") == sum(row["idle_ns"] for row in idle)
    assert total("time", *PARTS) == total("time", "step")


PARTS = (
    "compute",
    "communication",
    "waiting",
    "copy",
    "cpu",
    "sync",
    "dependency",
    "unknown",
)
