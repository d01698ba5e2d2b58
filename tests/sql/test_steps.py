"""`steps`: CPU and GPU time of each step."""

from __future__ import annotations

from tests.support.gpu_traces import ask, call, copy, note, work

NCCL = "ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)"


def test_every_column_by_hand() -> None:
    """Work belongs to the step that launched it, though the GPU is a step behind."""
    events = [
        note("ProfilerStep#1", 0, 100),
        note("ProfilerStep#2", 100, 200),
        call("cudaLaunchKernel", 10, 15, 1),
        call("cudaLaunchKernel", 20, 25, 2, thread=21),
        call("cudaMemcpyAsync", 30, 35, 3),
        call("cudaLaunchKernel", 110, 115, 4),
        work("a", 50, 80, correlation=1),
        work(NCCL, 70, 120, correlation=2, stream=8),
        copy("Memcpy DtoD (Device -> Device)", 130, 140, correlation=3),
        work("b", 125, 135, correlation=4, stream=9),
    ]
    first, second = ask("steps", events)
    assert first == {
        "rank": None,
        "name": "ProfilerStep#1",
        "ts": 0,
        "dur": 100,
        "device": 0,
        "gpu_ts": 50,
        "gpu_dur": 90,
        "busy_ns": 80,
        "idle_ns": 10,
        "kernels": 2,
        "collectives": 1,
        "copies": 1,
    }
    assert (second["gpu_ts"], second["gpu_dur"], second["kernels"]) == (125, 10, 1)


def test_a_step_without_work_has_a_row() -> None:
    """A step that only ran on the CPU shows that it used no device."""
    (row,) = ask("steps", [note("ProfilerStep#1", 0, 100)])
    assert (row["device"], row["gpu_ts"], row["gpu_dur"], row["idle_ns"]) == (None,) * 4
    assert (row["busy_ns"], row["kernels"], row["copies"]) == (0, 0, 0)


def test_a_step_on_two_devices_has_two_rows() -> None:
    """Each device has its own span."""
    events = [
        note("ProfilerStep#1", 0, 100),
        work("a", 10, 20),
        work("b", 30, 50, device=1),
    ]
    rows = [(r["device"], r["gpu_ts"], r["gpu_dur"]) for r in ask("steps", events)]
    assert rows == [(0, 10, 10), (1, 30, 20)]


def test_other_annotations_are_no_steps_where_there_are_profiler_steps() -> None:
    """Neither what is inside, nor what is outside, nor the GPU's copy of the step."""
    events = [
        note("ProfilerStep#1", 10, 100),
        note("## forward ##", 20, 50),
        note("warm up", 0, 9),
        work("ProfilerStep#1", 30, 90, cat="gpu_user_annotation"),
    ]
    assert [row["name"] for row in ask("steps", events)] == ["ProfilerStep#1"]


def test_without_profiler_steps_the_outermost_annotations() -> None:
    """What inference engines write; collectives, and annotations inside another, are no steps."""
    events = [
        note("execute_1", 0, 100),
        note("## Call CompiledFxGraph", 10, 90),
        note("execute_2", 100, 200),
        note("nccl:all_reduce", 300, 310, thread=21),
        call("cudaLaunchKernel", 50, 55, 1),
        work("a", 150, 160, correlation=1),
    ]
    rows = [(r["name"], r["kernels"]) for r in ask("steps", events)]
    assert rows == [("execute_1", 1), ("execute_2", 0)]


def test_without_the_cpu_the_annotations_of_the_gpu() -> None:
    """One annotation on two streams is one step; work belongs to the step in which it started."""
    events = [
        work("step", 0, 50, cat="gpu_user_annotation"),
        work("inner", 10, 20, cat="gpu_user_annotation"),
        work("step", 30, 70, cat="gpu_user_annotation", stream=8),
        work("a", 0, 40),
        work("b", 60, 70, stream=8),
        work("outside", 80, 90),
    ]
    (row,) = ask("steps", events)
    assert (row["name"], row["ts"], row["dur"]) == ("step", 0, 70)
    assert (row["kernels"], row["busy_ns"], row["idle_ns"]) == (2, 50, 20)


def test_work_whose_launch_is_not_in_the_trace() -> None:
    """It belongs to the step in which it started; outside of all steps, to none."""
    events = [
        note("ProfilerStep#1", 0, 100),
        work("a", 10, 20, correlation=5),
        work("b", 100, 110, correlation=6),
    ]
    (row,) = ask("steps", events)
    assert (row["kernels"], row["gpu_dur"]) == (1, 10)


def test_a_trimmed_step_is_as_recorded() -> None:
    """A step that `fix` cut where the next one starts keeps its recorded duration here."""
    events = [
        note("ProfilerStep#1", 0, 99_500, tpt_recorded_dur=100.001),
        note("ProfilerStep#2", 99_500, 150_000),
    ]
    rows = [(r["name"], r["dur"]) for r in ask("steps", events)]
    assert rows == [("ProfilerStep#1", 100_001), ("ProfilerStep#2", 50_500)]
