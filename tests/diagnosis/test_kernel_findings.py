"""Findings on kernels that use little of the GPU: their time is part of that of computing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

import tp_tools
from tests.support.diagnosing import MS, numbers, window
from tp_tools.diagnosis import judge, kernel_findings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def family(name: str, ns: int, plain: int = 0, rank: int | None = None) -> dict[str, Any]:
    """Make a row of `kernel_families`."""
    row = {"rank": rank, "family": name, "total_ns": ns, "top_name": "k", "top_ns": ns}
    return row | {"plain_product_ns": plain}


def op(name: str, ns: int, reached: float, calls: int = 1, **more: Any) -> dict[str, Any]:  # noqa: ANN401  columns
    """Make a row of `roofline` of an op that reaches so many per cent of the peak of bf16."""
    row = {"rank": None, "op": name, "dims": "[8, 8]", "dtype": "bf16", "calls": calls}
    row |= {"gpu_ns": ns, "tflops": 10.0 * reached, "peak_tflops": 1000.0, "mfu_percent": reached}
    row |= {"gbps": 40.0, "peak_gbps": 4000.0, "bandwidth_percent": 1.0, "bound": "compute"}
    return row | more


def kernel(name: str, ns: int, blocks: float, kind: str = "compute") -> dict[str, Any]:
    """Make a row of `occupancy` of a kernel with so many blocks on a multiprocessor."""
    row = {
        "rank": None,
        "name": name,
        "kind": kind,
        "count": 1,
        "total_ns": ns,
        "grid": "9 x 1 x 1",
    }
    row |= {"blocks_per_sm": blocks, "underfilled_ns": ns if blocks < 1 else 0}
    return row | {"empty_ns": round(ns * max(0, 1 - blocks))}


def test_products_without_tensor_cores() -> None:
    """80 of the 160 ns of kernels that compute, which take half of the GPU time: it weighs 25 %."""
    found = kernel_findings.plain_products(
        numbers(
            window(compute=100, cpu=100),
            kernel_families=[
                family("convolution", 70, 60, 0),
                family("gemm", 90, 20, 1),
                family("communication", 900),
                family("copy", 900),
            ],
        )
    )
    assert found is not None
    assert (found.cost_ns, found.weight) == (None, 0.25)
    assert found.says == (
        "Products in fp32 that no tensor core computes, as the names of their kernels say, take 80 "
        "ns, 50.0 % of the durations of all kernels that compute: convolution 75.0 %, gemm 25.0 %."
    )
    assert found.evidence[0].row == {"rank": 0, "family": "convolution", "plain_product_ns": 60}
    without = numbers(window(compute=100), kernel_families=[family("gemm", 90)])
    assert kernel_findings.plain_products(without) is None


def test_ops_far_from_the_peak() -> None:
    """Those below 30 % of both peaks; what is bound by nothing known, or took no time, is none."""
    rows = [
        op("aten::mm", 60 * MS, 29.9, calls=100),
        op("aten::bmm", 50 * MS, 30.0),
        op("aten::add", 90 * MS, 0.1, bound="memory", bandwidth_percent=60.0),
        op("aten::add", 10 * MS, 0.1, bound="memory", bandwidth_percent=20.0, gbps=800.0),
        op("unknown", 900 * MS, 1.0, bound=None, mfu_percent=None),
        op("empty", 0, 0.0, mfu_percent=None),
    ]
    families = [family("gemm", 140 * MS), family("elementwise", 140 * MS)]
    found = kernel_findings.far_from_peak(
        numbers(window(compute=280 * MS), roofline=rows, kernel_families=families)
    )
    assert found is not None
    assert found.weight == 0.25
    assert found.says == (
        "Ops that reach less than 30 % of what the GPU can compute and of what its memory can move "
        "take 70.000 ms, 25.0 % of the durations of all kernels that compute. The largest part of "
        "that is 60.000 ms of aten::mm ([8, 8]): 100 calls of 600.000 us on average reach 299.0 of "
        "1,000.0 TFLOP/s in bf16 (29.9 %)."
    )
    assert found.next_step.startswith("Try another kernel")
    # 210 of 280 ms have a formula and a peak
    assert found.doubts[1:] == ("Of the other ops (25.0 % of computing) no arithmetic is known.",)


def test_memory_that_is_far_from_its_peak_beside_collectives() -> None:
    """Short calls are too small; collectives that run beside computing slow it."""
    row = op("aten::add", 9 * MS, 0.1, calls=900, bound="memory", bandwidth_percent=1.0)
    families = [family("elementwise", 9 * MS), family("communication", 5 * MS)]
    found = kernel_findings.far_from_peak(
        numbers(
            window(compute=9 * MS, communication=2 * MS, waiting=1 * MS),
            roofline=[row],
            kernel_families=families,
        )
    )
    assert found is not None
    assert "900 calls of 10.000 us on average reach 40 of 4,000 GB/s (1.0 %)." in found.says
    assert found.next_step.startswith("Such short calls cannot fill a GPU")
    assert found.doubts[1:] == ("Collectives run beside computing for 2.000 ms, which slows both.",)


def test_without_peaks_nothing_is_far() -> None:
    """Of a GPU that is not known, and of shapes that are not recorded, nothing is said."""
    unknown = op("aten::mm", 9, 0.0, bound=None, mfu_percent=None, bandwidth_percent=None)
    for rows in ([], [unknown]):
        assert kernel_findings.far_from_peak(numbers(window(compute=9), roofline=rows)) is None


def test_kernels_with_few_blocks() -> None:
    """Of 100 ns with a quarter of the blocks 75 are empty; collectives need few by design."""
    rows = [
        kernel("small", 100, 0.25),
        kernel("large", 300, 4.0),
        kernel("nccl", 900, 0.1, "collective"),
    ]
    given = numbers(window(compute=400), occupancy=rows, kernel_families=[family("gemm", 400)])
    found = kernel_findings.few_blocks(given)
    assert found is not None
    assert (found.weight, found.doubts) == (0.1875, ())
    assert found.says == (
        "Kernels with fewer blocks than the GPU has multiprocessors take 100 ns, 25.0 % of the "
        "durations of all kernels that compute; 75.0 % of the multiprocessors have no block of "
        "them. Above all small, mostly with a grid of 9 x 1 x 1."
    )
    at_once = numbers(window(compute=200), occupancy=rows, kernel_families=[family("gemm", 400)])
    beside = kernel_findings.few_blocks(at_once)
    assert beside is not None
    assert beside.doubts == ("Kernels that run at once fill what one alone leaves empty.",)
    assert kernel_findings.few_blocks(numbers(window(compute=9), occupancy=rows[1:])) is None


@pytest.mark.parametrize(
    ("plain", "kinds"), [(100, ["compute", "tensor cores"]), (99, ["compute"])]
)
def test_they_need_their_share_and_come_after_what_computes(plain: int, kinds: list[str]) -> None:
    """From 10 % of the GPU time on; what they weigh is part of what computing costs."""
    given = numbers(
        window(compute=1000),
        kernel_families=[family("gemm", 1000, plain)],
        kernels=[{"name": "k", "total_ns": 9}],
    )
    assert [it.kind for it in judge(given).findings] == kinds


@pytest.mark.parametrize(
    ("trace", "kind", "weight"),
    [
        # 293.347 of 468.154 ms of kernels on a V100, which compute for 97.5 % of the time
        ("epoch_decimals_rank0", "tensor cores", 0.6111),
        # AOTriton's attention reaches 283.6 of 1,307.4 TFLOP/s
        ("mi300_xdit_sd35_rank0", "far from the peak", 0.2410),
        ("h100_qwen15_chat", None, None),
    ],
)
def test_recorded(
    trace: str, kind: str | None, weight: float | None, real_trace: Callable[[str], Path]
) -> None:
    """What the recorded traces carry: fp32 on Volta, slow attention; cuBLAS on H100 is sound."""
    diagnosis = tp_tools.diagnose(real_trace(f"{trace}.json.gz"))
    found = [it for it in diagnosis.findings if it.weight is not None]
    assert [it.kind for it in found] == ([kind] if kind else [])
    assert all(it.weight == pytest.approx(weight, abs=1e-4) for it in found)
