"""`occupancy`: how full of warps kernels keep the GPU."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import Event, answer, ask, work
from tests.support.recorded import LoadedRecording, slices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRACES = ["b200_vllm_tp8_rank0", "h100_qwen15_chat", "nccl_args_rank0", "train128_rank0"]
PERCENT = "est. achieved occupancy %"


def shaped(name: str, ts: int, end: int, grid: list[int], **recorded: float) -> Event:
    """A kernel of blocks of 256 threads, as Kineto writes it: blocks per SM, and occupancy."""
    args = {
        "grid": grid,
        "block": [256, 1, 1],
        "registers per thread": 32,
        "shared memory": 1024,
        "blocks per SM": recorded["blocks"],
        "warps per SM": 8 * recorded["blocks"],
        PERCENT: recorded["percent"],
    }
    return work(name, ts, end, **args)


def test_every_column_by_hand() -> None:
    """Means are weighted by duration; the shape is the one with the most time."""
    events = [
        shaped("k", 0, 30, [264, 1, 1], blocks=2.0, percent=25),
        shaped("k", 30, 40, [66, 2, 1], blocks=0.5, percent=5),
        work("plain", 40, 45),
    ]
    assert ask("occupancy", events) == [
        {
            "rank": None,
            "name": "k",
            "kind": "compute",
            "count": 2,
            "total_ns": 40,
            "occupancy_percent": 20.0,  # (30 * 25 + 10 * 5) / 40
            "min_occupancy_percent": 5,
            "max_occupancy_percent": 25,
            "known_ns": 40,
            "reason": None,
            "blocks_per_sm": 1.625,  # (30 * 2 + 10 * 0.5) / 40
            "warps_per_sm": 13.0,
            "underfilled_ns": 10,
            "empty_ns": 5,  # 10 * (1 - 0.5)
            "shapes": 2,
            "grid": "264 x 1 x 1",
            "block": "256 x 1 x 1",
            "registers": 32,
            "shared_memory": 1024,
        },
        {
            "rank": None,
            "name": "plain",
            "kind": "compute",
            "count": 1,
            "total_ns": 5,
            "occupancy_percent": None,
            "min_occupancy_percent": None,
            "max_occupancy_percent": None,
            "known_ns": 0,
            "reason": "not recorded",
            "blocks_per_sm": None,
            "warps_per_sm": None,
            "underfilled_ns": None,
            "empty_ns": None,
            "shapes": 1,
            "grid": None,
            "block": None,
            "registers": None,
            "shared_memory": None,
        },
    ]


@pytest.mark.parametrize(
    ("blocks", "percent", "expected"),
    [
        # 8 of at most 64 warps with one block on an SM: 12.5 per cent at least
        (4.0, 0, None),
        # 0.03 * 8 / 64 = 0.375 per cent, which rounds to 0
        (0.03, 0, 0.0),
        # 0.05 * 8 / 64 = 0.625 per cent would be 1
        (0.05, 0, None),
        (4.0, -100, None),
        (4.0, 1, 1.0),
    ],
)
def test_none_of_a_kernel_that_ran_is_not_known(
    blocks: float, percent: int, expected: float | None
) -> None:
    """Kineto writes 0 where its calculator finds no room, such as for much shared memory."""
    (row,) = ask("occupancy", [shaped("k", 0, 10, [9, 1, 1], blocks=blocks, percent=percent)])
    reason = "not computed" if expected is None else None
    assert (row["occupancy_percent"], row["reason"]) == (expected, reason)
    assert row["blocks_per_sm"] == blocks


def test_the_reason_of_most_of_the_time() -> None:
    """A name with unknowns of two kinds has the reason of the longer."""
    refused = shaped("k", 0, 30, [9, 1, 1], blocks=4.0, percent=0)
    assert ask("occupancy", [refused, work("k", 30, 40)])[0]["reason"] == "not computed"
    assert ask("occupancy", [refused, work("k", 30, 90)])[0]["reason"] == "not recorded"


def test_the_name_of_2021() -> None:
    """PyTorch 1.8 called the same number theoretical."""
    event = work("k", 0, 10, **{"theoretical occupancy %": 7})
    (row,) = ask("occupancy", [event])
    assert row["occupancy_percent"] == 7.0


@pytest.mark.parametrize("trace", TRACES)
def test_recorded(
    trace: str, real_trace: Callable[[str], Path], loaded_recording: LoadedRecording
) -> None:
    """Each name has the mean of the recorded numbers, without those that cannot be."""
    path = real_trace(f"{trace}.json.gz")
    known, total = defaultdict(list), defaultdict(int)
    for it in slices(path):
        if it.cat == "kernel":
            total[it.name] += it.dur
            blocks, warps = (float(it.args[key]) for key in ("blocks per SM", "warps per SM"))
            least = 100 * warps / max(blocks, 1) / 64
            if it.args[PERCENT] > 0 or least < 0.5:
                known[it.name].append((it.dur, it.args[PERCENT]))
    rows = {row["name"]: row for row in answer("occupancy", loaded_recording(path))}
    assert {name: row["total_ns"] for name, row in rows.items()} == total
    for name, row in rows.items():
        time = sum(dur for dur, _ in known[name])
        mean = sum(dur * percent for dur, percent in known[name]) / time if time else None
        assert row["known_ns"] == time
        assert row["occupancy_percent"] == (None if mean is None else pytest.approx(mean, abs=0.01))
    assert any(row["reason"] == "not computed" for row in rows.values())
