"""`stragglers`: who the others wait for, and what kept it."""

from __future__ import annotations

from tests.support.gpu_traces import ask
from tests.support.rank_traces import (
    CUSTOM,
    Slice,
    custom,
    foreign,
    group,
    reduction,
    rows,
    told,
    work,
)

CAUSE = ("cause", "caused_by", "caused_by_us")


def round_of(start: float, gemms: tuple[float, ...], launch: tuple[float, ...]) -> list[Slice]:
    """A gemm on each rank, a gap, and an all-reduce that ends 20 us after the last has come."""
    arrivals = [start + gemm + gap for gemm, gap in zip(gemms, launch, strict=True)]
    end = max(arrivals) + 20
    return [
        it
        for rank, (gemm, arrival) in enumerate(zip(gemms, arrivals, strict=True))
        for it in (work(rank, start, start + gemm), custom(rank, arrival, end))
    ]


def test_every_column_by_hand() -> None:
    """Three ranks, three all-reduces: rank 2 computes 28 us longer once, once it starts 8 us later.

    arrivals, from the end of the all-reduce before:
        rank 0   12   12   12
        rank 1   12   14   12    last of none
        rank 2   12   42   20    last of the second and third (of the first nobody is)
    """
    events = foreign(
        [
            *round_of(0, (10, 10, 10), (2, 2, 2)),
            *round_of(32, (10, 12, 40), (2, 2, 2)),
            *round_of(94, (10, 10, 10), (2, 2, 10)),
        ]
    )
    last, usual, first = ask("stragglers", events)
    assert last == {
        "rank": 2,
        "collectives": 3,
        "uncertain": 0,
        "times_last": 2,
        # 30 and 28 of the second, 8 and 8 of the third
        "caused_wait_us": 74,
        "wait_us": 0,
        # 0, 28 and 8 after the median
        "median_lateness_us": 8,
        # a gemm of 40 us against 12 us of the median rank
        "late_work_us": 28,
        # 10 us against 2 us of the median rank
        "late_gaps_us": 8,
        # 28 of 36 us
        "cause": "work",
        "caused_by": "gemm",
        "caused_by_us": 28,
        "late_kernel": "gemm",
        "late_kernel_us": 28,
    }
    assert usual == {
        **last,
        "rank": 0,
        "times_last": 0,
        "caused_wait_us": 0,
        "wait_us": 38,
        "median_lateness_us": 0,
        # nothing is before the first
        "late_work_us": None,
        "late_gaps_us": None,
        "cause": None,
        "caused_by": None,
        "caused_by_us": None,
        "late_kernel": None,
        "late_kernel_us": None,
    }
    assert (first["rank"], first["times_last"], first["wait_us"]) == (1, 0, 36)


def test_the_kernel_that_keeps_a_rank() -> None:
    """Of all kernels between, the one that ran longest against the median rank, not the longest."""
    events = foreign(
        [
            *[custom(rank, 0, 10) for rank in range(3)],
            *[work(rank, 10, 110, "attention") for rank in range(3)],
            *[work(rank, 110, 120, "norm") for rank in range(2)],
            work(2, 110, 150, "norm"),
            *[custom(rank, 121, 180) for rank in range(2)],
            custom(2, 151, 180),
        ]
    )
    found = {row["rank"]: row for row in ask("stragglers", events)}
    assert (found[2]["late_kernel"], found[2]["late_kernel_us"]) == ("norm", 30)
    assert (found[2]["late_work_us"], found[2]["late_gaps_us"]) == (30, 0)


def test_ties_blame_nobody_or_all_alike() -> None:
    """Of two all-reduces all ranks come to one together; two of three come last to the other.

    There the third waits 6 us for both: 3 us each.
    """
    events = foreign(
        [
            *[custom(rank, 0, 10) for rank in range(3)],
            custom(0, 24, 30),
            custom(1, 18, 30),
            custom(2, 24, 30),
        ]
    )
    found = rows("stragglers", events, "rank", "times_last", "caused_wait_us", "wait_us")
    assert found == [(0, 1, 3, 0), (2, 1, 3, 0), (1, 0, 0, 6)]


def test_each_of_several_that_come_last_has_its_own_cause() -> None:
    """Ranks 2 and 3 are both 30 us later than the median: one computes, the other idles."""
    events = foreign(
        [
            *[custom(rank, 0, 10) for rank in range(4)],
            *[work(rank, 10, 20) for rank in (0, 1, 3)],
            work(2, 10, 50),
            *[custom(rank, 20, 60) for rank in (0, 1)],
            *[custom(rank, 50, 60) for rank in (2, 3)],
        ]
    )
    found = {row["rank"]: row for row in ask("stragglers", events)}
    assert [found[2][name] for name in CAUSE] == ["work", "gemm", 30]
    assert [found[3][name] for name in CAUSE] == ["idle", CUSTOM, 30]
    assert [(found[rank]["late_work_us"], found[rank]["late_gaps_us"]) for rank in (2, 3)] == [
        (30, 0),
        (0, 30),
    ]


def test_idle_time_is_that_of_the_work_that_ended_it() -> None:
    """Rank 1 starts its gemm 40 us later than rank 0."""
    events = foreign(
        [
            *[custom(rank, 0, 10) for rank in range(2)],
            work(0, 12, 20),
            work(1, 52, 60),
            custom(0, 21, 70),
            custom(1, 61, 70),
        ]
    )
    found = {row["rank"]: row for row in ask("stragglers", events)}
    assert [found[1][name] for name in CAUSE] == ["idle", "gemm", 40]


def test_what_explains_less_than_a_fifth_is_no_cause() -> None:
    """Of 100 us of lateness one kernel explains 19: idle time is the cause, no kernel is named."""
    events = foreign(
        [
            *[custom(rank, 0, 10) for rank in range(2)],
            work(0, 10, 20),
            work(1, 10, 39),
            custom(0, 20, 130),
            custom(1, 120, 130),
        ]
    )
    found = {row["rank"]: row for row in ask("stragglers", events)}
    assert [found[1][name] for name in CAUSE] == ["idle", CUSTOM, 81]
    assert (found[1]["late_work_us"], found[1]["late_kernel"]) == (19, None)


def test_copies_keep_a_rank_too_and_time_counts_once() -> None:
    """A copy and a gemm side by side for 30 us keep it 30 us, not 60."""
    events = foreign(
        [
            *[custom(rank, 0, 10) for rank in range(2)],
            custom(0, 12, 50),
            work(1, 10, 40, row=20),
            work(1, 10, 40, "Memcpy HtoD", cat="gpu_memcpy", row=21),
            custom(1, 42, 50),
        ]
    )
    found = {row["rank"]: row for row in ask("stragglers", events)}
    assert (found[1]["late_work_us"], found[1]["late_gaps_us"]) == (30, 0)
    assert found[1]["late_kernel_us"] == 30


def test_what_runs_on_under_a_collective_counts_once_it_is_over() -> None:
    """A gemm on another stream runs from 5 to 40, the all-reduce before ends at 10: 30 us count."""
    events = foreign(
        [
            *[custom(rank, 0, 10) for rank in range(2)],
            work(1, 5, 40, row=20),
            custom(0, 15, 50),
            custom(1, 45, 50),
        ]
    )
    found = {row["rank"]: row for row in ask("stragglers", events)}
    assert (found[1]["late_work_us"], found[1]["late_gaps_us"]) == (30, 0)


def test_ranks_that_come_from_elsewhere_are_not_compared() -> None:
    """Rank 1 missed the all-reduce before: its way to this one is longer, and says nothing."""
    args = [told(Seq=seq) | group("1", 0, 1) for seq in range(3)]
    events = foreign(
        [
            *[reduction(rank, 0, 10, args[0]) for rank in range(2)],
            reduction(0, 20, 30, args[1]),
            reduction(0, 40, 60, args[2]),
            reduction(1, 50, 60, args[2]),
        ]
    )
    (row,) = [row for row in ask("stragglers", events) if row["rank"] == 1]
    assert (row["times_last"], row["caused_wait_us"]) == (1, 10)
    assert (row["late_work_us"], row["late_gaps_us"]) == (None, None)


def test_doubtful_matches_are_left_out_and_counted() -> None:
    """Clocks 10 ms apart make every all-reduce look late: they blame nobody."""
    events = foreign(
        [
            custom(rank, 100 * i + 10_000 * rank, 100 * i + 10_000 * rank + 50)
            for rank in range(2)
            for i in range(4)
        ]
    )
    found = rows("stragglers", events, "rank", "collectives", "uncertain", "times_last", "wait_us")
    assert found == [(0, 0, 4, 0, 0), (1, 0, 4, 0, 0)]


def test_messages_and_broadcasts_blame_nobody() -> None:
    """Stages of a pipeline wait for each other by design, and receivers for their root."""
    other = told("broadcast") | group("1", 0, 1)
    args = told("send") | group("1", 0, 1)
    events = foreign(
        [
            reduction(0, 0, 10, other),
            reduction(1, 5, 10, other),
            reduction(0, 20, 50, args | {"Dst Rank": 1}),
            reduction(1, 40, 50, told("recv") | group("1", 0, 1) | {"Src Rank": 0}),
        ]
    )
    assert rows("stragglers", events, "rank", "collectives", "wait_us") == [(0, 0, 0), (1, 0, 0)]


def test_one_rank_has_nobody_to_wait_for() -> None:
    """The trace of one rank has one row, without blame."""
    (row,) = ask("stragglers", foreign([custom(0, 0, 10)]))
    assert (row["collectives"], row["times_last"], row["median_lateness_us"]) == (0, 0, None)
