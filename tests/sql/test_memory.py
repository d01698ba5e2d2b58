"""`memory` and `memory_timeline`: what PyTorch's allocators held."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from typing import TYPE_CHECKING

from tests.support.gpu_traces import PROCESS, THREAD, Event, answer, ask, note, op, slice_of
from tests.support.handmade import micros

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.recorded import LoadedRecording

GPU, CPU = (1, 0), (0, -1)


def event(
    ts: int,
    address: int,
    size: int,
    total: int,
    *,
    device: tuple[int, int] = GPU,
    reserved: int = 900,
) -> Event:
    """An allocation, or with a size below 0 a free."""
    args = {
        "Device Type": device[0],
        "Device Id": device[1],
        "Addr": address,
        "Bytes": size,
        "Total Allocated": total,
        "Total Reserved": reserved,
    }
    where = {"pid": PROCESS, "tid": THREAD, "ts": micros(ts), "args": args}
    return {"ph": "i", "s": "t", "cat": "cpu_instant_event", "name": "[memory]", **where}


def line(name: str, ts: int, end: int) -> Event:
    """A call of a Python function."""
    return slice_of("python_function", name, (PROCESS, THREAD), ts, end)


def test_every_column_by_hand() -> None:
    """500 bytes were there; two blocks come, an old one goes, one of the new ones goes late."""
    events = [
        line("model.py(7): forward", 0, 5000),
        op("aten::mm", 1000, 2000),
        op("aten::empty", 1100, 1200),
        event(1150, 1, 100, 600),
        op("aten::add", 2100, 2900),
        event(2150, 2, 50, 650, reserved=1000),
        event(2500, 99, -200, 450),
        event(3500, 2, -50, 400),
    ]
    nothing = {"reserved_bytes": None, "start_bytes": None, "end_bytes": None}
    counts = dict.fromkeys(("allocations", "frees", "unpaired_frees", "unfreed", "unexplained"))
    device = {"rank": None, "device_type": "CUDA", "device": 0}
    assert ask("memory", events) == [
        {
            **device,
            "part": "all",
            "bytes": 650,
            "blocks": None,
            "block_bytes": None,
            "cpu_op": None,
            "python_line": None,
            "ts": 2150,
            "reserved_bytes": 1000,
            "start_bytes": 500,
            "end_bytes": 400,
            "allocations": 2,
            "frees": 2,
            "unpaired_frees": 1,
            "unfreed": 1,
            "unexplained": 0,
        },
        {
            **device,
            "part": "live",
            "bytes": 100,
            "blocks": 1,
            "block_bytes": 100,
            "cpu_op": "aten::empty",
            "python_line": "model.py(7): forward",
            "ts": 1150,
            **nothing,
            **counts,
        },
        {
            **device,
            "part": "live",
            "bytes": 50,
            "blocks": 1,
            "block_bytes": 50,
            "cpu_op": "aten::add",
            "python_line": "model.py(7): forward",
            "ts": 2150,
            **nothing,
            **counts,
        },
        {
            **device,
            "part": "before",
            "bytes": 500,
            "blocks": None,
            "block_bytes": None,
            "cpu_op": None,
            "python_line": None,
            "ts": None,
            **nothing,
            **counts,
        },
    ]


def test_the_timeline_by_hand() -> None:
    """Pairs have their time; the others have none. GPUs stand before the CPU."""
    events = [
        event(1000, 1, 8, 8, device=CPU, reserved=0),
        event(1100, 1, 100, 600),
        event(1200, 1, -8, 0, device=CPU, reserved=0),
        event(1500, 1, -100, 500),
        event(1600, 7, -20, 480),
        event(1700, 1, 30, 510),
    ]
    keys = ("device_type", "device", "ts", "bytes", "allocated_bytes", "lifetime_ns")
    assert [tuple(row[key] for key in keys) for row in ask("memory_timeline", events)] == [
        ("CUDA", 0, 1100, 100, 600, 400),
        ("CUDA", 0, 1500, -100, 500, 400),
        ("CUDA", 0, 1600, -20, 480, None),
        ("CUDA", 0, 1700, 30, 510, None),
        ("CPU", None, 1000, 8, 8, 200),
        ("CPU", None, 1200, -8, 0, 200),
    ]


def test_blocks_of_one_op_and_size_are_one_row() -> None:
    """Freed before the peak, a block is not live; at the first of equal peaks others are."""
    events = [
        event(100, 1, 10, 10),
        event(200, 2, 10, 20),
        event(300, 3, 5, 25),
        event(400, 3, -5, 20),
        event(500, 4, 10, 30),
        event(600, 4, -10, 20),
        event(700, 5, 10, 30),
    ]
    live = [row for row in ask("memory", events) if row["part"] == "live"]
    assert [(row["blocks"], row["block_bytes"], row["bytes"]) for row in live] == [(3, 10, 30)]


def test_the_peak_may_be_before_the_first_event() -> None:
    """Of a profile that only frees most was allocated when it began."""
    (peak, before) = ask("memory", [event(100, 7, -30, 70), event(200, 8, -20, 50)])
    assert (peak["bytes"], peak["ts"], peak["start_bytes"], peak["end_bytes"]) == (
        100,
        100,
        100,
        50,
    )
    assert (before["part"], before["bytes"]) == ("before", 100)


def test_the_peak_of_a_step() -> None:
    """A block of step 1 is live in step 2, which frees it; what lies in no step is in no peak."""
    events = [
        note("ProfilerStep#1", 0, 1000),
        note("ProfilerStep#2", 1000, 2000),
        event(100, 1, 100, 600),
        event(200, 2, 50, 650),
        event(300, 2, -50, 600),
        event(1100, 1, -100, 500),
        event(1200, 3, 30, 530),
        event(2500, 4, 900, 1430),
    ]

    def of(number: int) -> list[tuple[object, ...]]:
        rows = ask("memory", events, {"steps": number})
        columns = ("part", "bytes", "ts", "start_bytes", "end_bytes", "allocations", "frees")
        return [tuple(row[key] for key in columns) for row in rows]

    none = (None,) * 4
    assert of(1) == [
        ("all", 650, 200, 500, 600, 2, 1),
        ("live", 100, 100, *none),
        ("live", 50, 200, *none),
        ("before", 500, None, *none),
    ]
    assert of(2) == [
        ("all", 600, 1100, 600, 530, 1, 1),
        ("live", 100, 100, *none),
        ("before", 500, None, *none),
    ]
    assert of(3) == []


def test_events_that_are_missing_are_counted() -> None:
    """A total that changes without an event; an address that is allocated twice is not paired."""
    events = [event(100, 1, 10, 10), event(200, 1, 10, 25), event(300, 1, -10, 15)]
    whole, *_ = ask("memory", events)
    assert (whole["unexplained"], whole["unfreed"], whole["unpaired_frees"]) == (1, 1, 0)


def test_devices_are_apart() -> None:
    """Each has its own peak."""
    events = [
        event(100, 1, 10, 10),
        event(200, 1, 70, 70, device=(1, 3)),
        event(300, 1, 7, 7, device=(12, 0)),
    ]
    peaks = [row for row in ask("memory", events) if row["part"] == "all"]
    expected = [("CUDA", 0, 10), ("CUDA", 3, 70), ("XPU", 0, 7)]
    assert [(row["device_type"], row["device"], row["bytes"]) for row in peaks] == expected


def test_recorded(real_trace: Callable[[str], Path], loaded_recording: LoadedRecording) -> None:
    """A replay of the events of a trace has the same peaks and the same live blocks."""
    path = real_trace("h100_qwen15_chat.json.gz")
    with gzip.open(path) as file:
        recorded = json.load(file)["traceEvents"]
    events = [it for it in recorded if it["name"] == "[memory]"]
    live: dict[str, dict[int, int]] = defaultdict(dict)
    best: dict[str, tuple[int, list[int]]] = {}
    for it in sorted(events, key=lambda it: it["ts"]):
        args = it["args"]
        kind = {0: "CPU", 1: "CUDA"}[args["Device Type"]]
        if args["Bytes"] > 0:
            live[kind][args["Addr"]] = args["Bytes"]
        else:
            live[kind].pop(args["Addr"], None)
        if args["Total Allocated"] > best.get(kind, (-1, []))[0]:
            best[kind] = (args["Total Allocated"], sorted(live[kind].values()))
    rows = answer("memory", loaded_recording(path))
    for kind, (peak, blocks) in best.items():
        own = [row for row in rows if row["device_type"] == kind]
        assert [row["bytes"] for row in own if row["part"] == "all"] == [peak]
        parts = [row for row in own if row["part"] == "live"]
        assert sorted(it for row in parts for it in [row["block_bytes"]] * row["blocks"]) == blocks
