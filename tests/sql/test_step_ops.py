"""`step_ops` and `step_modules`: samples of steps on the CPU, and by module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.gpu_traces import ask, call, note, op, slice_of, work

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.recorded import LoadedRecording


def test_self_time_by_hand() -> None:
    """An op counts without those that it called, in the step in which it began, on any thread."""
    events = [
        note("ProfilerStep#1", 0, 100),
        note("ProfilerStep#2", 100, 200),
        op("linear", 10, 50),
        op("addmm", 20, 40),
        op("backward", 90, 130, thread=21),
        op("addmm", 150, 160),
        op("late", 210, 220),
    ]
    rows = ask("step_ops", events)
    assert [(r["number"], r["name"], r["count"], r["total_ns"], r["reason"]) for r in rows] == [
        (None, "late", 1, 10, "outside steps"),
        (1, "backward", 1, 40, None),
        (1, "addmm", 1, 20, None),
        (1, "linear", 1, 20, None),
        (2, "addmm", 1, 10, None),
    ]


def test_ops_without_steps() -> None:
    """They are one sample, without a reason."""
    (row,) = ask("step_ops", [op("addmm", 0, 10)])
    assert (row["number"], row["reason"], row["total_ns"]) == (None, None, 10)


def test_modules_by_hand() -> None:
    """Work of a module counts to the innermost one; work of none is named by the reason."""

    def module(name: str, ts: int, end: int) -> dict[str, object]:
        return slice_of("python_function", f"nn.Module: {name}", (100, 20), ts, end)

    events = [
        note("ProfilerStep#1", 0, 100),
        module("Net_0", 5, 60),
        module("Linear_0", 10, 30),
        call("cudaLaunchKernel", 15, 16, 1),
        call("cudaLaunchKernel", 40, 41, 2),
        call("cudaLaunchKernel", 70, 71, 3),
        work("a", 20, 30, correlation=1),
        work("b", 45, 50, correlation=2),
        work("c", 75, 77, correlation=3),
    ]
    rows = ask("step_modules", events)
    assert [(r["number"], r["name"], r["count"], r["total_ns"]) for r in rows] == [
        (1, "Net_0 > Linear_0", 1, 10),
        (1, "Net_0", 1, 5),
        (1, "outside modules", 1, 2),
    ]


def test_recorded_modules_add_up(
    real_trace: Callable[[str], Path], loaded_recording: LoadedRecording
) -> None:
    """They are all GPU work."""
    path = real_trace("mi300_xdit_sd35_rank0.cut3000.json.gz")
    found, kernels = (loaded_recording.rows(path, it) for it in ("step_modules", "kernels"))
    assert sum(row["total_ns"] for row in found) == sum(row["total_ns"] for row in kernels)
