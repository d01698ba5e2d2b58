"""`pipeline`: bubbles of each rank, message by message."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.gpu_traces import Row, ask
from tests.support.rank_traces import Slice, foreign, told, work
from tests.support.strategies import LOADING

if TYPE_CHECKING:
    from collections.abc import Iterable

SEND_RECV = "ncclDevKernel_SendRecv(ncclDevKernelArgsStorage<4096ul>)"


def message(kind: str, rank: int, peer: int, ts: float, end: float, *, row: int = 20) -> Slice:
    """One end of a message, on a stream of its own."""
    other = {"Dst Rank" if kind == "send" else "Src Rank": peer}
    return Slice(rank, SEND_RECV, ts, end, "kernel", row, told(kind, **other))


def rows_of(slices: Iterable[Slice]) -> list[Row]:
    """The rows of a merged trace."""
    return ask("pipeline", foreign(slices))


def columns(rows: list[Row], *names: str) -> list[tuple[Any, ...]]:
    """Some columns of rows."""
    return [tuple(row[name] for name in names) for row in rows]


def test_every_column_by_hand() -> None:
    """Two micro-batches through two stages.

    us         0    10   20   30   40        60
    rank 0     | f0 | f1 |
    sends           |>>|  |>>|
    rank 1          | f0     | bubble | f1 |
    receives   |.......|...|
    """
    slices = [
        work(0, 0, 10),
        work(0, 10, 30),
        message("send", 0, 1, 10, 12),
        message("send", 0, 1, 30, 34),
        message("recv", 1, 0, 0, 12),
        message("recv", 1, 0, 13, 34),
        work(1, 12, 22),
        work(1, 34, 50),
    ]
    first, *sends, second, one, two = rows_of(slices)
    assert second == {
        "rank": 1,
        "device": 1,
        "part": "all",
        "step": None,
        "kind": None,
        "peer": None,
        "message": 2,
        "process_group_desc": None,
        "bytes": None,
        "ts": 0,
        "dur": 50_000,
        "bubble_ns": 24_000,
        "waiting_ns": 18_000,
        "bubble_percent": 48,
        "reason": None,
    }
    # until rank 0 came at 10, then 2 us on the wire
    assert one == {
        **second,
        "part": "message",
        "kind": "recv",
        "peer": 0,
        "message": 1,
        "bytes": 2048,
        "dur": 12_000,
        "bubble_ns": 12_000,
        "waiting_ns": 10_000,
        "bubble_percent": 100,
    }
    # from 13 to 34, of which 9 us are hidden by a gemm; until 30 it waits
    assert columns([two], "message", "dur", "bubble_ns", "waiting_ns") == [
        (2, 21_000, 12_000, 8_000)
    ]
    # rank 0 computes beside the first send; nothing hides the second
    assert columns([first, *sends], "part", "bubble_ns", "waiting_ns") == [
        ("all", 4_000, 0),
        ("message", 0, 0),
        ("message", 4_000, 0),
    ]


def test_messages_that_are_open_at_once() -> None:
    """Each moment counts to the one that began first."""
    slices = [
        message("recv", 1, 0, 0, 10),
        message("recv", 1, 2, 5, 20, row=21),
        message("send", 1, 0, 6, 8, row=22),
        work(1, 20, 30),
    ]
    rows = rows_of(slices)
    assert columns(rows, "kind", "peer", "bubble_ns") == [
        (None, None, 20_000),
        ("recv", 0, 10_000),
        ("recv", 2, 10_000),
        ("send", 0, 0),
    ]


def test_ranks_of_which_nothing_is_known() -> None:
    """Without messages, and where a kernel does not say with whom, there is no number."""
    rows = rows_of([work(0, 0, 10), Slice(1, SEND_RECV, 0, 10), message("recv", 1, 0, 10, 20)])
    assert columns(rows, "rank", "part", "bubble_ns", "reason") == [
        (0, "all", None, "no messages"),
        (1, "all", None, "messages without a peer"),
        (1, "message", 10_000, None),
    ]


def test_the_other_end_is_not_in_the_trace() -> None:
    """The bubble is known, and not how much of it was waiting."""
    rows = rows_of([message("recv", 1, 0, 0, 10), work(1, 10, 20)])
    assert columns(rows, "bubble_ns", "waiting_ns") == [(10_000, None)] * 2


TIMES = st.tuples(st.integers(0, 40), st.integers(1, 20))


@LOADING
@given(st.lists(st.tuples(st.sampled_from(["send", "recv"]), TIMES), max_size=5), st.lists(TIMES))
def test_bubbles_are_the_time_in_messages_without_compute(
    messages: list[tuple[str, tuple[int, int]]], gemms: list[tuple[int, int]]
) -> None:
    """All bubbles together are a union of intervals, counted here us by us."""
    ends = {"Src Rank": 0, "Dst Rank": 0}
    slices = [
        Slice(1, SEND_RECV, ts, ts + dur, "kernel", 20 + i, told(kind, **ends))
        for i, (kind, (ts, dur)) in enumerate(messages)
    ]
    slices += [work(1, ts, ts + dur, row=50 + i) for i, (ts, dur) in enumerate(gemms)]
    rows = rows_of([work(1, 100, 101), *slices])

    def within(intervals: Iterable[tuple[int, int]]) -> set[int]:
        return {at for ts, dur in intervals for at in range(ts, ts + dur)}

    bubble = within(times for _, times in messages) - within(gemms)
    assert rows[0]["bubble_ns"] == (1000 * len(bubble) if messages else None)
    assert sum(row["bubble_ns"] for row in rows[1:]) == 1000 * len(bubble)
