"""Every breakdown adds up to its whole, on every recorded trace."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gpu_traces import answer
from tests.support.recorded import repaired
from tp_tools.engine import load

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tp_tools.engine.processor import Processor

TRACES = [
    "alexnet_whole_us",
    "b200_vllm_tp8_rank0",
    "critical_path_overlay",
    "dlrm8_v100/worker3_step_12.1694128201557.pt.trace",
    "epoch_decimals_rank0",
    "h100_qwen15_chat",
    "llama2_pcie/rank0",
    "mi210_gpu_only",
    "mi250_toy",
    "mi300_resnet_ddp8_rank0",
    "mi300_xdit_sd35_rank0",
    "nccl_args_rank0",
    "resnet50_2021",
    "sglang_qwen3_decode",
    "text_tids_2021",
    "train128_rank0",
    "train128_rank1",
    "vllm_decode_graph",
    "vllm_piecewise_graph_execution",
]


@pytest.fixture(scope="module", params=TRACES)
def recorded(
    request: pytest.FixtureRequest, real_trace: Callable[[str], Path]
) -> Iterator[Processor]:
    """Each trace in turn, repaired."""
    data = repaired(real_trace(f"{request.param}.json.gz"))
    # a trace of 2021 has arrows to threads that it names otherwise; its slices are whole
    with load([data], source=request.param, allow_loss=True) as tp:
        yield tp


def total(rows: list[dict[str, Any]], column: str) -> int:
    """The sum of a column."""
    return sum(row[column] for row in rows)


def test_gpu_time_by_op_and_by_kernel(recorded: Processor) -> None:
    """What ops launched, and what no op did, is all GPU work; so is what runs on streams."""
    kernels, ops = answer("kernels", recorded), answer("ops", recorded)
    assert total(kernels, "total_ns") == total(ops, "self_gpu_ns") > 0
    assert total(kernels, "total_ns") == total(answer("streams", recorded), "total_ns")
    own = {row["name"]: row["gpu_ns"] >= row["self_gpu_ns"] for row in ops}
    assert all(own.values())
    reasons = Counter(row["reason"] for row in ops if row["name"] is None)
    assert set(reasons) <= {"graph replay", "outside ops", "launch not recorded"}
    assert max(reasons.values(), default=1) == 1


def test_gpu_work_by_step(recorded: Processor) -> None:
    """Kernels, copies and collectives of steps and of none are all that ran."""
    steps = answer("steps", recorded)
    if not steps:
        pytest.skip("it marks no steps")
    streams = answer("streams", recorded)
    assert total(steps, "kernels") + total(steps, "copies") == total(streams, "events")
    assert total(steps, "collectives") == total(streams, "collectives")
    assert all(row["gpu_dur"] is None or row["busy_ns"] <= row["gpu_dur"] for row in steps)


def test_the_span_of_a_device(recorded: Processor) -> None:
    """It is busy or idle; the gaps are the idle time; kinds of busy time add up."""
    for device in answer("gpu_time", recorded):
        assert device["span_ns"] == device["busy_ns"] + device["idle_ns"]
        parts = ("compute_ns", "exposed_communication_ns", "exposed_copy_ns")
        assert device["busy_ns"] == sum(device[part] for part in parts)
        gaps = [row for row in answer("gaps", recorded) if row["device"] == device["device"]]
        assert total(gaps, "dur") == device["idle_ns"]
