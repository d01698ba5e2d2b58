"""`captures`, and `modules` through CUDA graphs: replays are taken apart by what was captured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.support.captured import LAYER, RAN, Launch, capture, captured_launches, replay
from tests.support.gpu_traces import Event, ask, call, work

if TYPE_CHECKING:
    from collections.abc import Sequence


def modules(
    events: list[Event], graphs: Sequence[Sequence[Launch]]
) -> dict[str | None, tuple[Any, ...]]:
    """Calls, GPU time and that of itself, by path; the reason where there is no path."""
    rows = ask("modules", events, {"captures": captured_launches(capture(graphs))})
    return {
        row["path"] or row["reason"]: (row["calls"], row["gpu_ns"], row["self_gpu_ns"])
        for row in rows
    }


def test_captures_by_hand() -> None:
    """Launches and copies of each graph in order, with their modules; other calls are none."""
    graphs = [LAYER, LAYER[:1]]
    beside = [call("hipLaunchKernel", 0, 5, 7), call("hipStreamIsCapturing", 1011, 1012, 0)]
    rows = ask("captures", [*beside, *capture(graphs)])
    keys = ("graph", "node", "call", "is_copy", "kernel", "path")
    assert [tuple(row[key] for key in keys) for row in rows] == [
        (0, 0, "hipLaunchKernel", 0, "norm", "Model_0 > Norm_0"),
        (0, 1, "hipModuleLaunchKernel", 0, "gemm", "Model_0 > Linear_0"),
        (0, 2, "hipMemcpyAsync", 1, None, "Model_0 > Linear_0"),
        (0, 3, "hipLaunchKernel", 0, "gelu", "Model_0 > Mlp_0"),
        (1, 0, "hipLaunchKernel", 0, "norm", "Model_0 > Norm_0"),
    ]


def test_a_replay_is_taken_apart() -> None:
    """Two replays of 100 ns each; what came before them adds up with them."""
    aside = [call("hipLaunchKernel", 900, 905, 9), work("sample", 910, 950, correlation=9)]
    events = [*replay(RAN), *replay(RAN, 2, 400), *aside]
    assert modules(events, [LAYER]) == {
        "Model_0": (2, 200, 0),
        "Model_0 > Linear_0": (2, 100, 100),
        "Model_0 > Mlp_0": (2, 80, 80),
        "Model_0 > Norm_0": (2, 20, 20),
        "no modules recorded": (0, 40, 40),
    }


@pytest.mark.parametrize(
    "names",
    [
        RAN[:3],
        [*RAN, "gelu"],
        ["norm", "other gemm", *RAN[2:]],
        ["gemm", "norm", *RAN[2:]],
        ["norm", "gemm", "gelu", "Memset (Device)"],
    ],
)
def test_another_graph_is_not_taken_apart(names: list[str]) -> None:
    """One launch more or less, another kernel, another order."""
    assert list(modules(replay(names), [LAYER])) == ["no modules recorded"]


def test_the_graph_that_fits_is_found() -> None:
    """Of graphs for several sizes of batch."""
    small = [LAYER[0], ("hipLaunchKernel", "small gemm", "Linear_0")]
    found = modules(replay(["norm", "small gemm"]), [LAYER, small])
    assert found["Model_0 > Linear_0"] == (1, 20, 20)


def test_without_names_of_kernels_their_number_and_copies_tell() -> None:
    """CUDA's profiler does not name the kernel beside the call."""
    unnamed = [(name, None, module) for name, _, module in LAYER]
    assert modules(replay(RAN), [unnamed])["Model_0 > Mlp_0"] == (1, 40, 40)
    swapped = [*RAN[:2], RAN[3], RAN[2]]
    assert list(modules(replay(swapped), [unnamed])) == ["no modules recorded"]


def test_in_doubt_nothing_is_taken_apart() -> None:
    """Two graphs of as many unnamed launches, of other modules."""
    one = [("cudaLaunchKernel", None, "A_0"), ("cudaLaunchKernel", None, "B_0")]
    assert list(modules(replay(["x", "y"]), [one, one[::-1]])) == ["no modules recorded"]
    assert set(modules(replay(["x", "y"]), [one, one])) == {
        "Model_0",
        "Model_0 > A_0",
        "Model_0 > B_0",
    }


def test_nodes_count_in_the_order_of_their_numbers() -> None:
    """Branches of a graph run in another order than they were captured in."""
    launches = [("cudaLaunchKernel", None, "A_0"), ("cudaLaunchKernel", None, "B_0")]
    events = [
        call("cudaGraphLaunch", 0, 5, 1),
        work("b", 10, 20, correlation=1, **{"graph node id": 8}),
        work("a", 30, 60, correlation=1, **{"graph node id": 7}, stream=9),
    ]
    found = modules(events, [launches])
    assert found["Model_0 > A_0"] == (1, 30, 30)
