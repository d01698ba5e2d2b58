"""Small traces of gaps and collectives whose right answers were found by hand, read in place."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tp_tools import query

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = Path(__file__).resolve().parents[2] / "../shared/cases"
PARTS = ("wait_ns", "cpu_ns", "launch_call_ns", "dependency_ns", "front_end_ns", "unknown_ns")


@pytest.fixture
def ask() -> Callable[..., list[Any]]:
    """Gives columns of a query's rows on a case, or skips the test without the case."""

    def rows_of(case: str, name: str, *columns: str) -> list[Any]:
        path = CASES / case
        if not path.exists():
            pytest.skip(f"the case {case} is not in {CASES}")
        traces = sorted(path.glob("*.json"))
        frame = query(name, traces)[list(columns)].astype(object)
        rows = frame.where(frame.notna(), None).itertuples(index=False, name=None)
        return [row if len(columns) > 1 else row[0] for row in rows]

    return rows_of


def test_time_after_the_launch(ask: Callable[..., list[Any]]) -> None:
    """6 us of 100 ms are the CPU's and the launch call's, the rest comes after it."""
    rows = ask("sql/gap_after_launch", "gaps", "why", *PARTS)
    assert rows == [("front end", 0, 1_000, 5_000, 0, 99_994_000, 0)]


def test_a_wait_at_the_start_of_a_gap(ask: Callable[..., list[Any]]) -> None:
    """5 us of waiting, 995 us of other work, 5 us in the call, 5 us after it."""
    rows = ask("sql/gap_sync_tail", "gaps", "waited_in", *PARTS)
    assert rows == [("cudaStreamSynchronize", 5_000, 995_000, 5_000, 0, 5_000, 0)]


def test_a_copy_that_blocks(ask: Callable[..., list[Any]]) -> None:
    """The call of `.item()` returns 10 us into the second gap."""
    rows = {ts: parts for ts, *parts in ask("sql/gap_item", "gaps", "ts", "waited_in", *PARTS)}
    assert rows[140_000] == ["cudaMemcpyAsync", 10_000, 150_000, 5_000, 0, 5_000, 0]


def test_a_step_boundary_beside_the_cause(ask: Callable[..., list[Any]]) -> None:
    """The sampling kernel belongs to no step; its thread waited for 100 of 250 us."""
    rows = {ts: rest for ts, *rest in ask("sql/gap_end_of_step", "gaps", "ts", *PARTS)}
    assert rows[80_000] == [100_000, 130_000, 5_000, 0, 15_000, 0]
    marks = dict(ask("sql/gap_end_of_step", "gaps", "ts", "at_step_boundary"))
    assert marks == {50_000: 0, 80_000: 1, 350_000: 1}


def test_a_gemm_under_pdl_hides_nothing(ask: Callable[..., list[Any]]) -> None:
    """Hidden 0, exposed 100 us, compute 10 us, in all three queries."""
    assert ask("sql/pdl_hides", "comm_overlap", "hidden_ns", "exposed_ns") == [(0, 100_000)]
    found = ask("sql/pdl_hides", "gpu_time", "exposed_communication_ns", "compute_ns")
    assert found == [(100_000, 10_000)]
    assert ask("sql/pdl_hides", "collectives_by_rank", "hidden_compute_us") == [0]


def test_names_of_collectives(ask: Callable[..., list[Any]]) -> None:
    """Each of ten kernels is its kind; a reduction within a device is none."""
    assert ask("sql/collective_names", "collectives", "kind") == [
        "all_reduce",
        "all_reduce",
        "dispatch",
        "combine",
        "dispatch",
        "combine",
        "recv",
        "reduce_scatter",
        "dispatch",
        "all_reduce",
    ]


def test_the_step_that_launched(ask: Callable[..., list[Any]]) -> None:
    """`allreduce` and `collectives` say the step that `steps` says."""
    assert ask("sql/collective_step", "allreduce", "step") == ["ProfilerStep#1"]
    assert ask("sql/collective_step", "collectives", "step") == ["ProfilerStep#1"]


def test_ties(ask: Callable[..., list[Any]]) -> None:
    """Ranks that always come together are never last."""
    assert ask("sql/stragglers_ties", "stragglers", "times_last") == [0] * 4
    assert set(ask("sql/stragglers_ties", "allreduce", "straggler")) == {None}


def test_formulas(ask: Callable[..., list[Any]]) -> None:
    """Rank 1 comes 100 us late to each all-reduce; size and time give 4.194304 GB/s."""
    rows = set(ask("sql/job_formulas", "allreduce", "straggler", "skew_us", "algbw", "busbw"))
    assert rows == {(1, 100, 4.194304, 4.194304)}
    assert ask("sql/job_formulas", "stragglers", "rank", "times_last") == [(1, 12), (0, 0)]


@pytest.mark.filterwarnings("ignore:the job has more ranks")
def test_all_to_alls_as_send_recv(ask: Callable[..., list[Any]]) -> None:
    """Five of eight collectives per rank are all-to-alls, by the annotation around the launch."""
    kinds = ask("files/alltoall_sendrecv", "collectives_by_rank", "rank", "kind")
    for rank in (0, 1):
        assert sorted(kind for it, kind in kinds if it == rank) == (
            ["all_reduce"] * 3 + ["all_to_all"] * 5
        )
    assert len(ask("files/alltoall_sendrecv", "all_to_all", "ranks")) == 5
