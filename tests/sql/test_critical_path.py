"""`critical_path`: what each step took as long as, by kind and by rank."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.gpu_strategies import gpu_events
from tests.support.gpu_traces import Event, Row, answer, ask, call, copy, note, work
from tests.support.handmade import text
from tests.support.rank_traces import custom, foreign
from tests.support.rank_traces import work as rank_work
from tests.support.strategies import LOADING
from tp_tools.engine import load

if TYPE_CHECKING:
    from tp_tools.engine.processor import Processor


def by_kind(rows: list[Row], part: str = "all") -> dict[str, int]:
    """The path of one part by kind, in ns."""
    return {row["kind"]: row["path_ns"] for row in rows if row["part"] == part}


def by_window(rows: list[Row], column: str) -> dict[tuple[Any, ...], int]:
    """Sums of a column by window, without those of 0."""
    sums: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        sums[tuple(row[it] for it in ("rank", "device", "part", "number", "step"))] += row[column]
    return {window: total for window, total in sums.items() if total}


def check_sums(tp: Processor) -> None:
    """The path of each window of `verdict` is as long as the window."""
    paths = answer("critical_path", tp)
    assert all(row["path_ns"] > 0 for row in paths)
    assert by_window(paths, "path_ns") == by_window(answer("verdict", tp), "dur")


def one_step() -> list[Event]:
    """A step whose path goes over two streams, a synchronisation and a launch.

    stream 7       30   100  110  150                          290  330
                   | k1  |    | k2 |                            | k4 |
    stream 8                       150   200
                                   | k3   |
    CPU  10 20   25   50     60                220       260 270
         |k1|    |k2,k3|      | synchronise     |  other  |k4 |
    """
    return [
        note("ProfilerStep#1", 0, 400),
        call("cudaLaunchKernel", 10, 20, 1),
        call("cudaLaunchKernel", 25, 40, 2),
        call("cudaLaunchKernel", 45, 50, 3),
        call("cudaLaunchKernel", 50, 55, 5),
        call("cudaDeviceSynchronize", 60, 220, 9),
        call("cudaLaunchKernel", 260, 270, 4),
        work("k1", 30, 100, correlation=1),
        work("k2", 110, 150, correlation=2),
        work("k3", 150, 200, correlation=3, stream=8),
        work("hidden", 160, 180, correlation=5, stream=9),
        work("k4", 290, 330, correlation=4),
    ]


def test_every_column_by_hand() -> None:
    """The kernel on a third stream is hidden; everything else is on the path."""
    rows = ask("critical_path", one_step())
    first = next(row for row in rows if row["part"] == "step")
    assert first == {
        "rank": None,
        "device": 0,
        "part": "step",
        "number": 1,
        "step": "ProfilerStep#1",
        "kind": "compute",
        "on_rank": None,
        "path_ns": 200,
        "path_percent": 66.667,
        "segments": 4,
        "mostly": "k1",
        "mostly_ns": 70,
    }
    kinds = {
        "compute": 200,
        "cpu": 40,
        "front end": 20,
        "sync": 20,
        "dependency": 10,
        "launch call": 10,
    }
    assert by_kind(rows, "step") == by_kind(rows) == kinds
    assert list(by_kind(rows)) == list(kinds)
    named = {row["kind"]: row["mostly"] for row in rows if row["part"] == "step"}
    assert (named["sync"], named["cpu"]) == ("cudaDeviceSynchronize", "k4")
    assert (named["launch call"], named["dependency"]) == ("cudaLaunchKernel", "k2")


def test_a_synchronisation_that_waited_for_nothing() -> None:
    """All work had ended before: it is time of the CPU, back to the start of the window."""
    events = [
        call("cudaLaunchKernel", 0, 5, 1),
        call("cudaDeviceSynchronize", 50, 60, 9),
        call("cudaLaunchKernel", 80, 90, 2),
        work("a", 10, 20, correlation=1),
        work("b", 95, 100, correlation=2),
    ]
    kinds = {"cpu": 70, "launch call": 10, "front end": 5, "compute": 5}
    assert by_kind(ask("critical_path", events)) == kinds


def test_a_copy_that_holds_the_cpu() -> None:
    """It is on the path before what the CPU launched afterwards, and its call is its launch."""
    name = "Memcpy DtoH (Device -> Pageable)"
    events = [
        call("cudaLaunchKernel", 0, 5, 1),
        call("cudaMemcpyAsync", 30, 70, 2),
        call("cudaLaunchKernel", 80, 85, 3),
        work("a", 10, 20, correlation=1),
        copy(name, 50, 60, correlation=2),
        work("b", 85, 100, correlation=3),
    ]
    assert by_kind(ask("critical_path", events)) == {
        "launch call": 5 + 20,
        # before the copy's call, back to the start of the window, and from its return on
        "cpu": 20 + 10,
        "compute": 15,
        "copy": 10,
        "sync": 10,
    }


def test_work_without_a_launch() -> None:
    """What it waited for is not known, but that other work ran before."""
    rows = ask("critical_path", [work("a", 0, 10), work("b", 40, 50)])
    assert by_kind(rows) == {"unknown": 30, "compute": 20}


def test_the_path_goes_on_where_a_collective_waited() -> None:
    """Rank 0 arrives at 20 us, rank 1 after a gemm at 80 us: that gemm is on both paths."""
    slices = [
        rank_work(0, 0, 20),
        custom(0, 20, 100),
        rank_work(1, 0, 80, name="slow"),
        custom(1, 80, 100),
    ]
    rows = ask("critical_path", foreign(slices))
    columns = ("rank", "kind", "on_rank", "path_ns", "path_percent", "mostly")
    assert [tuple(row[it] for it in columns[:5]) for row in rows] == [
        (0, "compute", 1, 80_000, 80),
        (0, "communication", 0, 20_000, 20),
        (1, "compute", 1, 80_000, 80),
        (1, "communication", 1, 20_000, 20),
    ]
    assert rows[0]["mostly"] == "slow"


@LOADING
@given(gpu_events())
def test_made_paths_add_up(made: list[Event]) -> None:
    """In whichever relation work, calls and steps stand, paths end and fill their windows."""
    with load([text(made)], source="trace.json", allow_loss=True) as tp:
        check_sums(tp)


ROUNDS = st.lists(
    st.lists(st.tuples(st.integers(0, 30), st.integers(0, 9)), min_size=3, max_size=3),
    min_size=1,
    max_size=4,
)


@LOADING
@given(ROUNDS)
def test_paths_over_ranks_add_up(rounds: list[list[tuple[int, int]]]) -> None:
    """Each round is a gemm per rank and an all-reduce, some of whose ranks leave early."""
    slices, start = [], 0
    for ranks in rounds:
        arrivals = [start + gemm + 1 for gemm, _ in ranks]
        end = max(arrivals) + 10
        for rank, (gemm, early) in enumerate(ranks):
            slices += [rank_work(rank, start, start + gemm + 1)]
            slices += [custom(rank, arrivals[rank], max(arrivals[rank] + 1, end - early))]
        start = end
    with load([text(foreign(slices))], source="trace.json", allow_loss=True) as tp:
        check_sums(tp)
