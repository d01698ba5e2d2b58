"""Siblings of the shared cases: small traces of the same kinds, with answers worked out by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gpu_traces import Event, Row, answer, call, copy, note, op, slice_of, work
from tests.support.handmade import text
from tp_tools import open_trace

if TYPE_CHECKING:
    from pathlib import Path

LAUNCH = "cudaLaunchKernel"
NCCL = "ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)"
PARTS = ("waited_in", "wait_ns", "cpu_ns", "launch_call_ns", "dependency_ns", "front_end_ns")
Ask = Any
"""What the fixture gives: a function of a query, events and columns."""


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Gives columns of the rows of a query on a trace of some events, repaired as by the CLI."""

    def rows_of(query: str, events: list[Event], *columns: str) -> list[tuple[Any, ...]]:
        path = tmp_path / "trace.json"
        path.write_bytes(text(events))
        with open_trace(path) as tp:
            rows: list[Row] = answer(query, tp)
        return [tuple(row[column] for column in columns) for row in rows]

    return rows_of


def launched(name: str, ts: int, end: int, number: int, at: int, **more: Any) -> list[Event]:  # noqa: ANN401  as work takes it
    """A kernel, and the call of 5 ns that launched it."""
    return [call(LAUNCH, at, at + 5, number), work(name, ts, end, correlation=number, **more)]


def test_the_step_of_a_collective(ask: Ask) -> None:
    """That of its launch, also by a graph, or at the end of a step; without a launch none."""
    events = [
        note("ProfilerStep#1", 0, 100),
        note("ProfilerStep#2", 100, 200),
        call("cudaGraphLaunch", 50, 55, 1),
        work(NCCL, 150, 170, correlation=1),
        *launched(NCCL, 172, 180, 2, 94),
        work(NCCL, 105, 110, correlation=99),
    ]
    found = ask("collectives", events, "ts", "step")
    assert found == [(105, None), (150, "ProfilerStep#1"), (172, "ProfilerStep#1")]


def test_waits_of_every_kind_are_no_work(ask: Ask) -> None:
    """Of the context, of an event, on a stream of its own: no kernel, no busy time, no stream."""
    waits = [("Context Sync", 20, 130, -1), ("Stream Wait Event", 105, 180, 9)]
    events = [
        *launched("gemm", 10, 100, 1, 0),
        *[
            slice_of("cuda_sync", name, (0, stream), ts, end, stream=stream, device=0)
            for name, ts, end, stream in [*waits, ("Event Sync", 101, 190, 7)]
        ],
        *launched("gemm", 210, 220, 2, 200),
    ]
    assert ask("gpu_time", events, "span_ns", "busy_ns", "idle_ns") == [(210, 100, 110)]
    assert ask("streams", events, "stream", "events", "busy_ns") == [(7, 2, 100)]
    assert ask("kernels", events, "name", "count") == [("gemm", 2)]


@pytest.mark.parametrize(
    ("events", "why", "parts"),
    [
        # the call returns 30 into the gap
        (
            [call(LAUNCH, 90, 130, 2), work("gemm", 200, 210, correlation=2)],
            "front end",
            (None, 0, 0, 30, 0, 70),
        ),
        # launched long before, on another stream
        (launched("gemm", 200, 210, 2, 6, stream=8), "dependency", (None, 0, 0, 0, 100, 0)),
        # two waits in one gap, of 5 and 40
        (
            [
                call("cudaStreamSynchronize", 20, 105, 9),
                call("cudaDeviceSynchronize", 120, 160, 10),
                *launched("gemm", 200, 210, 2, 190),
            ],
            "sync",
            ("cudaDeviceSynchronize", 45, 45, 5, 0, 5),
        ),
        # the thread that waits is not the one that launches
        (
            [
                call("cudaStreamSynchronize", 20, 180, 9, thread=77),
                *launched("gemm", 200, 210, 2, 190),
            ],
            "cpu",
            (None, 0, 90, 5, 0, 5),
        ),
    ],
    ids=["in the call", "launched before", "two waits", "another thread"],
)
def test_parts_of_a_gap(ask: Ask, events: list[Event], why: str, parts: tuple[Any, ...]) -> None:
    """A gap from 100 to 200 is what the thread that launches did, then what came after it."""
    found = ask("gaps", [*launched("gemm", 10, 100, 1, 0), *events], "dur", "why", *PARTS)
    assert found == [(100, why, *parts)]


@pytest.mark.parametrize("name", ["cudaMemcpy", "hipMemcpy", "hipMemcpyWithStream"])
def test_a_copy_that_holds_the_thread(ask: Ask, name: str) -> None:
    """Its call outlasts it by 90: then the CPU does other work for 150."""
    events = [
        *launched("gemm", 10, 30, 1, 0),
        call(name, 20, 150, 2),
        copy("Memcpy DtoH (Device -> Pinned)", 40, 60, correlation=2),
        *launched("gemm", 310, 320, 3, 300),
    ]
    assert ask("gaps", events, "ts", *PARTS)[0] == (60, name, 90, 150, 5, 0, 5)


def test_a_step_boundary_is_a_flag(ask: Ask) -> None:
    """The first gap spans two steps, the second lies in one; the CPU is the cause of both."""
    events = [
        note("ProfilerStep#1", 0, 100),
        note("ProfilerStep#2", 100, 300),
        *launched("gemm", 20, 50, 1, 10),
        op("aten::mm", 60, 200),
        *launched("gemm", 120, 130, 2, 110),
        *launched("gemm", 160, 170, 3, 150),
    ]
    found = ask("gaps", events, "ts", "at_step_boundary", "why", "cpu_ns", "front_end_ns")
    assert found == [(50, 1, "cpu", 60, 5), (130, 0, "cpu", 20, 5)]


def test_gpu_work_of_no_op_by_reason(ask: Ask) -> None:
    """Of a graph, of a thread beside the op, of a launch that was not recorded."""
    events = [
        call("hipGraphLaunch", 0, 5, 1),
        work("a", 10, 20, correlation=1),
        work("b", 20, 30, correlation=1),
        work("old", 5, 8, correlation=77),
        op("aten::mm", 40, 80),
        *launched("d", 80, 99, 3, 65),
        call("hipLaunchKernel", 50, 55, 4, thread=99),
        work("c", 60, 70, correlation=4),
    ]
    assert set(ask("ops", events, "name", "reason", "gpu_events", "self_gpu_ns")) == {
        ("aten::mm", None, 1, 19),
        (None, "graph replay", 2, 20),
        (None, "outside ops", 1, 10),
        (None, "launch not recorded", 1, 3),
    }


def test_recursion_with_jitter(ask: Ask) -> None:
    """Three calls in each other, each outlasted by the next; and through another op."""
    own = [op("aten::to", 0, 100_000), op("aten::to", 10_000, 100_300)]
    events = [*own, op("aten::to", 20_000, 100_600)]
    assert ask("ops", events, "calls", "total_ns") == [(3, 100_600)]
    events = [
        op("aten::to", 0, 100_000),
        op("aten::_to_copy", 10_000, 100_200),
        op("aten::to", 20_000, 100_500),
    ]
    assert set(ask("ops", events, "name", "calls", "total_ns")) == {
        ("aten::to", 2, 100_500),
        ("aten::_to_copy", 1, 90_200),
    }


def test_trims_in_a_chain(ask: Ask) -> None:
    """Two of three are trimmed where the next begins; the contents are as recorded."""
    events = [op("a", 0, 100_000), op("b", 99_800, 200_000), op("c", 199_700, 300_000)]
    assert ask("overlaps", events, "name", "repair", "dur", "repaired_dur") == [
        ("a", "trim", 100_000, 99_800),
        ("b", "trim", 100_200, 99_900),
    ]
    assert ask("contents", events, "category", "total_ns") == [("cpu_op", 300_500)]


def test_kernels_that_wait_under_pdl(ask: Ask) -> None:
    """A chain behind an all-reduce hides nothing of it; 40 ns of another stream do."""
    first = [*launched(NCCL, 10, 110, 1, 0), *launched("gemm", 15, 120, 2, 5)]
    events = [*first, work("norm", 20, 140)]
    assert ask("comm_overlap", events, "hidden_ns", "exposed_ns") == [(0, 100)]
    times = ("compute_ns", "exposed_communication_ns", "busy_ns")
    assert ask("gpu_time", events, *times) == [(30, 100, 130)]
    events = [*first, work("other", 30, 70, stream=9)]
    assert ask("comm_overlap", events, "hidden_ns", "exposed_ns") == [(40, 60)]
    assert ask("gpu_time", events, *times) == [(50, 60, 110)]
    behind = [*launched("gemm", 10, 110, 1, 0), *launched(NCCL, 20, 150, 2, 5)]
    assert ask("comm_overlap", behind, "communication_ns", "hidden_ns") == [(40, 0)]


def test_queues_of_two_streams(ask: Ask) -> None:
    """One of two older kernels still waits on stream 7; that of stream 8 runs already."""
    events = [
        work("old", 10, 100, correlation=900),
        work("old", 110, 200, correlation=901),
        work("old", 5, 400, correlation=902, stream=8),
        *launched("new", 210, 220, 1, 20),
        *launched("newer", 410, 420, 2, 30, stream=8),
    ]
    found = dict(ask("launches", events, "name", "queue_depth"))
    assert (found["new"], found["newer"]) == (1, 0)


def test_steps_of_the_gpu_alone(ask: Ask) -> None:
    """ProfilerSteps hold what lies in them; of engine marks, work between them is of none."""

    def marked(names: list[str], part: str) -> list[Event]:
        events = []
        for i, name in enumerate(names):
            at = 1000 * i
            events.append(slice_of("gpu_user_annotation", name, (0, 7), at, at + 500))
            events.append(slice_of("gpu_user_annotation", part, (0, 7), at + 5, at + 400))
            events.append(work("gemm", at + 10, at + 490, correlation=i + 1))
            events.append(work("late", at + 600, at + 700, correlation=10 + i))
        return events

    names = [f"ProfilerStep#{number}" for number in (4, 5, 6)]
    assert ask("steps", marked(names, "forward"), "number", "kernels", "reason") == [
        (4, 1, None),
        (5, 1, None),
        (6, 1, None),
        (None, 3, "outside steps"),
    ]


PIECES = [
    "enumerate(DataLoader)#_MultiProcessingDataLoaderIter.__next__",
    "FullyShardedDataParallel.forward",
    "FSDP::all_gather (layers.0)",
    "Torch-Compiled Region: 0/0",
    "## Call CompiledFxGraph abc ##",
    "torch.distributed.ddp.reducer::copy",
    "Optimizer.step#AdamW.step",
]


def test_parts_of_steps_are_none(ask: Ask) -> None:
    """Whatever PyTorch annotates itself; beside it the user's own annotation is a step."""
    events = []
    for number in range(2 * len(PIECES)):
        at = 100 * number
        events += [note(PIECES[number % len(PIECES)], at, at + 60)]
        events += launched(f"k{number}", at + 15, at + 35, number + 1, at + 5)
    assert ask("steps", events, "name") == []
    events = []
    for number in range(3):
        at = 1000 * number
        events += [note("my_step", at, at + 900), note(PIECES[-1], at + 700, at + 800)]
        events += launched("k", at + 720, at + 730, number + 1, at + 710)
    assert ask("steps", events, "name", "rule", "kernels") == [("my_step", "annotation", 1)] * 3


def test_steps_beside_unrecorded_copies_and_graphs(ask: Ask) -> None:
    """A copy and a kernel from before are of none; both kernels of a graph are of its step."""
    events = [
        note("ProfilerStep#5", 100, 600),
        note("ProfilerStep#6", 600, 1100),
        copy("Memcpy HtoD (Pinned -> Device)", 110, 180, correlation=1000),
        work("old", 200, 260, correlation=1001),
        *launched("new", 300, 400, 1, 120),
        call("cudaGraphLaunch", 620, 630, 2),
        work("a", 640, 660, correlation=2),
        work("b", 700, 720, correlation=2),
    ]
    assert ask("steps", events, "name", "kernels", "copies", "busy_ns", "reason") == [
        ("ProfilerStep#5", 1, 0, 100, None),
        ("ProfilerStep#6", 2, 0, 40, None),
        (None, 1, 1, 130, "launch not recorded"),
    ]


def test_kernels_of_no_time_within_and_at_the_ends(ask: Ask) -> None:
    """They are busy for nothing, and begin and end the time of the device."""
    events = [
        *launched("zero", 10, 10, 1, 0),
        *launched("a", 30, 40, 2, 6),
        *launched("zero", 60, 60, 3, 12),
    ]
    assert ask("gpu_time", events, "span_ns", "busy_ns", "idle_ns") == [(50, 10, 40)]
    assert ask("gaps", events, "ts", "dur") == [(10, 20), (40, 20)]
    assert ask("verdict", events, "part", "dur", "compute_ns") == [("all", 50, 10)]
