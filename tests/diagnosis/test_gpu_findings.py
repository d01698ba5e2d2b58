"""Findings on copies, on what computes, and on kernels that Perfetto hides."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.diagnosing import MS, facts, numbers, window
from tp_tools.diagnosis import gpu_findings


def copied(name: str, kind: str, ns: int = 8, size: int | None = 2_000_000) -> dict[str, Any]:
    """Make a row of `copies`."""
    speed = None if size is None else 2.5
    row = {"rank": None, "name": name, "kind": kind, "count": 4, "bytes": size}
    return row | {"total_ns": ns, "mean_gbps": speed}


@pytest.mark.parametrize(
    ("name", "kind", "advice"),
    [
        ("Memcpy HtoD (Pageable -> Device)", "HtoD", "pinned memory"),
        ("Memcpy HtoD (Pinned -> Device)", "HtoD", "on a stream of its own"),
        ("Memcpy DtoD (Device -> Device)", "DtoD", ".contiguous()"),
    ],
)
def test_copies_that_run_alone(name: str, kind: str, advice: str) -> None:
    """They cost copy_ns; the largest kind is named, and what helps depends on it."""
    rows = [copied("Memset (Device)", "Memset", 3), copied(name, kind)]
    found = gpu_findings.copies(numbers(window(compute=6, copy=4), copies=rows))
    assert found is not None
    assert found.cost_ns == 4
    assert found.says == (
        "Copies and memsets run for 4 ns of 10 ns (40.0 %) while nothing else runs. Most time of "
        f"all takes {name}: 4 times, 8 ns, 2.0 MB at 2.5 GB/s."
    )
    assert advice in found.next_step
    assert [it.query for it in found.evidence] == ["verdict", "copies"]


def test_copies_without_bytes_have_no_speed() -> None:
    """What the trace does not carry is not said."""
    rows = [copied("Memset (Unknown)", "Memset", size=None)]
    found = gpu_findings.copies(numbers(window(copy=4), copies=rows))
    assert found is not None
    assert found.says.endswith("Memset (Unknown): 4 times, 8 ns.")


def test_what_computes_is_no_fault() -> None:
    """The family with most time is named with its largest kernel, over all ranks."""

    def family(name: str, ns: int, rank: int, top: str) -> dict[str, Any]:
        about = {"rank": rank, "family": name, "total_ns": ns}
        return about | {"top_name": top, "top_ns": ns // 2}

    families = [
        family("gemm", 40, 0, "big"),
        family("gemm", 20, 1, "small"),
        family("norm", 50, 0, "rms"),
        family("communication", 900, 0, "nccl"),
    ]
    kernels = [{"rank": rank, "name": "big", "total_ns": 11} for rank in (0, 1)]
    found = gpu_findings.compute(
        numbers(
            window(0, compute=60), window(1, compute=20), kernel_families=families, kernels=kernels
        )
    )
    assert found is not None
    assert not found.is_fault
    assert found.cost_ns == 80
    assert found.says == (
        "The GPUs compute for 80 ns of 80 ns (100.0 %). Of the durations of all kernels that "
        "compute, 54.5 % is gemm, above all big (20.0 %)."
    )
    assert "Fuse" not in found.next_step


def test_kernels_that_move_memory_are_to_be_fused() -> None:
    """Elementwise kernels, norms and the like."""
    row = {"rank": None, "family": "norm", "total_ns": 5, "top_name": "rms", "top_ns": 5}
    found = gpu_findings.compute(numbers(window(compute=5), kernel_families=[row], kernels=[]))
    assert found is not None
    assert found.next_step.startswith("Fuse them")


def test_hidden_kernels_cost_no_time() -> None:
    """It is the rank with the largest share that is named."""
    given = numbers(
        window(compute=9), traces=(facts(0, hidden_percent=2), facts(1, hidden_percent=7))
    )
    found = gpu_findings.hidden(given)
    assert found is not None
    assert found.cost_ns is None
    assert found.says == (
        "Perfetto 51 to 56 does not show 4 kernels of 4.000 ms, most on rank 1: 7.0 % of kernel "
        "time, above all gemm: what looks idle there is not."
    )
    alone = gpu_findings.hidden(numbers(window(compute=9), traces=(facts(0, hidden_percent=2),)))
    assert alone is not None
    assert "2.0 % of kernel time, all gemm: what" in alone.says
    assert found.evidence[0].command() == "tp-tools info"
    assert found.evidence[0].row["kernel_ns"] == 2 * MS
    one = gpu_findings.hidden(numbers(window(compute=9), traces=(facts(hidden_percent=2),)))
    assert one is not None
    assert "2 kernels of 2.000 ms, 2.0 % of kernel time" in one.says
    assert gpu_findings.hidden(numbers(window(compute=9), traces=(facts(),))) is None
