"""`kernels`: counts and times by name."""

from __future__ import annotations

from tests.support.gpu_traces import ask, copy, process_name, work


def test_every_column_by_hand() -> None:
    """Durations 10, 20, 30, 100 of one kernel: percentiles lie between neighbours in proportion."""
    rows = ask(
        "kernels",
        [
            work("gemm", 0, 10),
            work("gemm", 20, 40),
            work("gemm", 50, 80),
            work("gemm", 100, 200),
            work("relu", 300, 340),
        ],
    )
    gemm = {
        "rank": None,
        "name": "gemm",
        "short_name": "gemm",
        "kind": "compute",
        "count": 4,
        "total_ns": 160,
        "total_percent": 80.0,
        "mean_ns": 40,
        "p50_ns": 25,
        # at 0.99 * 3 = 2.97 of 0..3: 30 + 0.97 * 70 = 97.9
        "p99_ns": 98,
        "max_ns": 100,
    }
    relu = {
        "rank": None,
        "name": "relu",
        "short_name": "relu",
        "kind": "compute",
        "count": 1,
        "total_ns": 40,
        "total_percent": 20.0,
        "mean_ns": 40,
        "p50_ns": 40,
        "p99_ns": 40,
        "max_ns": 40,
    }
    assert rows == [gemm, relu]


def test_kinds() -> None:
    """Copies and memsets are copies, collectives are told by args or by name, all else computes."""
    rows = ask(
        "kernels",
        [
            work("gemm", 0, 6),
            work("ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)", 10, 15),
            work("mine", 20, 24, **{"Collective name": "allreduce"}),
            copy("Memcpy DtoD (Device -> Device)", 30, 33),
            copy("Memset (Device)", 40, 42),
        ],
    )
    kinds = [row["kind"] for row in rows]
    assert kinds == ["compute", "collective", "collective", "copy", "copy"]


def test_only_gpu_work_counts() -> None:
    """Annotations on the GPU, its waits, and CPU slices are no kernels."""
    events = [
        work("gemm", 0, 6),
        work("step", 0, 10, cat="gpu_user_annotation"),
        work("Stream Sync", 6, 9, cat="cuda_sync"),
        work("aten::mm", 0, 3, cat="cpu_op", device=5),
    ]
    assert [row["name"] for row in ask("kernels", events)] == ["gemm"]


def test_names_of_2021() -> None:
    """Categories as Kineto wrote them until 2021 are read too."""
    events = [
        work("gemm", 0, 6, cat="Kernel"),
        work("Memcpy HtoD", 10, 13, cat="Memcpy"),
        work("Memset", 20, 21, cat="Memset"),
    ]
    assert [row["kind"] for row in ask("kernels", events)] == ["compute", "copy", "copy"]


def test_ranks_of_a_merge_are_apart() -> None:
    """Each rank has its rows, and its shares add up to 100 by themselves."""
    events = [
        process_name(0, "rank 0 (TP0 DP0) GPU 0"),
        process_name(1, "rank 12 (TP1 DP0) GPU 1"),
        work("gemm", 0, 30),
        work("relu", 40, 50),
        work("gemm", 0, 20, device=1),
    ]
    rows = [(row["rank"], row["name"], row["total_percent"]) for row in ask("kernels", events)]
    assert rows == [(0, "gemm", 75.0), (0, "relu", 25.0), (12, "gemm", 100.0)]


def test_no_gpu_work_gives_no_rows() -> None:
    """A trace of the CPU alone has no kernels, and is no error."""
    assert ask("kernels", [work("aten::mm", 0, 3, cat="cpu_op")]) == []
