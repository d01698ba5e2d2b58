"""Give the ranks of a job clocks of their own, as machines have them, and any order of events.

`benchmarks.merge --clocks` merges such ranks: there each time is written anew, while ranks whose
clocks agree keep the text of their events.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import msgspec
from isal import igzip

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

OFFSET_US = 5e6
"""Most microseconds that a clock is ahead or behind."""

DRIFT = 5e-5
"""Most that a clock runs fast or slow, as a share."""


def give_own_clocks(files: Iterable[Path]) -> None:
    """Rewrite traces of ranks, each but the first with an offset and a drift of its own."""
    for rank, file in enumerate(files):
        trace = msgspec.json.decode(igzip.decompress(file.read_bytes()))
        chance = random.Random(rank)  # noqa: S311  the same at each run
        offset, drift = chance.uniform(-OFFSET_US, OFFSET_US), chance.uniform(-DRIFT, DRIFT)
        events = trace["traceEvents"]
        if rank:
            _shift(events, offset, drift)
        chance.shuffle(events)
        file.write_bytes(igzip.compress(msgspec.json.encode(trace), 1))


def _shift(events: list[dict[str, Any]], offset: float, drift: float) -> None:
    """Change the times of events, in place."""
    timed = [event for event in events if event.get("ph") != "M" and "ts" in event]
    start = min(event["ts"] for event in timed)
    for event in timed:
        event["ts"] = round(event["ts"] + offset + drift * (event["ts"] - start), 3)
        if "dur" in event:
            event["dur"] = round(event["dur"] * (1 + drift), 3)
