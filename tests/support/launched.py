"""Events of small ranks to merge: kernels, their launches and arrows, and a rank's header."""

from __future__ import annotations

from pathlib import Path

GLOO = Path(__file__).parents[2] / "fixtures" / "gloo4"
"""Four ranks that were recorded together."""


def kernel(ts: float, dur: float = 10.0, name: str = "gemm", **more: object) -> dict[str, object]:
    """A kernel of device 0 on stream 7."""
    return {
        "ph": "X",
        "cat": "kernel",
        "name": name,
        "pid": 0,
        "tid": 7,
        "ts": ts,
        "dur": dur,
        **more,
    }


def launched(ts: float, number: int, name: str = "gemm") -> list[dict[str, object]]:
    """A kernel, its launch 5 us earlier, and the arrow between them."""
    launch = {"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 99, "tid": 99}
    flow = {"cat": "ac2g", "name": "ac2g", "id": number}
    return [
        {**launch, "ts": ts - 5, "dur": 2, "args": {"correlation": number}},
        kernel(ts, name=name, args={"correlation": number}),
        {"ph": "s", "pid": 99, "tid": 99, "ts": ts - 5, **flow},
        {"ph": "f", "bp": "e", "pid": 0, "tid": 7, "ts": ts, **flow},
    ]


def info(rank: int, size: int = 2) -> dict[str, object]:
    """A header."""
    return {
        "distributedInfo": {"rank": rank, "world_size": size},
        "baseTimeNanoseconds": 1_767_189_312_000_000_000,
    }
