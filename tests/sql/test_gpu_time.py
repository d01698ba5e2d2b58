"""`gpu_time` and `comm_overlap`: unions, never sums."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from tests.support.gpu_traces import ask, copy, work

if TYPE_CHECKING:
    from collections.abc import Iterator

NCCL = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)"


def test_every_column_by_hand() -> None:
    """Two streams, a collective half hidden, a copy hidden in part, a gap of 10 ns.

    ns:          0    10   20   30   40   50   60   70   80
    compute      ==========                   =====
    collective        ================
    copy                        ============
    idle                                 -----           (50 to 60)
    """
    events = [
        work("gemm", 0, 20),
        work(NCCL, 10, 40, stream=20),
        copy("Memcpy HtoD (Pinned -> Device)", 30, 50, stream=21),
        work("gemm", 60, 80),
    ]
    assert ask("gpu_time", events) == [
        {
            "rank": None,
            "device": 0,
            "ts": 0,
            "span_ns": 80,
            "busy_ns": 70,
            "compute_ns": 40,
            "communication_ns": 30,
            "exposed_communication_ns": 20,
            "copy_ns": 20,
            "exposed_copy_ns": 10,
            "idle_ns": 10,
            "busy_percent": 87.5,
        }
    ]
    assert ask("comm_overlap", events) == [
        {
            "rank": None,
            "collectives": 1,
            "communication_ns": 30,
            "hidden_ns": 10,
            "exposed_ns": 20,
            "hidden_percent": 33.333,
        }
    ]


def test_kernels_that_overlap_count_once() -> None:
    """A kernel started early (PDL) on a lane, and one within another, add no time twice."""
    early = work("second", 8, 20)
    early["tid"] = 8
    early["args"]["tpt_tid"] = 7
    events = [work("first", 0, 10), early, work("inner", 12, 14, stream=20)]
    (row,) = ask("gpu_time", events)
    assert (row["span_ns"], row["busy_ns"], row["compute_ns"], row["idle_ns"]) == (20, 20, 20, 0)


def test_devices_are_apart() -> None:
    """Work on one device does not make another one busy."""
    events = [work("a", 0, 10), work("a", 20, 30), work("b", 5, 25, device=1)]
    rows = [(r["device"], r["ts"], r["busy_ns"], r["idle_ns"]) for r in ask("gpu_time", events)]
    assert rows == [(0, 0, 20, 10), (1, 5, 20, 0)]


def test_a_rank_has_the_sum_of_its_devices() -> None:
    """Compute of one device does not hide a collective of another."""
    events = [
        work(NCCL, 0, 10),
        work("gemm", 0, 10, device=1),
        work(NCCL, 5, 15, device=1, stream=9),
    ]
    (row,) = ask("comm_overlap", events)
    assert (row["communication_ns"], row["hidden_ns"], row["exposed_ns"]) == (20, 5, 15)


def test_without_communication_there_is_no_share() -> None:
    """0 of 0 is no per cent."""
    (row,) = ask("comm_overlap", [work("gemm", 0, 10)])
    assert (row["communication_ns"], row["hidden_percent"]) == (0, None)


def test_work_that_takes_no_time() -> None:
    """A kernel of 0 ns alone has a span of 0, not an error."""
    (row,) = ask("gpu_time", [work("gemm", 5, 5)])
    assert (row["ts"], row["span_ns"], row["busy_percent"]) == (5, 0, None)


def turns(parts: list[tuple[int, int, int, str]]) -> Iterator[tuple[str, int, int]]:
    """Kind, turn and end of each piece of work (stream, start, end, kind).

    A kernel's turn comes when all that started before it on its stream has ended, unless some of
    that outlasts it.
    """
    until: dict[int, int] = {}
    for stream, ts, end, kind in sorted(parts):
        ahead = until.get(stream, ts)
        if kind == "copy":
            yield kind, ts, end
            continue
        yield kind, ahead if ts < ahead < end else ts, end
        until[stream] = max(end, ahead)


def test_a_kernel_that_waits_for_a_collective_hides_nothing_of_it() -> None:
    """Under PDL a gemm starts at 20 and waits on its stream until 100; another stream hides 10.

    The all-reduce runs from 0 to 100, the gemm ends at 130, the kernel beside it runs 50 to 60.
    """
    events = [
        work(NCCL, 0, 100),
        work("gemm", 20, 130, tpt_tid=7) | {"tid": 107},
        work("beside", 50, 60, stream=9),
    ]
    (row,) = ask("gpu_time", events)
    assert (row["compute_ns"], row["communication_ns"]) == (40, 100)
    assert (row["exposed_communication_ns"], row["span_ns"], row["idle_ns"]) == (90, 130, 0)
    (row,) = ask("comm_overlap", events)
    assert (row["communication_ns"], row["hidden_ns"], row["exposed_ns"]) == (100, 10, 90)


def test_a_collective_that_waits_for_a_kernel_is_not_hidden_by_it() -> None:
    """An all-reduce that starts under PDL arrives when the gemm ahead of it ends."""
    events = [work("gemm", 0, 50), work(NCCL, 10, 80, tpt_tid=7) | {"tid": 107}]
    (row,) = ask("comm_overlap", events)
    assert (row["communication_ns"], row["hidden_ns"]) == (30, 0)


def test_what_outlasts_a_kernel_is_not_what_it_waited_for() -> None:
    """On AMD several queues share the number of a stream: work within a collective hides it."""
    events = [work(NCCL, 0, 100), work("gemm", 20, 40, tpt_tid=7) | {"tid": 107}]
    (row,) = ask("comm_overlap", events)
    assert (row["communication_ns"], row["hidden_ns"]) == (100, 20)


def test_random_work_against_a_clock_that_ticks() -> None:
    """300 pieces of work on 5 streams: each ns looked at by itself gives the same times."""
    dice = random.Random(7)
    names = {"compute": "gemm", "collective": NCCL, "copy": "Memset (Device)"}
    events, parts = [], []
    for _ in range(300):
        kind = dice.choice(list(names))
        ts = dice.randrange(10_000)
        end = ts + dice.randrange(60)
        make = copy if kind == "copy" else work
        # one row each, so that nothing is dropped on import: the stream is what args say
        event = make(names[kind], ts, end, stream=len(events))
        event["args"]["stream"] = dice.randrange(5)
        events.append(event)
        parts.append((event["args"]["stream"], ts, end, kind))
    running = {kind: [False] * 12_000 for kind in names}
    for kind, ts, end in turns(parts):
        running[kind][ts:end] = [True] * (end - ts)
    ticks = list(zip(*running.values(), strict=True))
    (row,) = ask("gpu_time", events)
    assert row["compute_ns"] == sum(a for a, _, _ in ticks)
    assert row["communication_ns"] == sum(b for _, b, _ in ticks)
    assert row["exposed_communication_ns"] == sum(b and not a for a, b, _ in ticks)
    assert row["copy_ns"] == sum(c for _, _, c in ticks)
    assert row["exposed_copy_ns"] == sum(c and not a and not b for a, b, c in ticks)
    assert row["busy_ns"] == sum(map(any, ticks))
    assert row["span_ns"] == row["busy_ns"] + row["idle_ns"]
    (row,) = ask("comm_overlap", events)
    assert row["hidden_ns"] == sum(a and b for a, b, _ in ticks)
