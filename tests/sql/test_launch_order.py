"""`checks/launch_order`: kernels, calls without kernels, replays and annotations by hand."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.support.gpu_traces import call, copy, note, process_name, work
from tests.support.handmade import text
from tp_tools import engine, library

if TYPE_CHECKING:
    from collections.abc import Iterable


def ask(events: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the query, in order of their kind and start."""
    with engine.load([text(events)], source="trace.json") as tp:
        found = engine.run_file(tp, library.check("launch_order"))
    rows = [dict(zip(found.columns, row, strict=True)) for row in found.rows]
    return sorted(rows, key=lambda row: (row["what"], row["ts"]))


def test_every_column_by_hand() -> None:
    """A kernel of a replay, as an export has it."""
    shape = {"grid": [2, 3, 1], "block": [64, 1, 1]}
    shape |= {"registers per thread": 40, "shared memory": 1536, "nsys grid id": 7}
    more = {"correlation": 1, "graph node id": 4, "short name": "gemm", "device": 1}
    [row] = ask(
        [
            call("cudaGraphLaunch", 1_000, 1_005, 1),
            work("void gemm<(int)4>(int)", 1_100, 1_250, stream=20, **shape, **more),
        ]
    )
    assert row == {
        "what": "kernel",
        "rank": None,
        "ts": 1_100,
        "dur": 150,
        "name": "void gemm<(int)4>(int)",
        "short_name": "gemm",
        "device": 1,
        "stream": 20,
        "launch_ts": 1_000,
        "grid": "2 x 3 x 1",
        "block": "64 x 1 x 1",
        "registers": 40,
        "shared_memory": 1536,
        "grid_id": 7,
        "in_graph": 1,
    }


def test_what_is_no_kernel() -> None:
    """Copies are left out, calls that launched work, and annotations of a name with several."""
    rows = ask(
        [
            call("cudaLaunchKernel", 1_000, 1_005, 1),
            call("cudaLaunchCooperativeKernel", 1_010, 1_015, 2),
            call("cudaMemcpyAsync", 1_020, 1_025, 3),
            call("cudaDeviceSynchronize", 1_030, 1_035, 4),
            work("a", 1_100, 1_200, correlation=1),
            copy("Memcpy DtoD (Device -> Device)", 1_200, 1_210, correlation=3),
            work("CUDA graph 1, its kernels not recorded", 1_300, 1_400, cat="cuda_graph"),
            note("step 1", 900, 2_000),
            note("forward", 950, 960),
            note("forward", 970, 980),
        ]
    )
    assert [(row["what"], row["ts"]) for row in rows] == [
        ("annotation", 900),
        ("call", 1_010),
        ("graph", 1_300),
        ("kernel", 1_100),
    ]


def test_ranks_of_a_merge() -> None:
    """Kernels, calls and annotations have the rank of their process; a name is counted in each."""
    rows = ask(
        [
            process_name(100, "rank 3 python"),
            process_name(0, "rank 3 GPU 0"),
            process_name(1, "rank 4 GPU 1"),
            note("step 1", 900, 2_000),
            call("cudaLaunchKernel", 1_000, 1_005, 1),
            work("a", 1_100, 1_200),
            work("b", 1_100, 1_200, device=1),
        ]
    )
    assert [(row["what"], row["rank"]) for row in rows] == [
        ("annotation", 3),
        ("call", 3),
        ("kernel", 3),
        ("kernel", 4),
    ]
