"""What a merge adds: a process with every matched collective, and arrows between its ranks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome.sanitize import encoded
from tp_tools.chrome.timestamps import microseconds
from tp_tools.merging.json_fragment import metadata
from tp_tools.repair.lanes import assign_lanes
from tp_tools.trace.slices import Slices

if TYPE_CHECKING:
    from collections.abc import Iterator


PROCESS = "collectives (all ranks)"
PID = 1
FIRST_TID = 2  # a thread whose id is its process's is drawn first, whatever its name
CAT = "collective"
LINK = "collective"
"""Category and name of arrows between ranks."""


@dataclass(frozen=True)
class Part:
    """One rank's kernel of a matched collective, as it is written.

    Attributes:
        rank: the rank.
        pid, tid: its row.
        ts, end: ns in the merged trace.
        shown: whether the rank's own slice is in the merged trace.
    """

    rank: int
    pid: int
    tid: int
    ts: int
    end: int
    shown: bool


@dataclass(frozen=True)
class Collective:
    """A matched collective.

    Attributes:
        number: its number in the job.
        group: what its row is called.
        kind: "all_reduce", ...
        nbytes: bytes that a rank brings or gets; None if unknown.
        dtype: element type; "" if unknown.
        seq: its number in its process group; None if unknown.
        expected: how many ranks take part; None if unknown.
        matched_by: "comms_id", "seq" or "order".
        confidence: "certain", "tested" or "uncertain".
        parts: those of its ranks that recorded it.
    """

    number: int
    group: str
    kind: str
    nbytes: int | None
    dtype: str
    seq: int | None
    expected: int | None
    matched_by: str
    confidence: str
    parts: list[Part]

    @property
    def first(self) -> Part:
        """The rank that arrives first."""
        return min(self.parts, key=lambda part: (part.ts, part.rank))

    @property
    def straggler(self) -> Part:
        """The rank that arrives last."""
        return max(self.parts, key=lambda part: (part.ts, -part.rank))

    @property
    def end(self) -> int:
        """When the last rank leaves, ns."""
        return max(part.end for part in self.parts)


def events(
    collectives: list[Collective], first_flow: int, *, links: bool
) -> Iterator[tuple[bytes, int]]:
    """The events to add, each run with a comma behind it, and how many arrows it holds.

    Args:
        collectives: what was matched, without those that are outside the window.
        first_flow: the first number that no rank's arrow has.
        links: whether to draw arrows between the ranks.
    """
    if not collectives:
        return
    yield metadata("process_name", PID, PID, {"name": PROCESS}), 0
    yield metadata("process_sort_index", PID, PID, {"sort_index": 0}), 0
    tid = FIRST_TID
    for group in sorted({it.group for it in collectives}, key=_natural):
        mine = [it for it in collectives if it.group == group]
        lanes = assign_lanes(_table(mine))
        for lane in range(int(lanes.max()) + 1):
            name = group if not lane else f"{group} ({lane + 1})"
            yield metadata("thread_name", PID, tid + lane, {"name": name}), 0
            yield metadata("thread_sort_index", PID, tid + lane, {"sort_index": tid + lane}), 0
        for it, lane in zip(_in_order(mine), lanes.tolist(), strict=True):
            yield _slice(it, tid + lane), 0
        tid += int(lanes.max()) + 1
    if links:
        for number, it in enumerate(collectives):
            arrows = list(_arrows(it, first_flow + number))
            if len(arrows) > 1:
                yield b"".join(arrows), len(arrows) - 1


def _natural(name: str) -> tuple[int, str]:
    """Group 10 after group 9."""
    return len(name), name


def _in_order(collectives: list[Collective]) -> list[Collective]:
    return sorted(collectives, key=lambda it: (it.first.ts, -it.end, it.number))


def _table(collectives: list[Collective]) -> Slices:
    ordered = _in_order(collectives)
    count = len(ordered)

    return Slices(
        event=np.arange(count, dtype=np.int32),
        closing=np.full(count, -1, np.int32),
        track=np.zeros(count, np.int32),
        ts=np.array([it.first.ts for it in ordered], np.int64),
        end=np.array([it.end for it in ordered], np.int64),
    )


def _slice(it: Collective, tid: int) -> bytes:
    first, straggler = it.first, it.straggler
    args: dict[str, object] = {
        "kind": it.kind,
        "bytes": it.nbytes,
        "dtype": it.dtype or None,
        "skew_us": (straggler.ts - first.ts) / 1000,
        "straggler_rank": straggler.rank,
        "first_rank": first.rank,
        "ranks": len(it.parts),
        "ranks_expected": it.expected,
        "seq": it.seq,
        "matched_by": it.matched_by,
        "confidence": it.confidence,
        "tpt_collective": it.number,
    }
    said = {key: value for key, value in args.items() if value is not None}
    return b'{"ph":"X","cat":"%b","name":%b,"pid":%d,"tid":%d,"ts":%b,"dur":%b,"args":%b},\n' % (
        CAT.encode(),
        encoded(it.kind),
        PID,
        tid,
        microseconds(first.ts),
        microseconds(it.end - first.ts),
        encoded(said),
    )


def _arrows(it: Collective, number: int) -> Iterator[bytes]:
    """From the first arrival to each of the others; `s` has to stand before `f` at equal times."""
    shown = sorted((part for part in it.parts if part.shown), key=lambda part: (part.ts, part.rank))
    for place_, part in enumerate(shown):
        yield b'{"ph":"%b","id":%d,"cat":"%b","name":"%b","pid":%d,"tid":%d,"ts":%b},\n' % (
            b'f","bp":"e' if place_ else b"s",
            number,
            LINK.encode(),
            LINK.encode(),
            part.pid,
            part.tid,
            microseconds(part.ts),
        )
