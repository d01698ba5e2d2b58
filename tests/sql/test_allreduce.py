"""`allreduce`: which kernels of different ranks are one all-reduce, and what its times say."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import ask
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

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.support.gpu_traces import Event

    Merger = Callable[[Iterable[Slice]], list[Event]]

MATCH = ("matched_by", "confidence", "ranks")
WINDOW = ("first_arrival", "last_arrival", "window_end")


@pytest.mark.parametrize("merger", [foreign, ours])
def test_every_column_by_hand(merger: Merger) -> None:
    """Three of four ranks, with compute beside it on another stream and a step around it.

    us:       0    10   20   30   40   50
    rank 0         =================          waits 20
      gemm    ==========                      hides 10 of it
    rank 1              ============          waits 10
      gemm                        =====       hides 2, then runs on
    rank 3                   ========         (to 46) waits 0
    """
    args = told(size=4, elements=(1_000_000, 1_000_000), Seq=7, Comms_Id="18446744073709551615")
    args |= group("2", 0, 1, 2, 3, description="tp_cp")
    events = merger(
        [
            reduction(0, 10, 44, args),
            work(0, 0, 20, row=20),
            reduction(1, 20, 44, args),
            work(1, 42, 52, row=20),
            reduction(3, 30, 46, args),
            work(3, 25, 60, "ProfilerStep#12", cat="user_annotation", row=THREAD),
        ]
    )
    (row,) = ask("allreduce", events)
    assert row == {
        "collective": 0,
        "seq": 7,
        "process_group": "2",
        "process_group_desc": "tp_cp",
        "kind": "all_reduce",
        "matched_by": "comms_id",
        "confidence": "certain",
        "bytes": 2_000_000,
        "dtype": "BFloat16",
        "ranks": 3,
        "ranks_expected": 4,
        "pdl_starts": 0,
        "first_arrival": 10_000,
        "last_arrival": 30_000,
        "window_end": 46_000,
        "skew_us": 20,
        "straggler": 3,
        "transfer_us": 16,
        "wait_us": 30,
        # 2,000,000 bytes in 16 us, and 2 * 3 / 4 of it
        "algbw": 125,
        "busbw": 187.5,
        "hidden_compute_us": 12,
        "step": "ProfilerStep#12",
        "name": NCCL,
    }


def test_groups_of_a_subset_are_apart() -> None:
    """Ranks 0 and 1, and 2 and 3, count their own Seq; two all-reduces at one time stay two."""
    events = [
        reduction(rank, 10 * rank + 100 * seq, 50 + 100 * seq, told(Seq=seq) | group(*team))
        for seq in range(2)
        for rank, team in enumerate((("1", 0, 1), ("1", 0, 1), ("1", 2, 3), ("1", 2, 3)))
    ]
    found = rows("allreduce", foreign(events), "seq", "straggler", *MATCH, *WINDOW)
    assert found == [
        (0, 1, "seq", "certain", 2, 0, 10_000, 50_000),
        (0, 3, "seq", "certain", 2, 20_000, 30_000, 50_000),
        (1, 1, "seq", "certain", 2, 100_000, 110_000, 150_000),
        (1, 3, "seq", "certain", 2, 120_000, 130_000, 150_000),
    ]


def test_groups_that_interleave_on_one_stream_are_apart() -> None:
    """Without numbers, order counts within a group: ranks may see two groups in another order."""
    tp, dp = told() | group("1", 0, 1), told() | group("2", 0, 1, description="dp")
    events = [
        reduction(0, 0, 10, tp),
        reduction(1, 2, 10, tp),
        reduction(0, 20, 40, dp, row=20),
        reduction(1, 20, 30, tp),
        reduction(0, 25, 30, tp),
        reduction(1, 35, 40, dp, row=20),
    ]
    found = rows("allreduce", foreign(events), "process_group", *MATCH, *WINDOW)
    assert found == [
        ("1", "order", "tested", 2, 0, 2_000, 10_000),
        ("2", "order", "tested", 2, 20_000, 35_000, 40_000),
        ("1", "order", "tested", 2, 20_000, 25_000, 30_000),
    ]


def test_streams_tell_apart_what_says_nothing() -> None:
    """Two all-reduces run beside each other on streams 7 and 20 of both ranks."""
    events = [
        custom(0, 0, 30),
        custom(1, 10, 30),
        custom(0, 5, 20, row=20),
        custom(1, 2, 20, row=20),
    ]
    found = rows("allreduce", foreign(events), "straggler", *MATCH, *WINDOW)
    assert found == [
        (1, "order", "tested", 2, 0, 10_000, 30_000),
        (0, "order", "tested", 2, 2_000, 5_000, 20_000),
    ]


def test_streams_of_different_numbers_tell_nothing() -> None:
    """An all-reduce on stream 7 of one rank and stream 11 of the other is one all-reduce."""
    events = [custom(0, 0, 30), custom(1, 10, 30, row=11)]
    assert rows("allreduce", foreign(events), *MATCH) == [("order", "tested", 2)]


def test_sizes_tell_apart_what_says_no_group() -> None:
    """Rank 1 missed the first large one: that does not shift the small one, nor the next large."""
    large, small = told(elements=(4096, 4096)), told()
    events = [
        reduction(0, 0, 10, large),
        reduction(0, 20, 30, small),
        reduction(1, 21, 30, small),
        reduction(0, 40, 50, large),
        reduction(1, 42, 50, large),
    ]
    assert rows("allreduce", foreign(events), "bytes", *MATCH) == [
        (8192, None, "alone", 1),
        (2048, "order", "tested", 2),
        (8192, "time", "tested", 2),
    ]


def every(first: int, last: int, rank: int, off: float = 0) -> list[Slice]:
    """A rank's part of all-reduces number `first` to `last`, every 100 us, all ending together."""
    return [
        custom(rank, 100 * i + 10 * rank + off, 100 * i + 50 + off) for i in range(first, last + 1)
    ]


def test_a_lost_kernel_shifts_nothing() -> None:
    """Rank 1 lost one of five: the others match, and it is missing from that one alone."""
    lossy = [it for it in every(0, 4, 1) if it.ts != 210]
    events = foreign([*every(0, 4, 0), *lossy, *every(0, 4, 2)])
    found = rows("allreduce", events, *MATCH, "ranks_expected", "first_arrival", "last_arrival")
    assert found == [
        (
            "time",
            "uncertain" if i == 2 else "tested",
            2 if i == 2 else 3,
            3,
            100_000 * i,
            100_000 * i + 20_000,
        )
        for i in range(5)
    ]


def test_profiles_that_begin_apart_shift_nothing() -> None:
    """Each rank has five all-reduces, but not the same five: what fits in time is matched."""
    events = foreign([*every(0, 4, 0), *every(1, 5, 1)])
    found = rows("allreduce", events, *MATCH, "window_end")
    assert found == [
        (None, "alone", 1, 50_000),
        *(("time", "tested", 2, 100_000 * i + 50_000) for i in range(1, 5)),
        (None, "alone", 1, 550_000),
    ]


def test_ends_need_not_be_equal() -> None:
    """Ranks leave 2 us apart, and the next all-reduce starts 1 us after the last: no confusion."""
    events = [
        custom(rank, 22 * i + 3 * rank, 22 * i + 20 + end)
        for i in range(6)
        for rank, end in enumerate((0.0, 1.0, 2.0 - 0.3 * i))
        if (i, rank) != (3, 0)
    ]
    found = rows("allreduce", foreign(events), "ranks", "straggler")
    assert found == [(2 if i == 3 else 3, 2) for i in range(6)]


def test_clocks_that_differ_leave_order_and_doubt() -> None:
    """Equal counts on each rank, never at one moment, are matched by order, marked uncertain."""
    events = foreign([*every(0, 4, 0), *every(0, 4, 1, off=10_000)])
    assert rows("allreduce", events, *MATCH) == [("order", "uncertain", 2)] * 5


def test_where_neither_count_nor_time_fits_nothing_matches() -> None:
    """Five here, four there, at other times: no match is made up."""
    events = foreign([*every(0, 4, 0), *every(0, 3, 1, off=10_000)])
    assert rows("allreduce", events, *MATCH) == [(None, "alone", 1)] * 9


def test_what_coincides_by_chance_is_not_sure() -> None:
    """A fifth of the time is spent in all-reduces; some of two ranks that differ in count meet."""
    first = [custom(0, 100 * i, 100 * i + 20) for i in range(20)]
    other = [custom(1, 113 * i + 40, 113 * i + 60) for i in range(18)]
    found = rows("allreduce", foreign([*first, *other]), "matched_by", "confidence")
    assert 0 < found.count(("time", "uncertain")) < 9
    assert {confidence for _, confidence in found} == {"uncertain", "alone"}


def test_groups_that_nothing_tells_apart_are_uncertain() -> None:
    """Two pairs reduce at times of their own, and no arg says so: order joins them, in doubt."""
    events = foreign(
        [*every(0, 4, 0), *every(0, 4, 1), *every(0, 4, 2, off=45), *every(0, 4, 3, off=45)]
    )
    assert rows("allreduce", events, *MATCH) == [("order", "uncertain", 4)] * 5


def test_more_ranks_than_a_group_has_do_not_match() -> None:
    """Four ranks say that their group has two: which two belong together is not known."""
    events = [reduction(rank, rank, 10, told(size=2)) for rank in range(4)]
    assert rows("allreduce", foreign(events), *MATCH) == [(None, "alone", 1)] * 4


def test_what_our_merge_matched_stands() -> None:
    """Its numbers and its words, whatever args say; what it left alone stays alone."""
    parts = [custom(0, 0, 10), custom(1, 5, 10), custom(0, 20, 30), custom(1, 25, 30)]
    said = {"matched_by": "order", "confidence": "uncertain", "ranks_expected": 3}
    events = ours(parts, {41: (parts[:2], said)})
    found = rows("allreduce", events, "collective", *MATCH, "ranks_expected")
    assert found == [
        (41, "order", "uncertain", 2, 3),
        (42, None, "alone", 1, 3),
        (43, None, "alone", 1, 3),
    ]


def test_one_operation_may_be_two_kernels() -> None:
    """Two kernels of one Comms Id on each rank are two collectives, the first with the first."""
    args = told(Seq=1, Comms_Id=5) | group("1", 0, 1)
    events = [reduction(rank, ts, ts + 8, args) for rank in range(2) for ts in (0, 10)]
    found = rows("allreduce", foreign(events), *MATCH, "first_arrival")
    assert found == [("comms_id", "certain", 2, 0), ("comms_id", "certain", 2, 10_000)]


def test_ids_that_the_import_broke_match_nothing() -> None:
    """Comms Ids above 2^63 arrive as one and the same number: then Seq decides."""
    events = [
        reduction(
            rank, 20 * seq, 20 * seq + 10, told(Seq=seq, Comms_Id=2**63 + seq) | group("1", 0, 1)
        )
        for seq in range(2)
        for rank in range(2)
    ]
    assert rows("allreduce", foreign(events), "seq", *MATCH) == [
        (0, "seq", "certain", 2),
        (1, "seq", "certain", 2),
    ]


def test_a_start_under_pdl_is_no_arrival() -> None:
    """Rank 0 starts first but waits for its kernel ahead until 30: it is the straggler, not rank 1.

    us:       0    10   20   30   40
    rank 0
      gemm    ===============
      reduce       ===============
    rank 1
      reduce            ==========
    """
    early = Slice(0, CUSTOM, 10, 40, row=8, args={"stream": 7, "tpt_tid": 7})
    events = [work(0, 0, 30), early, custom(1, 20, 40)]
    (row,) = ask("allreduce", foreign(events))
    assert (row["pdl_starts"], row["straggler"], row["confidence"]) == (1, 0, "tested")
    assert (row["first_arrival"], row["last_arrival"]) == (20_000, 30_000)
    assert (row["skew_us"], row["transfer_us"], row["wait_us"]) == (10, 10, 10)
    assert row["hidden_compute_us"] == 0


def test_what_outlasts_a_collective_is_not_what_it_waited_for() -> None:
    """On AMD several queues share a stream number; such an overlap does not move the arrival."""
    beside = Slice(0, CUSTOM, 10, 40, row=8, args={"stream": 7, "tpt_tid": 7})
    events = [work(0, 0, 50), beside, custom(1, 20, 40)]
    (row,) = ask("allreduce", foreign(events))
    assert (row["pdl_starts"], row["first_arrival"], row["straggler"]) == (0, 10_000, 1)


def test_a_kernel_that_starts_early_behind_it_hides_nothing() -> None:
    """A gemm that starts under PDL while the all-reduce runs waits for it: no compute is hidden."""
    events = [
        custom(0, 0, 20),
        custom(1, 0, 20),
        Slice(0, "gemm", 5, 40, row=8, args={"stream": 7, "tpt_tid": 7}),
        # a second stream with a collective, so that streams alone do not exclude it
        custom(0, 50, 60, row=20),
        custom(1, 50, 60, row=20),
    ]
    assert rows("allreduce", foreign(events), "hidden_compute_us") == [0, 0]


def test_kernels_beside_each_other_hide_time_once() -> None:
    """Two gemms on two streams during the same 10 us hide 10 us."""
    events = [custom(0, 0, 20), work(0, 5, 15, row=20), work(0, 5, 15, row=21)]
    assert rows("allreduce", foreign(events), "hidden_compute_us") == [10]


def test_one_rank_says_what_it_can() -> None:
    """A trace of one rank: its own times and sizes, nobody to wait for."""
    args = told(size=8, elements=(500, 500)) | group("0", *range(8))
    (row,) = ask("allreduce", foreign([reduction(0, 5, 6, args)]))
    assert (row["ranks"], row["ranks_expected"], row["confidence"]) == (1, 8, "alone")
    assert (row["skew_us"], row["wait_us"], row["transfer_us"]) == (0, 0, 1)
    assert (row["algbw"], row["busbw"]) == (1, 1.75)


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        ("Double", 8),
        ("Long", 8),
        ("ComplexFloat", 8),
        ("Float", 4),
        ("Int", 4),
        ("BFloat16", 2),
        ("Half", 2),
        ("Short", 2),
        ("Float8_e4m3fn", 1),
        ("Float8_e5m2", 1),
        ("Float8_e4m3fnuz", 1),
        ("Float8_e8m0fnu", 1),
        ("Byte", 1),
        ("Bool", 1),
        ("Float4_e2m1fn_x2", 1),
        ("Bits2x4", 1),
        ("Bits16", 2),
        ("UInt16", 2),
        ("UInt7", 1),
        ("Odd", None),
    ],
)
def test_bytes_by_dtype(dtype: str, size: int | None) -> None:
    """1024 elements of each type; of a type that nobody knows, no bytes and no bandwidth."""
    events = foreign([reduction(0, 0, 1, told() | {"dtype": dtype})])
    total = size and 1024 * size
    bandwidth = total and total / 1000
    assert rows("allreduce", events, "bytes", "algbw", "busbw") == [(total, bandwidth, bandwidth)]


def test_without_args_there_is_no_bandwidth() -> None:
    """A custom all-reduce says no size: NULL, not 0."""
    events = foreign([custom(0, 0, 10), custom(1, 0, 10)])
    assert rows("allreduce", events, "bytes", "algbw", "busbw", "dtype") == [(None,) * 4]


def test_a_transfer_of_no_time_has_no_bandwidth() -> None:
    """A rank that arrives when the others leave lets 0 ns for the transfer: NULL, no error."""
    args = told(Seq=1) | group("1", 0, 1)
    events = foreign([reduction(0, 0, 10, args), reduction(1, 10, 10, args)])
    assert rows("allreduce", events, "transfer_us", "algbw", "busbw") == [(0, None, None)]


def test_gloo_on_the_cpu() -> None:
    """Annotations of gloo on four ranks: windows and stragglers as on GPUs, no hidden compute."""
    events = [
        work(rank, 10 * rank, 60, "gloo:all_reduce", cat="user_annotation", row=THREAD)
        for rank in range(4)
    ]
    (row,) = ask("allreduce", foreign(events))
    assert (row["matched_by"], row["confidence"], row["ranks"]) == ("order", "tested", 4)
    assert (row["straggler"], row["skew_us"], row["wait_us"]) == (3, 30, 60)
    assert row["hidden_compute_us"] is None


def test_the_step_is_the_one_that_launched_it() -> None:
    """A kernel that step 3 launched and that runs while the CPU is in step 4 belongs to step 3."""
    launch = {"correlation": 5}
    events = [
        Slice(0, CUSTOM, 25, 30, args=launch),
        work(0, 0, 10, "ProfilerStep#3", cat="user_annotation", row=THREAD),
        Slice(0, "cudaLaunchKernel", 4, 6, "cuda_runtime", THREAD, launch),
        work(0, 20, 40, "ProfilerStep#4", cat="user_annotation", row=THREAD),
    ]
    assert rows("allreduce", foreign(events), "step") == ["ProfilerStep#3"]


def test_other_kinds_are_elsewhere() -> None:
    """An all-gather is none, and takes no number from the order of the all-reduces."""
    gather = told("_allgather_base", (512, 1024)) | group("1", 0, 1)
    reduce = told() | group("1", 0, 1)
    events = [
        reduction(0, 0, 10, gather),
        reduction(0, 20, 30, reduce),
        reduction(1, 20, 30, reduce),
    ]
    assert rows("allreduce", foreign(events), *MATCH) == [("order", "tested", 2)]
