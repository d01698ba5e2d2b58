"""`all_gather`, `reduce_scatter`, `all_to_all`, `broadcast`, `send_recv`, `dispatch_combine`."""

from __future__ import annotations

import pytest

from tests.support.gpu_traces import ask
from tests.support.rank_traces import (
    NCCL,
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

WORLD = group("0", *range(8))
SEND_RECV = "ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)"
DISPATCH = "void deep_ep::internode_ll::dispatch<true, false, 7168>(void*, int)"
COMBINE = "void deep_ep::internode_ll::combine<false, 7168, 9>(void*, int)"


@pytest.mark.parametrize(
    ("query", "name", "elements", "bandwidths"),
    [
        # 8 ranks in 10 us; a share is 1,000 elements of 2 bytes, the whole 8,000 of them
        ("allreduce", "allreduce", (8000, 8000), (1.6, 2.8)),
        ("all_gather", "_allgather_base", (1000, 8000), (1.6, 1.4)),
        ("all_gather", "all_gather_into_tensor_coalesced", (1000, 8000), (1.6, 1.4)),
        ("all_gather", "gather", (1000, 8000), (1.6, 1.4)),
        ("reduce_scatter", "_reduce_scatter_base", (8000, 1000), (1.6, 1.4)),
        ("reduce_scatter", "scatter", (8000, 1000), (1.6, 1.4)),
        ("all_to_all", "all_to_all", (8000, 8000), (1.6, 1.4)),
        ("broadcast", "broadcast", (8000, 8000), (1.6, 1.6)),
        ("broadcast", "reduce", (8000, 8000), (1.6, 1.6)),
    ],
)
def test_sizes_and_bandwidths_of_nccl_tests(
    query: str, name: str, elements: tuple[int, int], bandwidths: tuple[float, float]
) -> None:
    """Size is the whole of a gather or scatter; busbw has the factor of its kind."""
    args = told(name, elements, size=8, Seq=1) | WORLD
    events = foreign([reduction(rank, rank, 17, args) for rank in range(8)])
    (row,) = ask(query, events)
    assert (row["bytes"], row["transfer_us"]) == (16_000, 10)
    assert (row["algbw"], row["busbw"]) == pytest.approx(bandwidths)
    assert (row["ranks"], row["ranks_expected"], row["straggler"]) == (8, 8, 7)


def test_an_uneven_all_to_all() -> None:
    """Ranks send 1, 2, 3 and 6 thousand elements; the largest sets the pace."""
    sent, got = (1000, 2000, 3000, 6000), (3000, 3000, 3000, 3000)
    events = foreign(
        [
            reduction(rank, 0, 8, told("all_to_allv", elements, size=4) | group("1", 0, 1, 2, 3))
            for rank, elements in enumerate(zip(sent, got, strict=True))
        ]
    )
    (row,) = ask("all_to_all", events)
    assert (row["matched_by"], row["confidence"], row["ranks"]) == ("order", "tested", 4)
    # 12,000 bytes in 8 us; 6,000 of a mean of 3,000 elements
    assert (row["bytes"], row["algbw"], row["busbw"]) == (12_000, 1.5, 1.125)
    assert (row["in_imbalance"], row["out_imbalance"]) == (2, 1)


def message(kind: str, rank: int, peer: int, ts: float, end: float, **more: object) -> Slice:
    """One end of a message of 1,000 elements, with the Seq that PyTorch gives to all of them."""
    other = {"Dst Rank" if kind == "send" else "Src Rank": peer}
    args = told(kind, (1000, 1000), size=4, Seq=5, Comms_Id=77, **more) | group("3", 0, 1, 2, 3)
    return Slice(rank, SEND_RECV, ts, end, args=args | other)


def test_messages_by_their_ends() -> None:
    """A pipeline of four ranks: each message is one row, though all have one Seq and Comms Id."""
    events = foreign(
        [
            message("send", 0, 1, 0, 10),
            message("recv", 1, 0, 2, 10),
            message("send", 2, 3, 1, 12),
            message("recv", 3, 2, 8, 12),
            message("send", 1, 2, 20, 30),
            message("recv", 2, 1, 15, 30),
            message("send", 0, 1, 40, 50),
            message("recv", 1, 0, 42, 50),
        ]
    )
    found = rows(
        "send_recv", events, "src_rank", "dst_rank", "straggler", "skew_us", "transfer_us", "ranks"
    )
    assert found == [
        (0, 1, 1, 2, 8, 2),
        (2, 3, 3, 7, 4, 2),
        (1, 2, 1, 5, 10, 2),
        (0, 1, 1, 2, 8, 2),
    ]
    (first, *_) = ask("send_recv", events)
    assert (first["matched_by"], first["confidence"]) == ("order", "tested")
    # 2,000 bytes in 8 us; a message has the whole of its bus
    assert (first["bytes"], first["algbw"], first["busbw"]) == (2000, 0.25, 0.25)


def test_messages_in_our_merge() -> None:
    """`merge` matches no messages: SQL does, and numbers them behind the matches of the merge."""
    reduced = [custom(rank, 0, 10) for rank in range(2)]
    parts = [*reduced, message("send", 0, 1, 20, 30), message("recv", 1, 0, 22, 30)]
    said = {"matched_by": "order", "confidence": "tested"}
    events = ours(parts, {3: (reduced, said)})
    found = rows("send_recv", events, "collective", "ranks", "straggler", "confidence")
    assert found == [(4, 2, 1, "tested")]
    assert rows("allreduce", events, "collective", "ranks") == [(3, 2)]


def test_a_lost_message_shifts_nothing() -> None:
    """Rank 1 lost the first of three receives: that send stays alone, the others find theirs."""
    events = foreign(
        [message("send", 0, 1, 20 * i, 20 * i + 10) for i in range(3)]
        + [message("recv", 1, 0, 20 * i + 1, 20 * i + 10) for i in (1, 2)]
    )
    found = rows("send_recv", events, "matched_by", "confidence", "ranks", "window_end")
    assert found == [
        (None, "alone", 1, 10_000),
        ("time", "tested", 2, 30_000),
        ("time", "tested", 2, 50_000),
    ]


def test_dispatch_and_combine() -> None:
    """DeepEP's kernels say nothing: each kind goes by its own order."""
    events = foreign(
        [custom(rank, 10 + rank, 20, name=DISPATCH) for rank in range(4)]
        + [custom(rank, 30 - rank, 40, name=COMBINE) for rank in range(4)]
    )
    assert rows("dispatch_combine", events, "kind", "ranks", "straggler", "wait_us") == [
        ("dispatch", 4, 3, 6),
        ("combine", 4, 0, 6),
    ]


def test_kinds_do_not_mix() -> None:
    """One of each kind: each query has one row, and all of them together have every collective."""
    events = foreign(
        [
            reduction(rank, 10 * i, 10 * i + 8, told(kind) | group("1", 0, 1))
            for rank in range(2)
            for i, kind in enumerate(
                ("allreduce", "allgather", "reduce_scatter", "all_to_all", "broadcast", "barrier")
            )
        ]
        + [message("send", 0, 1, 60, 70), message("recv", 1, 0, 60, 70)]
        + [custom(rank, 80, 90, name=DISPATCH) for rank in range(2)]
    )
    queries = ("allreduce", "all_gather", "reduce_scatter", "all_to_all", "broadcast", "send_recv")
    numbers = [rows(query, events, "collective") for query in (*queries, "dispatch_combine")]
    assert [len(found) for found in numbers] == [1] * 7
    everything = set(rows("collectives_by_rank", events, "collective"))
    assert everything == {0, 1, 2, 3, 4, 5, 6, 7}
    # the barrier has no table of its own
    assert everything - {number for (number,) in numbers} == {5}


def test_rccls_one_kernel_for_all_needs_args() -> None:
    """Without args it is a collective of unknown kind, in no table of a kind."""
    generic = "ncclDevKernel_Generic(ncclDevKernelArgsStorage<4096ul>)"
    events = foreign([work(rank, 0, 10, generic) for rank in range(2)])
    assert ask("allreduce", events) == []
    assert rows("collectives_by_rank", events, "kind", "matched_by") == [("unknown", "order")] * 2


def test_nccls_send_recv_without_args_is_no_message() -> None:
    """It may as well be part of an all-to-all: it matches, but is in no table of a kind."""
    events = foreign([work(rank, 0, 10, SEND_RECV) for rank in range(4)])
    assert ask("send_recv", events) == []
    found = rows("collectives_by_rank", events, "kind", "matched_by", "confidence")
    assert found == [("send_recv", "order", "tested")] * 4


def test_a_graph_replays_what_args_named_before() -> None:
    """Of one kernel name, those with args and those without are matched apart from each other."""
    args = told(Seq=3) | group("1", 0, 1)
    events = foreign(
        [reduction(rank, 0, 10, args) for rank in range(2)]
        + [custom(rank, 20, 30, name=NCCL) for rank in range(2)]
    )
    assert rows("allreduce", events, "matched_by", "ranks") == [("seq", 2), ("order", 2)]
