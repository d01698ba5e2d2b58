"""`phases`: engine iterations by phase, batch and GPU time."""

from __future__ import annotations

import pytest

from tests.support.gpu_traces import Event, Row, ask, call, copy, note, slice_of, work

NCCL = "ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)"
BATCH = ("phase", "requests", "prefill_requests", "decode_requests", "prefill_tokens")


def test_every_column_by_hand() -> None:
    """Work belongs to the iteration that launched it; its parts add up to its time on the GPU."""
    events = [
        note("execute_context_2(512)_generation_8(9)", 0, 100),
        note("execute_context_0(0)_generation_8(8)", 100, 200),
        call("cudaLaunchKernel", 10, 15, 1),
        call("cudaLaunchKernel", 20, 25, 2),
        call("cudaMemcpyAsync", 30, 35, 3),
        call("cudaLaunchKernel", 110, 115, 4),
        work("gemm", 50, 80, correlation=1),
        work(NCCL, 70, 120, correlation=2, stream=8),
        copy("Memcpy DtoD (Device -> Device)", 130, 140, correlation=3),
        work("gemm", 150, 165, correlation=4),
    ]
    first, second = ask("phases", events)
    assert first == {
        "rank": None,
        "phase": "mixed",
        "name": "execute_context_2(512)_generation_8(9)",
        "requests": 10,
        "prefill_requests": 2,
        "decode_requests": 8,
        "prefill_tokens": 512,
        "decode_tokens": 9,
        "ts": 0,
        "dur": 100,
        "device": 0,
        "gpu_ts": 50,
        "gpu_dur": 90,
        "busy_ns": 80,
        "compute_ns": 30,
        "communication_ns": 50,
        "exposed_communication_ns": 40,
        "exposed_copy_ns": 10,
        "idle_ns": 10,
        "kernels": 2,
        "collectives": 1,
        "copies": 1,
        "layers": None,
        "layer_kernels": None,
        "layer_ns": None,
        "reason": None,
    }
    assert (second["phase"], second["requests"], second["gpu_dur"]) == ("decode", 8, 15)


@pytest.mark.parametrize(
    ("name", "batch"),
    [
        ("execute_context_1(888_788544)_generation_0(0)", ("prefill", 1, 1, 0, 888, 0)),
        (
            "execute_520_context_2(sq512sk600sqsq9sqsk9)_generation_8(sq8sk99sqsq8sqsk99)",
            ("mixed", 10, 2, 8, 512, 8),
        ),
        ("execute_context_0(0)_generation_0(0)", ("idle", 0, 0, 0, 0, 0)),
        ("execute_new_3_cached_0", ("prefill", 3, 3, None, None, None)),
        ("execute_new_0_cached_5", (None, 5, None, None, None, None)),
        ("execute_model", (None,) * 6),
        ("execute_diffusion_1_256x256", (None,) * 6),
        ("step[EXTEND bs=2 toks=77]", ("prefill", 2, 2, None, 77, None)),
        ("step[DECODE bs=32]", ("decode", 32, None, 32, None, None)),
        ("step[DECODE bs=4 g_sq=4 g_sqsq=4 g_sqsk=9 g_sk=9]", ("decode", 4, None, 4, None, 4)),
        ("step[prefill bs=2 toks=77]", ("prefill", 2, 2, None, 77, None)),
        (
            "step[MIXED bs=3 c=1 g=2 c_sq=70 c_sk=80 g_sq=2 g_sk=50]",
            ("mixed", 3, 1, 2, 70, 2),
        ),
        ("step[VERIFY bs=4 g_sq=16 g_sqsq=64]", ("verify", 4, None, None, None, 16)),
        ("step[TARGET_VERIFY bs=4]", ("verify", 4, None, None, None, None)),
        ("step[DRAFT_LOOP raw_bs=3 bs=4 topk=1]", ("draft", 4, None, None, None, None)),
        ("step[DRAFT bs=4 c_sq=9]", ("draft", 4, None, None, None, None)),
        ("step[IDLE bs=0]", ("idle", 0, None, None, None, None)),
        (
            "[Executor] _forward_step 7: 2 ctx reqs, 512 ctx tokens, 8 gen reqs",
            ("mixed", 10, 2, 8, 512, None),
        ),
        ("[Executor] _forward_step 8: 0 ctx reqs, 9 gen reqs", ("decode", 9, 0, 9, None, None)),
        ("_forward_step", (None,) * 6),
    ],
)
def test_names_of_engines(name: str, batch: tuple[object, ...]) -> None:
    """The name says the phase and the batch; nothing is guessed from one that does not."""
    (row,) = ask("phases", [note(name, 0, 100)])
    assert (*(row[column] for column in BATCH), row["decode_tokens"]) == batch


def told(events: list[Event]) -> list[tuple[object, ...]]:
    """Rows as phase, name, kernels and reason."""
    return [(r["phase"], r["name"], r["kernels"], r["reason"]) for r in ask("phases", events)]


def test_iterations_stand_beside_profiler_steps() -> None:
    """`steps` has the ProfilerStep; the phases are those of the annotations within it."""
    events = [
        note("ProfilerStep#1", 0, 100),
        note("step[EXTEND bs=1 toks=9]", 10, 40),
        note("step[DECODE bs=1]", 50, 90),
    ]
    assert [row["phase"] for row in ask("phases", events)] == ["prefill", "decode"]


def test_an_annotation_within_another() -> None:
    """The outermost that says a phase counts, so that no work has two."""
    name = "execute_4_context_0(sq0)_generation_4(sq4)"
    events = [
        note("execute_model", 0, 100),
        note(name, 10, 90),
        note("step[DECODE bs=4]", 20, 80),
        call("cudaLaunchKernel", 30, 35, 1),
        work("k", 40, 50, correlation=1),
    ]
    assert told(events) == [("decode", name, 1, None)]


def test_work_of_no_iteration_has_rows() -> None:
    """By reason: launched outside, or no recorded launch; kernels add up to all."""
    events = [
        note("step[DECODE bs=4]", 20, 80),
        call("cudaLaunchKernel", 30, 35, 1),
        call("cudaLaunchKernel", 90, 95, 2),
        work("k", 40, 50, correlation=1),
        work("k", 100, 110, correlation=2),
        work("k", 120, 130, correlation=3),
    ]
    assert told(events) == [
        ("decode", "step[DECODE bs=4]", 1, None),
        (None, None, 1, "launch not recorded"),
        (None, None, 1, "outside iterations"),
    ]


def test_annotations_of_the_gpu_alone() -> None:
    """Without any on the CPU, work is of the iteration in which it started."""
    events = [
        slice_of("gpu_user_annotation", "step[DECODE bs=4]", (0, 7), 0, 50),
        work("k", 10, 20),
        work("k", 60, 70),
    ]
    assert told(events) == [
        ("decode", "step[DECODE bs=4]", 1, None),
        (None, None, 1, "outside iterations"),
    ]


def test_a_kernel_that_waits_for_a_collective_hides_nothing() -> None:
    """Under PDL the gemm counts from the end of the all-reduce ahead of it."""
    events = [
        note("step[DECODE bs=4]", 0, 80),
        call("cudaLaunchKernel", 10, 15, 1),
        call("cudaLaunchKernel", 16, 18, 2),
        work(NCCL, 20, 60, correlation=1),
        slice_of("kernel", "gemm", (0, 99), 40, 90, device=0, stream=7, correlation=2),
    ]
    (row,) = ask("phases", events)
    assert (row["compute_ns"], row["exposed_communication_ns"]) == (30, 40)


def test_traces_without_iterations_have_no_rows() -> None:
    """A training step is none."""
    rows: list[Row] = ask("phases", [note("ProfilerStep#1", 0, 100), work("k", 10, 20)])
    assert rows == []
