"""`launches`: delays, queues, graphs."""

from __future__ import annotations

import pytest

from tests.support.gpu_traces import THREAD, ask, call, copy, process_name, slice_of, work


def test_every_column_by_hand() -> None:
    """Three launches run ahead: each finds those in the queue that have not started."""
    events = [
        call("cudaLaunchKernel", 1_000, 1_005, 1),
        call("cudaLaunchKernel", 1_010, 1_015, 2),
        call("cudaMemcpyAsync", 1_020, 1_025, 3),
        work("a", 1_012, 1_100, correlation=1),
        work("b", 1_100, 1_200, correlation=2),
        copy("Memcpy DtoD (Device -> Device)", 1_200, 1_210, correlation=3),
    ]
    rows = ask("launches", events)
    assert rows[1] == {
        "rank": None,
        "device": 0,
        "stream": 7,
        "ts": 1_100,
        "dur": 100,
        "name": "b",
        "kind": "compute",
        "launch_ts": 1_010,
        "launch_dur": 5,
        "launch_name": "cudaLaunchKernel",
        "delay_ns": 90,
        "queue_depth": 1,  # a, which starts 2 ns later
        "is_graph": 0,
    }
    # a has started by 1,020, b has not
    assert [(r["kind"], r["queue_depth"]) for r in rows] == [
        ("compute", 0),
        ("compute", 1),
        ("copy", 1),
    ]


def test_a_queue_is_of_one_stream() -> None:
    """Work that waits on other streams or devices is not ahead in the queue."""
    events = [call("cudaLaunchKernel", 10 * i, 10 * i + 5, i) for i in (1, 2, 3, 4)]
    events += [
        work("a", 100, 110, correlation=1),
        work("b", 100, 110, correlation=2, stream=8),
        work("c", 100, 110, correlation=3, device=1),
        work("d", 110, 120, correlation=4),
    ]
    depth = {row["name"]: row["queue_depth"] for row in ask("launches", events)}
    assert depth == {"a": 0, "b": 0, "c": 0, "d": 1}


@pytest.mark.parametrize("name", ["cudaGraphLaunch", "hipGraphLaunch"])
def test_a_graph(name: str) -> None:
    """Kernels of a graph share one call, and are not in each other's queue."""
    events = [
        call("cudaLaunchKernel", 0, 5, 1),
        call(name, 10, 20, 2),
        call("cudaLaunchKernel", 30, 35, 3),
        work("eager", 15, 40, correlation=1),
        work("a", 40, 50, correlation=2),
        work("b", 50, 60, correlation=2),
        work("after", 70, 80, correlation=3),
    ]
    rows = [
        (r["name"], r["delay_ns"], r["queue_depth"], r["is_graph"]) for r in ask("launches", events)
    ]
    assert rows == [("eager", 15, 0, 0), ("a", 30, 1, 1), ("b", 40, 1, 1), ("after", 40, 2, 0)]


def test_a_graph_told_by_the_kernel() -> None:
    """Kernels that carry a graph's id are of a graph even if the call is not in the trace."""
    rows = ask(
        "launches",
        [work("a", 0, 1, correlation=5, **{"graph id": 3}), work("b", 2, 3, **{"graph id": 0})],
    )
    assert [(r["name"], r["is_graph"], r["launch_ts"]) for r in rows] == [
        ("a", 1, None),
        ("b", None, None),
    ]


def test_work_without_a_call_is_in_the_queue() -> None:
    """Work launched before the profile began has a row, and later launches find it in the queue."""
    events = [
        call("cudaLaunchKernel", 0, 5, 9),
        work("early", 10, 20, correlation=1),
        work("late", 20, 30, correlation=9),
    ]
    rows = [(r["name"], r["delay_ns"], r["queue_depth"]) for r in ask("launches", events)]
    assert rows == [("early", None, None), ("late", 20, 1)]


def test_which_work_without_a_call_is_in_the_queue() -> None:
    """Of its stream what starts between launch and start; what runs or comes later is not."""
    events = [
        call("cudaLaunchKernel", 100, 105, 1),
        call("cudaLaunchKernel", 110, 115, 2),
        work("runs", 50, 150),
        work("waits", 150, 160),
        work("waits too", 160, 170),
        work("elsewhere", 120, 130, stream=9),
        work("a", 170, 180, correlation=1),
        work("b", 180, 190, correlation=2),
        work("later", 190, 200),
    ]
    depth = {row["name"]: row["queue_depth"] for row in ask("launches", events)}
    assert (depth["a"], depth["b"]) == (2, 3)


def of_two(gpu: tuple[int, int], second: int = 200) -> list[dict[str, object]]:
    """Two processes, of which 100 is one, that launch with one correlation id; kernels' pids."""
    return [
        slice_of("cuda_runtime", "first", (100, THREAD), 0, 5, correlation=1),
        slice_of("cuda_runtime", "second", (second, THREAD), 1_000, 1_005, correlation=1),
        slice_of("kernel", "k1", (gpu[0], 7), 500, 600, correlation=1, device=0),
        slice_of("kernel", "k2", (gpu[1], 7), 1_500, 1_600, correlation=1, device=1),
        slice_of("cuda_runtime", "only first", (100, THREAD), 2_000, 2_005, correlation=8),
        slice_of("kernel", "k8", (gpu[1], 7), 3_000, 3_100, correlation=8, device=1),
    ]


def launch_names(events: list[dict[str, object]]) -> dict[str, str | None]:
    """Which call launched each kernel."""
    return {row["name"]: row["launch_name"] for row in ask("launches", events)}


def test_a_row_of_the_process_itself_has_its_calls_alone() -> None:
    """Streams under the pid of the process that launches: another process' call is not theirs."""
    assert launch_names(of_two((100, 200))) == {"k1": "first", "k2": "second", "k8": None}


def test_a_correlation_of_two_processes_is_told_by_time_or_not_at_all() -> None:
    """A call that begins after the work is not its launch; where both fit, none is named."""
    assert launch_names(of_two((0, 1))) == {"k1": "first", "k2": None, "k8": "only first"}


def test_a_process_with_the_number_of_a_gpu_does_not_own_its_streams() -> None:
    """The first process of a container has pid 1, as GPU 1: which call is whose stays open."""
    assert launch_names(of_two((0, 1), 1)) == {"k1": "first", "k2": None, "k8": "only first"}


def test_a_start_before_its_launch_is_shown_as_it_is() -> None:
    """Clocks that disagree give a negative delay, not a wrong queue."""
    events = [
        call("cudaLaunchKernel", 20, 25, 1),
        call("cudaLaunchKernel", 30, 35, 2),
        work("a", 18, 40, correlation=1),
        work("b", 40, 50, correlation=2),
    ]
    rows = [(r["delay_ns"], r["queue_depth"]) for r in ask("launches", events)]
    assert rows == [(-2, 0), (10, 0)]


def test_correlations_of_two_ranks_are_apart() -> None:
    """In a merge every rank counts its launches from 1."""
    events = []
    for rank in (0, 1):
        cpu, gpu = f"[TP{rank:02d}] 100", f"[TP{rank:02d}] 0"
        launch = slice_of(
            "cuda_runtime", "call", (0, THREAD), 10 * rank, 10 * rank + 5, correlation=1
        )
        events += [launch | {"pid": cpu}, work(f"of {rank}", 50, 60, correlation=1) | {"pid": gpu}]
    rows = [(r["rank"], r["name"], r["delay_ns"]) for r in ask("launches", events)]
    assert rows == [(0, "of 0", 50), (1, "of 1", 40)]


def test_the_names_of_merged_processes() -> None:
    """Where TP repeats, ranks are counted by DP, PP, TP; a rank's own number comes first."""
    pids = ["[TP00-PP00] 0", "[TP01-PP00] 1", "[TP00-PP01] 2", "[TP01-PP01] 3"]
    events = [work("k", 0, 1, device=i) | {"pid": pid} for i, pid in enumerate(pids)]
    events += [process_name(7, "rank 31 (TP7 DP3) GPU 7"), work("k", 0, 1, device=7)]
    rows = {r["device"]: r["rank"] for r in ask("launches", events)}
    assert rows == {0: 0, 1: 1, 2: 2, 3: 3, 7: 31}


def test_correlation_0_is_none() -> None:
    """Calls and kernels without a correlation do not belong together."""
    (row,) = ask("launches", [call("x", 0, 5, 0), work("k", 10, 20, correlation=0)])
    assert row["launch_ts"] is None
