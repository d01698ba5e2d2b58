"""Mark the slices of a trace, and ask an engine what it shows of each once a tool was at it.

Each slice gets a number in its args, `mark`: its place in the file and its rank. Whatever a tool
renames, moves or drops, the mark says which event it was.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
from isal import igzip

import tp_tools

if TYPE_CHECKING:
    from pathlib import Path

Event = dict[str, Any]

OF_A_RANK = 10**8
"""Marks of rank r begin at r times this."""

MOST_OFFSET_NS = 5_000_000_000
MOST_DRIFT_PPB = 50_000

_GPU = "kernel"
_DECODER = msgspec.json.Decoder(float_hook=Decimal)
_ENCODER = msgspec.json.Encoder(decimal_format="number")

_KERNELS = """
SELECT slice.ts, slice.dur, mark.int_value AS mark
FROM slice
JOIN args AS mark ON mark.arg_set_id = slice.arg_set_id AND mark.key GLOB '*mark'
WHERE mark.int_value IS NOT NULL
"""
_ARROWS = """
SELECT launch.int_value AS launch, kernel.int_value AS kernel
FROM flow
JOIN slice AS a ON a.id = flow.slice_out
JOIN slice AS b ON b.id = flow.slice_in
JOIN args AS launch ON launch.arg_set_id = a.arg_set_id AND launch.key GLOB '*mark'
JOIN args AS kernel ON kernel.arg_set_id = b.arg_set_id AND kernel.key GLOB '*mark'
"""


@dataclass(frozen=True)
class Marked:
    """The truth of a trace, by mark.

    Attributes:
        kernels: start and duration of each kernel, ns as its rank recorded them.
        launches: mark of the launch, by that of the kernel, where an arrow joins them.
        slices: how many slices there are, kernels among them.
    """

    kernels: dict[int, tuple[int, int]]
    launches: dict[int, int]
    slices: int


@dataclass(frozen=True)
class Shown:
    """What an engine shows of a trace.

    Attributes:
        slices: how many slices there are, kernels among them.
        kernels: how many kernels there are.
        arrows: how many kernels have an arrow from the launch that was recorded.
        wrong: how many arrows lead to a kernel from another launch.
        exact: how many kernels have the duration that was recorded, and the start but for what all
            kernels of the rank are moved by.
        apart_ns: how far the same kernel of two ranks lies apart at most, where all ran at once;
            0 of one rank.
    """

    slices: int
    kernels: int
    arrows: int
    wrong: int
    exact: int
    apart_ns: int


def mark(source: Path, targets: list[Path]) -> Marked:
    """Write marked copies of a trace, each as a rank with a clock of its own but the first.

    Args:
        source: Chrome JSON, gzip, of rank 0.
        targets: the files to write, .json or .json.gz; one for each rank.
    """
    kernels: dict[int, tuple[int, int]] = {}
    launches: dict[int, int] = {}
    slices = 0
    for rank, target in enumerate(targets):
        trace = _DECODER.decode(igzip.decompress(source.read_bytes()))
        trace.setdefault("distributedInfo", {})["rank"] = rank
        events = trace["traceEvents"]
        for at, event in enumerate(events):
            if event.get("ph") == "X":
                event.setdefault("args", {})["mark"] = rank * OF_A_RANK + at
                slices += 1
        if rank:
            _set_clock(events, random.Random(rank))  # noqa: S311  the same at each run
        kernels |= {
            it["args"]["mark"]: (_ns(it["ts"]), _ns(it["dur"]))
            for it in events
            if it.get("cat") == _GPU and it["ph"] == "X"
        }
        launches |= _launches(events)
        text = _ENCODER.encode(trace)
        target.write_bytes(igzip.compress(text, 1) if target.suffix == ".gz" else text)
    return Marked(kernels, launches, slices)


def _ns(us: Decimal | int) -> int:
    return int(us * 1000)


def _set_clock(events: list[Event], chance: random.Random) -> None:
    """Move all times by an offset and a drift, in whole ns; durations stay."""
    offset = chance.randint(-MOST_OFFSET_NS, MOST_OFFSET_NS)
    drift = chance.randint(-MOST_DRIFT_PPB, MOST_DRIFT_PPB)
    timed = [event for event in events if event.get("ph") != "M" and "ts" in event]
    start = min(_ns(event["ts"]) for event in timed)
    for event in timed:
        ns = _ns(event["ts"])
        event["ts"] = Decimal(ns + offset + drift * (ns - start) // 10**9) / 1000


def _launches(events: list[Event]) -> dict[int, int]:
    """Return the launch of each kernel to which an arrow leads, by the ids of arrows."""
    work = [it for it in events if it.get("ph") == "X" and "correlation" in it["args"]]
    at = {(it["pid"], it["tid"], it["ts"]): it for it in work}
    arrows = [it for it in events if it.get("ph") in {"s", "f"} and it.get("cat") == "ac2g"]
    ends = [(it, at.get((it["pid"], it["tid"], it["ts"]))) for it in arrows]
    starts = {it["id"]: end["args"]["mark"] for it, end in ends if end and it["ph"] == "s"}
    return {
        end["args"]["mark"]: starts[it["id"]]
        for it, end in ends
        if end and it["ph"] == "f" and end["cat"] == _GPU and it["id"] in starts
    }


def shown(file: Path, truth: Marked) -> Shown:
    """Load a file as it is, and compare it with the truth."""
    with tp_tools.open_trace(file, raw=True) as tp:
        rows = [(it.mark, it.ts, it.dur) for it in tp.query(_KERNELS)]
        arrows = {(it.launch, it.kernel) for it in tp.query(_ARROWS)}
    kernels = {mark: (ts, dur) for mark, ts, dur in rows if mark in truth.kernels}
    moves = {mark: ts - truth.kernels[mark][0] for mark, (ts, _) in kernels.items()}
    usual = _most_common_by_rank(moves)
    exact = [
        mark
        for mark, (_, dur) in kernels.items()
        if dur == truth.kernels[mark][1] and moves[mark] == usual[mark // OF_A_RANK]
    ]
    right = {(launch, kernel) for kernel, launch in truth.launches.items()} & arrows
    launched = {it for it in arrows if it[1] in truth.launches and it[0] not in truth.kernels}
    slices = len({mark for mark, _, _ in rows})
    return Shown(
        *(slices, len(kernels), len(right), len(launched - right)), len(exact), _apart(kernels)
    )


def _most_common_by_rank(moves: dict[int, int]) -> dict[int, int]:
    counts: dict[int, Counter[int]] = {}
    for mark, by in moves.items():
        counts.setdefault(mark // OF_A_RANK, Counter())[by] += 1
    return {rank: found.most_common(1)[0][0] for rank, found in counts.items()}


def _apart(kernels: dict[int, tuple[int, int]]) -> int:
    """Return the largest distance of the starts of one kernel on any two ranks."""
    starts: dict[int, list[int]] = {}
    for mark, (ts, _) in kernels.items():
        starts.setdefault(mark % OF_A_RANK, []).append(ts)
    return max((max(them) - min(them) for them in starts.values()), default=0)
