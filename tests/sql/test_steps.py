"""`steps`: CPU and GPU time of each step."""

from __future__ import annotations

import pytest

from tests.support.gpu_traces import (
    PROCESS,
    THREAD,
    Event,
    Row,
    ask,
    call,
    copy,
    note,
    op,
    slice_of,
    work,
)

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
        "number": 1,
        "name": "ProfilerStep#1",
        "rule": "ProfilerStep",
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
        "reason": None,
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
    """Annotations of inference engines are steps; collectives and nested annotations are not."""
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
    row, none = ask("steps", events)
    assert (row["name"], row["ts"], row["dur"]) == ("step", 0, 70)
    assert (row["kernels"], row["busy_ns"], row["idle_ns"]) == (2, 50, 20)
    assert (none["name"], none["kernels"], none["reason"]) == (None, 1, "outside steps")


def named(events: list[Event]) -> list[tuple[str, int, int]]:
    """Name, start and number of kernels of each step."""
    return [(r["name"], r["ts"], r["kernels"]) for r in ask("steps", events) if r["name"]]


def of_none(events: list[Event]) -> list[Row]:
    """The rows of work of no step."""
    return [row for row in ask("steps", events) if row["name"] is None]


def test_work_of_a_trace_without_launches() -> None:
    """It belongs to the step in which it started; outside of all steps, to none."""
    events = [
        note("ProfilerStep#1", 0, 100),
        work("a", 10, 20, correlation=5),
        work("b", 100, 110, correlation=6),
    ]
    row, none = ask("steps", events)
    assert (row["kernels"], row["gpu_dur"]) == (1, 10)
    assert (none["kernels"], none["gpu_ts"], none["reason"]) == (1, 100, "outside steps")


def test_work_without_a_recorded_launch_is_of_no_step() -> None:
    """In a trace with launches it was launched before the profile began, whenever it ran."""
    events = [
        note("ProfilerStep#7", 0, 1_000),
        call("hipLaunchKernel", 700, 710, 3),
        work("old", 100, 400, correlation=1),
        copy("Memcpy DtoD (Device -> Device)", 500, 600, correlation=2),
        work("new", 800, 850, correlation=3),
        call("hipLaunchKernel", 1_100, 1_110, 4),
        work("after", 1_200, 1_203, correlation=4),
    ]
    assert named(events) == [("ProfilerStep#7", 0, 1)]
    told = [
        (r["reason"], r["ts"], r["dur"], r["gpu_ts"], r["gpu_dur"], r["busy_ns"], r["copies"])
        for r in of_none(events)
    ]
    assert told == [
        ("launch not recorded", None, None, 100, 500, 400, 1),
        ("outside steps", None, None, 1_200, 3, 3, 0),
    ]


def test_annotations_of_two_threads_do_not_nest() -> None:
    """A step is outermost on its thread; another thread's annotation around it changes nothing."""
    events = [
        note("serve", 0, 1_000, thread=30),
        note("execute_model", 100, 300),
        note("execute_model", 400, 600),
        call("cudaLaunchKernel", 450, 455, 1),
        work("k", 700, 710, correlation=1),
    ]
    assert named(events) == [("execute_model", 100, 0), ("execute_model", 400, 1)]


def test_work_belongs_to_the_step_of_its_own_thread() -> None:
    """Of two threads with steps each has what it launched; a third thread's has the latest."""
    events = [
        note("execute_model", 0, 100, thread=1),
        note("execute_model", 10, 90, thread=2),
        call("cudaLaunchKernel", 50, 55, 1, thread=1),
        call("cudaLaunchKernel", 60, 65, 2, thread=2),
        call("cudaLaunchKernel", 70, 75, 3, thread=3),
        call("cudaLaunchKernel", 95, 96, 4, thread=2),
        *(work(f"k{i}", 200 + 10 * i, 205 + 10 * i, correlation=i) for i in (1, 2, 3, 4)),
    ]
    assert named(events) == [("execute_model", 0, 1), ("execute_model", 10, 2)]
    assert [(r["reason"], r["kernels"]) for r in of_none(events)] == [("outside steps", 1)]


@pytest.mark.parametrize(
    "name",
    [
        "enumerate(DataLoader)#_MultiProcessingDataLoaderIter.__next__",
        "Optimizer.step#AdamW.step",
        "DistributedDataParallel.forward",
        "FullyShardedDataParallel._pre_forward",
        "FSDP::pre_backward",
        "torch.distributed.all_gather",
        "Torch-Compiled Region: 0/1",
        "## forward ##",
        "nccl:all_reduce",
    ],
)
def test_what_pytorch_annotates_is_no_step(name: str) -> None:
    """Not even where it is all that repeats, nor its copies on the GPU."""
    events = [
        *(note(name, ts, ts + 50) for ts in (0, 100, 200)),
        work(name, 10, 40, cat="gpu_user_annotation"),
        call("cudaLaunchKernel", 10, 15, 1),
        work("k", 20, 30, correlation=1),
    ]
    assert ask("steps", events) == []


def test_what_the_user_repeats_is_a_step() -> None:
    """Of a thread's annotations the one that repeats, numbers aside; PyTorch's own do not count."""
    events = [
        note("warm up", 0, 50),
        note("Optimizer.step#SGD.step", 120, 140),
        note("iteration 9", 100, 200),
        note("iteration 10", 200, 300),
    ]
    assert named(events) == [("iteration 9", 100, 0), ("iteration 10", 200, 0)]


def test_parts_of_a_step_are_no_steps() -> None:
    """Where several annotations repeat, each is a part of what repeats: no step is marked."""
    parts = ("forward", "backward", "update")
    events = [
        note(name, 100 * (3 * step + i), 100 * (3 * step + i) + 90)
        for step in (0, 1)
        for i, name in enumerate(parts)
    ]
    assert ask("steps", events) == []


@pytest.mark.parametrize(
    "name",
    [
        "execute_context_1(888)_generation_0(0)",
        "step[DECODE bs=32]",
        "[Executor] _forward_step 7: 0 ctx reqs, 4 gen reqs",
    ],
)
def test_the_rounds_of_engines_come_before_other_annotations(name: str) -> None:
    """Annotations around the engine's marks, and beside them, are no steps."""
    events = [
        note("benchmark", 0, 1_000),
        note(name, 100, 300),
        note(name, 300, 500),
        note("sample", 500, 520),
        note("sample", 600, 620),
    ]
    assert named(events) == [(name, 100, 0), (name, 300, 0)]


@pytest.mark.parametrize("cat", ["Operator", "cpu_op"])
def test_a_profiler_step_that_is_an_op(cat: str) -> None:
    """A ProfilerStep of category Operator, as PyTorch 1.8 and 1.9 write it, is a step."""
    row = (PROCESS, THREAD)
    events = [
        slice_of(cat, "ProfilerStep#3", row, 0, 100),
        slice_of(cat, "ProfilerStep#4", row, 100, 220),
        op("aten::mm", 110, 130),
        call("cudaLaunchKernel", 120, 125, 1),
        work("k", 300, 310, correlation=1),
    ]
    assert named(events) == [("ProfilerStep#3", 0, 0), ("ProfilerStep#4", 100, 1)]


def on_gpu(name: str, ts: int, end: int, stream: int, **args: object) -> Event:
    """An annotation as the profiler copies it to a stream."""
    return work(name, ts, end, stream=stream, cat="gpu_user_annotation", **args)


def test_annotations_of_one_name_on_the_gpu_are_several_steps() -> None:
    """Of one stream each is a step, also where those of another stream overlap two of them."""
    events = [
        on_gpu("step", 0, 50, 7),
        on_gpu("step", 40, 60, 8),
        on_gpu("step", 55, 100, 7),
        on_gpu("step", 90, 110, 8),
        on_gpu("step", 200, 250, 7),
    ]
    assert [(r["ts"], r["dur"]) for r in ask("steps", events)] == [(0, 60), (55, 55), (200, 50)]


def test_the_external_id_tells_annotations_of_the_gpu_apart() -> None:
    """Parts with one id are one step, even if they do not overlap."""
    events = [
        on_gpu("step", 0, 50, 7, **{"External id": 4}),
        on_gpu("step", 60, 70, 8, **{"External id": 4}),
        on_gpu("step", 55, 100, 7, **{"External id": 9}),
    ]
    assert [(r["ts"], r["dur"]) for r in ask("steps", events)] == [(0, 70), (55, 45)]


def test_a_trimmed_step_is_as_recorded() -> None:
    """A step that `fix` cut where the next one starts keeps its recorded duration here."""
    events = [
        note("ProfilerStep#1", 0, 99_500, tpt_recorded_dur=100.001),
        note("ProfilerStep#2", 99_500, 150_000),
    ]
    rows = [(r["name"], r["dur"]) for r in ask("steps", events)]
    assert rows == [("ProfilerStep#1", 100_001), ("ProfilerStep#2", 50_500)]
