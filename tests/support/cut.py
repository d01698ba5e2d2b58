"""Cuts recorded traces, so that what is compared event by event is compared in seconds."""

from __future__ import annotations

import gzip
import json
import re
from typing import TYPE_CHECKING, Any

from tests.support.recorded import CALLS, GPU

if TYPE_CHECKING:
    from pathlib import Path

Event = dict[str, Any]
FLOW = "stf"
BACKWARD = "fwdbwd"
"""Category of arrows between forward and backward ops, whose ids are no correlations."""

GPU_WORK = GPU | {"Kernel", "Memcpy", "Memset"}
LAUNCHING = CALLS | {"Runtime"}
"""Categories, those of profiles of 2021 among them."""

LAUNCHES = 1500
"""How many calls that launched GPU work a cut keeps."""

NAME = re.compile(r"(.*)\.cut(\d*)(\.json\.gz)")
"""Matches the file name of a cut: what was recorded, launches that it leaves out, suffix."""

_NUMBER = re.compile(rb'"\\u0000([^"]*)"')


def cut(recorded: Path, target: Path, first: int = 0) -> None:
    """Write the part of a trace in which some of its GPU work is launched, all arrows whole.

    Kept are names and whatever has no time, what runs while that work is launched, the work itself,
    and the arrows between events that are kept. Numbers stay as they are written.

    Args:
        recorded: a Chrome JSON trace, packed.
        target: the file to write, packed, too.
        first: how many calls that launched GPU work come before the part.
    """
    trace = json.loads(gzip.decompress(recorded.read_bytes()), parse_float=lambda it: f"\0{it}")
    trace["traceEvents"] = _part(trace["traceEvents"], first)
    text = _NUMBER.sub(rb"\1", json.dumps(trace).encode())
    target.write_bytes(gzip.compress(text, compresslevel=1))


def _us(value: object) -> float:
    return float(str(value).lstrip("\0"))


def _correlation(event: Event) -> object:
    return event.get("args", {}).get("correlation")


def _part(events: list[Event], first: int) -> list[Event]:
    on_gpu = {_correlation(it) for it in events if it.get("cat") in GPU_WORK}
    calls = [it for it in events if it.get("cat") in LAUNCHING and _correlation(it) in on_gpu]
    times = sorted(_us(it["ts"]) for it in calls)[first:][: LAUNCHES + 1]

    def runs_meanwhile(event: Event) -> bool:
        if event["ph"] == "M" or "ts" not in event:
            return True
        start = _us(event["ts"])
        return start < times[-1] and start + _us(event.get("dur", 0)) >= times[0]

    chosen = {_correlation(it) for it in calls if times[0] <= _us(it["ts"]) < times[-1]}
    points: dict[object, list[bool]] = {}
    for it in events:
        if it["ph"] in FLOW:
            is_launch = it["id"] in on_gpu and it["cat"] != BACKWARD
            is_kept = it["id"] in chosen if is_launch else runs_meanwhile(it)
            points.setdefault(it["id"], []).append(is_kept)
    return [
        it
        for it in events
        if (
            all(points[it["id"]])
            if it["ph"] in FLOW
            else _correlation(it) in chosen
            if it.get("cat") in GPU_WORK
            else runs_meanwhile(it)
        )
    ]
