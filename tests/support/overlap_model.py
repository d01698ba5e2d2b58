"""The rule of sql/overlaps.sql a second time: plain loops over pairs, one row of slices at a time.

Independent of the tool: it shares no code with it, and compares each slice with each other.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from itertools import combinations

GPU_WORK = ("kernel", "gpu_memcpy", "gpu_memset", "Kernel", "Memcpy", "Memset")
ANNOTATIONS = ("user_annotation", "gpu_user_annotation")


@dataclass
class Slice:
    """A slice of one row.

    Attributes:
        ts, recorded_end: nanoseconds, as in the trace.
        cat, name: decide what it is.
        end: where it ends once trimmed.
        lane: 1 is the row itself.
    """

    ts: int
    recorded_end: int
    cat: str = "cpu_op"
    name: str = "op"
    end: int = 0
    lane: int = 1

    def __post_init__(self) -> None:
        self.end = self.end or self.recorded_end

    @property
    def is_gpu_work(self) -> bool:
        """Whether it must never be trimmed."""
        return self.cat in GPU_WORK

    @property
    def is_annotation(self) -> bool:
        """Whether it gives way to work."""
        return self.cat in ANNOTATIONS or self.name.startswith("ProfilerStep")


def partly_overlap(one: Slice, other: Slice) -> bool:
    """Whether they share time and neither holds the other."""
    a, b = sorted((one, other), key=lambda it: it.ts)
    return a.ts < b.ts < a.end < b.end


def overlaps(row: list[Slice]) -> list[tuple[Slice, Slice]]:
    """Pairs that partly overlap on one lane, the earlier slice first."""
    pairs = [pair for pair in combinations(row, 2) if pair[0].lane == pair[1].lane]
    return [(a, b) if a.ts < b.ts else (b, a) for a, b in pairs if partly_overlap(a, b)]


def repair(row: list[Slice], tolerance: int, rounds: int = 100) -> None:
    """Gives each slice its lane and its end.

    Args:
        row: slices of one row; changed in place.
        tolerance: ns.
        rounds: how often it is looked for overlaps that a trim lays bare.
    """
    while rounds and overlaps(row):
        rounds -= 1
        for it in row:
            it.lane = 1
        cuts, conflicts = _verdicts(row, tolerance)
        _place(row, conflicts)
        for at, cut, other in cuts:
            if cut.lane == other.lane:
                cut.end = min(cut.end, at)


def _verdicts(
    row: list[Slice], tolerance: int
) -> tuple[list[tuple[int, Slice, Slice]], set[tuple[int, int]]]:
    """Cuts as (where, the slice that is cut, the other), and pairs of which one has to move."""
    cuts, conflicts = [], set()
    for a, b in overlaps(row):
        if not a.is_gpu_work and a.recorded_end - b.ts <= tolerance:
            cuts.append((b.ts, a, b))
        elif not b.is_gpu_work and b.recorded_end - a.end <= tolerance:
            cuts.append((a.end, b, a))
        else:
            conflicts |= {(id(a), id(b)), (id(b), id(a))}
    return cuts, conflicts


def _place(row: list[Slice], conflicts: set[tuple[int, int]]) -> None:
    placed: list[Slice] = []
    for it in sorted(row, key=lambda it: (it.is_annotation, it.ts, -it.end)):
        taken = {other.lane for other in placed if (id(it), id(other)) in conflicts}
        while it.lane in taken:
            it.lane += 1
        placed.append(it)


def repairs_of(trace: list[list[Slice]], tolerance: int) -> dict[str, tuple[int, int]]:
    """Return (lane, end) of each slice that the rule repairs, by row and number: "0.3".

    Args:
        trace: rows; not changed.
        tolerance: ns.
    """
    expected = copy.deepcopy(trace)
    for row in expected:
        repair(row, tolerance)
    return {
        f"{row}.{number}": (it.lane, it.end)
        for row, slices in enumerate(expected)
        for number, it in enumerate(slices)
        if (it.lane, it.end) != (1, it.recorded_end)
    }
