"""`collectives_by_rank`: arrivals, waits and ends of each rank."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.gpu_traces import answer, ask, process_name
from tests.support.handmade import overlap_options, source_of, text
from tests.support.rank_traces import (
    CUSTOM,
    NCCL,
    THREAD,
    Slice,
    custom,
    foreign,
    group,
    ours,
    reduction,
    rows,
    told,
    work,
)
from tp_tools import engine
from tp_tools.repair import analysis
from tp_tools.writing.pftrace import writer

if TYPE_CHECKING:
    from pathlib import Path


def test_every_column_by_hand() -> None:
    """Two ranks, one of which started under PDL, with compute beside it.

    us:       0    10   20   30   40
    rank 4
      gemm    ===============            ahead on stream 7
      gather       ====================  (10 to 42): arrives at 30
      gemm               ===========     (25 to 45) on stream 20: hides 12
    rank 5
      gather            ===========      (20 to 41)
    """
    args = told("_allgather_base", (100, 200), Seq=9, Comms_Id=55) | group("1", 4, 5)
    early = Slice(4, NCCL, 10, 42, row=8, args=args | {"stream": 7, "tpt_tid": 7})
    events = foreign(
        [
            work(4, 0, 30),
            early,
            work(4, 25, 45, row=20),
            reduction(5, 20, 41, args),
            work(4, 0, 50, "ProfilerStep#2", cat="user_annotation", row=THREAD),
        ]
    )
    both = {
        "collective": 0,
        "kind": "all_gather",
        "seq": 9,
        "process_group": "1",
        "matched_by": "comms_id",
        "confidence": "certain",
        "stream": 7,
        "in_bytes": 200,
        "out_bytes": 400,
        "name": NCCL,
    }
    assert ask("collectives_by_rank", events) == [
        {
            **both,
            "rank": 4,
            "device": 4,
            "ts": 10_000,
            "is_pdl_start": 1,
            "arrival": 30_000,
            "wait_us": 0,
            "is_straggler": 1,
            "ts_end": 42_000,
            "transfer_us": 12,
            "hidden_compute_us": 12,
            "step": "ProfilerStep#2",
        },
        {
            **both,
            "rank": 5,
            "device": 5,
            "ts": 20_000,
            "is_pdl_start": 0,
            "arrival": 20_000,
            "wait_us": 10,
            "is_straggler": 0,
            "ts_end": 41_000,
            "transfer_us": 11,
            "hidden_compute_us": 0,
            "step": None,
        },
    ]


def test_eight_ranks_wait_for_one() -> None:
    """Rank 3 comes 70 us after rank 0; each waits for what is left."""
    events = foreign([custom(rank, 10 * rank + 100 * (rank == 3), 200) for rank in range(8)])
    waits = rows("collectives_by_rank", events, "wait_us")
    assert waits == [130, 120, 110, 0, 90, 80, 70, 60]
    assert rows("allreduce", events, "wait_us", "skew_us", "straggler") == [(660, 130, 3)]


def test_of_ranks_that_come_together_nobody_is_last() -> None:
    """Two ranks arrive at the same ns: neither is the straggler."""
    events = foreign([custom(2, 0, 10), custom(1, 0, 10)])
    assert rows("collectives_by_rank", events, "rank", "is_straggler") == [(1, 0), (2, 0)]
    assert rows("allreduce", events, "straggler", "skew_us") == [(None, 0)]


def test_ranks_that_come_last_together_share_it() -> None:
    """Ranks 0 and 2 arrive 4 us after rank 1: both are last, so no single one is the straggler."""
    events = foreign([custom(0, 4, 10), custom(1, 0, 10), custom(2, 4, 10)])
    assert rows("collectives_by_rank", events, "rank", "is_straggler") == [(0, 1), (1, 0), (2, 1)]
    assert rows("allreduce", events, "straggler", "wait_us") == [(None, 4)]


def test_ranks_in_lanes_that_repairs_made() -> None:
    """A kernel on the lane "stream 7 (2)" of our merge belongs to stream 7, also as to PDL."""
    row = 100_000 + 7
    early = Slice(0, CUSTOM, 5, 20, row=8, args={"stream": 7, "tpt_tid": row, "tpt_lane": 2})
    parts = [early, custom(1, 12, 20)]
    said = {"matched_by": "order", "confidence": "tested"}
    events = ours([work(0, 0, 10), *parts], {0: (parts, said)})
    found = rows("collectives_by_rank", events, "rank", "stream", "is_pdl_start", "arrival")
    assert found == [(0, 7, 1, 10_000), (1, 7, 0, 12_000)]


def test_no_collective_gives_no_rows() -> None:
    """A trace without any is no error, in all queries of a job."""
    events = foreign([work(0, 0, 10), work(1, 0, 10)])
    assert ask("collectives_by_rank", events) == []
    assert ask("allreduce", events) == []
    assert ask("stragglers", events) == []


def test_repairs_keep_the_ranks_of_other_mergers(tmp_path: Path) -> None:
    """Their "[TP01] 0" stands in ids, which repairs replace, under names that all ranks share."""
    parts = foreign([custom(0, 0, 30), custom(1, 10, 30), custom(1, 25, 40, row=8)])
    names = [process_name(event["pid"], "python3") for event in parts]
    found = source_of(text([*names, *parts]), tmp_path)
    it = analysis.analyze(found, overlap_options())
    forms = (
        b"".join(analysis.rewrite(found, it)),
        b"".join(writer.rewrite(found, it.trace, it.table, it.plan)),
    )
    for form in forms:
        with engine.load([form], source="repaired") as tp:
            ranks = [row["rank"] for row in answer("collectives_by_rank", tp)]
        assert sorted(ranks) == [0, 1, 1]
