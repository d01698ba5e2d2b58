"""`syncs`: calls in which the CPU waits for the GPU, by op and Python line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import Event, Row, ask, call, copy, note, op, slice_of, work

if TYPE_CHECKING:
    from tp_tools.library import Value

ITEM = "aten::_local_scalar_dense"


def python(name: str, ts: int, end: int) -> Event:
    """A Python function on the thread of the calls."""
    return slice_of("python_function", name, (100, 20), ts, end)


def names(rows: list[Row]) -> list[str]:
    """The calls of the rows."""
    return [row["name"] for row in rows]


def test_every_column_by_hand() -> None:
    """Two `.item()`: the GPU runs for 30 of 40 ns of the first wait, and in none of the second."""
    events = [
        python("train.py(7): step", 0, 400),
        python("torch/_tensor.py(9): item", 5, 390),
        op("aten::item", 10, 90),
        op(ITEM, 20, 80),
        op("aten::item", 110, 190),
        op(ITEM, 120, 180),
        call("cudaStreamSynchronize", 30, 70, 1),
        call("cudaStreamSynchronize", 130, 140, 2),
        work("k", 0, 60),
    ]
    assert ask("syncs", events) == [
        {
            "rank": None,
            "name": "cudaStreamSynchronize",
            "cpu_op": ITEM,
            "python_line": "train.py(7): step",
            "count": 2,
            "total_ns": 50,
            "longest_ns": 40,
            "gpu_idle_ns": 20,
        }
    ]


@pytest.mark.parametrize(
    ("name", "waits"),
    [
        ("cudaDeviceSynchronize", True),
        ("hipEventSynchronize", True),
        ("cuStreamSynchronize", True),
        ("cudaMemcpy", True),
        ("hipMemcpyWithStream", True),
        ("cuMemcpyDtoH_v2", True),
        ("cudaMemcpyAsync", False),
        ("cudaStreamWaitEvent", False),
        ("cudaEventQuery", False),
        ("cudaLaunchKernel", False),
    ],
)
def test_calls_that_wait(name: str, waits: bool) -> None:
    """They are told by name; of copies those that are not asynchronous."""
    assert names(ask("syncs", [call(name, 0, 50, 1), work("k", 10, 20)])) == [name] * waits


def test_a_copy_whose_call_returned_only_after_it() -> None:
    """To pageable memory a copy waits, though its name says Async."""
    name = "Memcpy DtoH (Device -> Pageable)"
    events = [call("cudaMemcpyAsync", 0, 50, 1), call("cudaMemcpyAsync", 60, 70, 2)]
    events += [copy(name, 10, 40, correlation=1), copy(name, 90, 99, correlation=2)]
    (row,) = ask("syncs", events)
    assert (row["count"], row["total_ns"], row["gpu_idle_ns"]) == (1, 50, 20)


def test_a_call_within_another_counts_once() -> None:
    """The driver's own wait is part of that of the runtime."""
    events = [
        call("cudaStreamSynchronize", 0, 50, 1),
        call("cuStreamSynchronize", 10, 40, 2, cat="cuda_driver"),
        work("k", 0, 50),
    ]
    assert names(ask("syncs", events)) == ["cudaStreamSynchronize"]


def test_idle_time_is_that_of_all_devices() -> None:
    """While any GPU of the rank works, the wait is not idle; each moment counts once."""
    events = [
        call("cudaDeviceSynchronize", 0, 100, 1),
        work("k", 10, 40),
        work("k", 30, 60, device=1),
    ]
    (row,) = ask("syncs", events)
    assert row["gpu_idle_ns"] == 50


def test_python_lines_of_pytorch_alone() -> None:
    """Where no other is around the call the innermost stands for it; built-ins have no line."""
    events = [
        python("torch/cuda/__init__.py(1): outer", 0, 100),
        python("/usr/lib/python3/torch/cuda/__init__.py(2): synchronize", 10, 90),
        python("<built-in method synchronize of type object at 0x7>", 20, 80),
        call("cudaDeviceSynchronize", 30, 70, 1),
        work("k", 30, 70),
    ]
    (row,) = ask("syncs", events)
    assert row["python_line"] == "/usr/lib/python3/torch/cuda/__init__.py(2): synchronize"
    assert row["cpu_op"] is None


def test_only_some_steps_and_long_calls() -> None:
    """`steps` is where a call begins, `min_us` its least duration."""
    events = [
        note("ProfilerStep#1", 0, 5_000),
        note("ProfilerStep#2", 5_000, 9_000),
        call("cudaStreamSynchronize", 100, 3_100, 1),
        call("cudaStreamSynchronize", 4_000, 5_500, 2, thread=21),
        call("cudaDeviceSynchronize", 6_000, 6_500, 3),
        work("k", 0, 60),
    ]

    def found(**values: Value) -> list[tuple[object, ...]]:
        rows = ask("syncs", events, values)
        return [(row["name"], row["count"], row["total_ns"]) for row in rows]

    assert found(steps=1) == [("cudaStreamSynchronize", 2, 4_500)]
    assert found(steps=2) == [("cudaDeviceSynchronize", 1, 500)]
    assert found(min_us=1.5) == [("cudaStreamSynchronize", 2, 4_500)]
    assert found(min_us=2) == [("cudaStreamSynchronize", 1, 3_000)]
