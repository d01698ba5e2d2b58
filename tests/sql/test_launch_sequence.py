"""`launch_sequence`: GPU work in the order of its launches."""

from __future__ import annotations

from tests.support.gpu_traces import ask, call, note, work


def test_order_is_that_of_launches() -> None:
    """A kernel that was launched later and ran earlier, on another stream, stands later."""
    events = [
        note("ProfilerStep#7", 0, 100),
        call("cudaLaunchKernel", 10, 15, 1),
        call("cudaLaunchKernel", 20, 25, 2),
        work("late", 80, 90, correlation=1),
        work("early", 30, 40, correlation=2, stream=8, grid=[4, 2, 1]),
    ]
    rows = ask("launch_sequence", events)
    assert [(row["number"], row["place"], row["name"], row["grid"]) for row in rows] == [
        (7, 0, "late", None),
        (7, 1, "early", "4 x 2 x 1"),
    ]


def test_work_of_a_graph_is_in_the_order_of_its_starts() -> None:
    """All of it has one launch; each step counts its places from 0."""
    events = [
        note("ProfilerStep#1", 0, 50),
        note("ProfilerStep#2", 50, 100),
        call("cudaGraphLaunch", 10, 15, 1),
        call("cudaLaunchKernel", 60, 65, 2),
        work("b", 30, 40, correlation=1),
        work("a", 20, 30, correlation=1),
        work("c", 70, 80, correlation=2),
    ]
    rows = ask("launch_sequence", events)
    assert [(row["number"], row["place"], row["name"], row["in_graph"]) for row in rows] == [
        (1, 0, "a", 1),
        (1, 1, "b", 1),
        (2, 0, "c", 0),
    ]


def test_work_without_a_launch_stands_at_its_start() -> None:
    """A trace of the GPU alone is in the order of starts."""
    rows = ask("launch_sequence", [work("b", 20, 30), work("a", 0, 10)])
    assert [(row["name"], row["dur"]) for row in rows] == [("a", 10), ("b", 10)]
