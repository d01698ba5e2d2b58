"""`copies`: bytes and speed by kind of copy."""

from __future__ import annotations

from tests.support.gpu_traces import ask, copy, work

HTOD = "Memcpy HtoD (Pinned -> Device)"


def test_every_column_by_hand() -> None:
    """1,000 bytes in 100 ns and 3,000 in 100 ns: 20 GB/s, the faster 30."""
    events = [
        work("gemm", 500, 600, bytes=77),
        copy(HTOD, 0, 100, bytes=1_000),
        copy(HTOD, 200, 300, bytes=3_000),
    ]
    assert ask("copies", events) == [
        {
            "rank": None,
            "name": HTOD,
            "kind": "HtoD",
            "count": 2,
            "bytes": 4_000,
            "total_ns": 200,
            "mean_gbps": 20.0,
            "max_gbps": 30.0,
        }
    ]


def test_copies_that_do_not_say_their_bytes() -> None:
    """They count, but make the others no slower: AMD's graphs leave the bytes out."""
    (row,) = ask("copies", [copy(HTOD, 0, 100, bytes=1_000), copy(HTOD, 200, 900)])
    assert (row["count"], row["bytes"], row["total_ns"]) == (2, 1_000, 800)
    assert (row["mean_gbps"], row["max_gbps"]) == (10.0, 10.0)


def test_nothing_known() -> None:
    """Without any bytes the speed is unknown, and 0 ns are no infinite speed."""
    rows = ask("copies", [copy("Memset (Device)", 0, 10), copy("Memcpy", 20, 20, bytes=8)])
    assert [(r["kind"], r["bytes"], r["mean_gbps"]) for r in rows] == [
        ("Memset", None, None),
        (None, 8, None),
    ]
