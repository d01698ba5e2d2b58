"""`streams`: busy and shared time of each stream."""

from __future__ import annotations

from tests.support.gpu_traces import ask, copy, work


def test_every_column_by_hand() -> None:
    """Stream 7 runs 0-10 and 20-40, stream 20 runs 5-25: they share 5 + 5 ns."""
    events = [
        work("gemm", 0, 10),
        work("gemm", 20, 40),
        work("ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)", 5, 25, stream=20),
    ]
    first, second = ask("streams", events)
    assert first == {
        "rank": None,
        "device": 0,
        "stream": 7,
        "events": 2,
        "collectives": 0,
        "first_ts": 0,
        "last_ts": 40,
        "busy_ns": 30,
        "overlap_ns": 10,
        "total_ns": 30,
    }
    assert (second["stream"], second["collectives"], second["busy_ns"]) == (20, 1, 20)
    assert second["overlap_ns"] == 10


def test_three_streams_share_once() -> None:
    """Time shared with two other streams is counted once."""
    events = [work("a", 0, 30), work("b", 10, 20, stream=8), work("c", 10, 30, stream=9)]
    shared = {row["stream"]: row["overlap_ns"] for row in ask("streams", events)}
    assert shared == {7: 20, 8: 10, 9: 20}


def test_kernels_of_one_stream_that_overlap() -> None:
    """A kernel on a lane is on its stream: busy is the union, total the sum, nothing is shared."""
    early = work("second", 8, 20)
    early["tid"] = 8
    early["args"]["tpt_tid"] = 7
    (row,) = ask("streams", [work("first", 0, 10), early])
    assert (row["stream"], row["events"]) == (7, 2)
    assert (row["busy_ns"], row["total_ns"], row["overlap_ns"]) == (20, 22, 0)


def test_streams_of_two_devices_share_nothing() -> None:
    """The same stream number on another device is another stream."""
    rows = ask("streams", [work("a", 0, 10), work("a", 0, 10, device=1)])
    assert [(r["device"], r["stream"], r["overlap_ns"]) for r in rows] == [(0, 7, 0), (1, 7, 0)]


def test_what_the_work_says_beats_its_row() -> None:
    """Stream 0 of device 2 shows on row 2 in Perfetto, with what really is on stream 2."""
    zero = work("a", 0, 10, device=2, stream=0)
    assert zero["tid"] == 0
    rows = ask("streams", [zero, work("b", 20, 25, device=2, stream=2)])
    assert [(r["device"], r["stream"], r["busy_ns"]) for r in rows] == [(2, 0, 10), (2, 2, 5)]


def test_without_args_the_row_says_it() -> None:
    """Kernels without args are on the stream and device of their row; on a lane, of tpt_tid."""
    bare, moved = work("a", 0, 10, device=3, stream=9), work("b", 8, 12, device=3, stream=10)
    bare["args"] = {}
    moved["args"] = {"tpt_tid": 9}
    (row,) = ask("streams", [bare, moved])
    assert (row["device"], row["stream"], row["events"], row["busy_ns"]) == (3, 9, 2, 12)


def test_work_that_takes_no_time() -> None:
    """A stream with nothing but a memset of 0 ns has a row."""
    (row,) = ask("streams", [copy("Memset (Device)", 5, 5)])
    assert (row["first_ts"], row["last_ts"], row["busy_ns"], row["overlap_ns"]) == (5, 5, 0, 0)
