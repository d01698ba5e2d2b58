"""`gpu_timeline`: the time of devices in windows, which add up to `gpu_time`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from tests.support.gpu_strategies import gpu_events
from tests.support.gpu_traces import answer, ask, copy, work
from tests.support.handmade import text
from tests.support.rank_traces import Slice, custom, foreign
from tests.support.rank_traces import work as rank_work
from tests.support.strategies import LOADING
from tp_tools.engine import load

if TYPE_CHECKING:
    from tests.support.gpu_traces import Event, Row

NCCL = "ncclDevKernel_AllReduce_Sum_f32_RING_LL(x)"
PARTS = ("compute_ns", "hidden_ns", "communication_ns", "waiting_ns", "copy_ns", "idle_ns")


def test_every_column_by_hand() -> None:
    """80 ns in two windows of 40 ns; a second device works in the second one only.

    ns:          0    10   20   30   40   50   60   70   80
    compute      ==========                   =====
    collective        ================
    copy                             =======
    """
    events = [
        work("gemm", 0, 20),
        work(NCCL, 10, 40, stream=20),
        copy("Memcpy HtoD (Pinned -> Device)", 38, 52, stream=21),
        work("gemm", 60, 70),
        work("gemm", 50, 80, device=1),
    ]

    def row(device: int, window: int, ts: int, *parts: int) -> Row:
        about = {"rank": None, "device": device, "window": window, "ts": ts, "dur": sum(parts)}
        return about | dict(zip(PARTS, parts, strict=True))

    assert ask("gpu_timeline", events, {"windows": 2}) == [
        row(0, 0, 0, 10, 10, 20, 0, 0, 0),
        row(0, 1, 40, 10, 0, 0, 0, 12, 8),
        row(1, 1, 50, 30, 0, 0, 0, 0, 0),
    ]


def test_windows_differ_by_a_nanosecond_at_most() -> None:
    """10 ns in three windows: 3, 3 and 4; no window is lost where there are more than ns."""
    rows = ask("gpu_timeline", [work("gemm", 0, 10)], {"windows": 3})
    assert [(row["ts"], row["dur"]) for row in rows] == [(0, 3), (3, 3), (6, 4)]
    rows = ask("gpu_timeline", [work("gemm", 0, 10)], {"windows": 25})
    assert sum(row["dur"] for row in rows) == 10


def test_waiting_is_until_the_last_rank_comes() -> None:
    """Rank 1 comes at 80 us to an all-reduce in which rank 0 is from 20 us on; a gemm hides 10."""
    slices = [
        rank_work(0, 0, 20),
        custom(0, 20, 100),
        Slice(0, "gemm", 60, 70, row=9),
        rank_work(1, 0, 80),
        custom(1, 80, 100),
    ]
    rows = ask("gpu_timeline", foreign(slices), {"windows": 2})
    assert [tuple(row[part] // 1000 for part in PARTS) for row in rows] == [
        (20, 0, 0, 30, 0, 0),
        (0, 10, 20, 20, 0, 0),
        (50, 0, 0, 0, 0, 0),
        (30, 0, 20, 0, 0, 0),
    ]


def test_nothing_ran() -> None:
    """Without GPU work there are no windows."""
    assert ask("gpu_timeline", []) == []


@LOADING
@given(gpu_events(), st.integers(1, 9))
def test_windows_add_up_to_gpu_time(events: list[Event], windows: int) -> None:
    """Whatever runs: each part, summed over windows, is that of gpu_time; no part is negative."""
    with load([text(events)], source="trace.json", allow_loss=True) as tp:
        rows, whole = answer("gpu_timeline", tp, {"windows": windows}), answer("gpu_time", tp)
    for row in rows:
        assert sum(row[part] for part in PARTS) == row["dur"]
        assert min(row[part] for part in PARTS) >= 0
    for it in whole:
        own = [row for row in rows if (row["rank"], row["device"]) == (it["rank"], it["device"])]
        sums = {part: sum(row[part] for row in own) for part in PARTS}
        assert sums["compute_ns"] + sums["hidden_ns"] == it["compute_ns"]
        exposed = sums["communication_ns"] + sums["waiting_ns"]
        assert exposed == it["exposed_communication_ns"]
        assert (sums["copy_ns"], sums["idle_ns"]) == (it["exposed_copy_ns"], it["idle_ns"])
        assert len({row["window"] for row in own}) == len(own) <= windows
