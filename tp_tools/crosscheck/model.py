"""Hold what two profilers recorded of one workload, and what a comparison of the two found."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Ints: TypeAlias = NDArray[np.int64]

KINETO, NSYS = "kineto", "nsys"
"""The two profilers, as the answer names them."""

Shape: TypeAlias = "tuple[str | int | None, ...]"
"""Grid, block, registers and shared memory of a kernel; None where not recorded."""


class Recording(Struct, frozen=True):
    """The kernels of one rank, in the order of their launch.

    Attributes:
        file: name of the file.
        names: full name of each kernel, as its profiler spells it.
        base_names: the same without path and arguments.
        shapes: grid, block, registers and shared memory of each.
        ts: int64 (kernels,), start on the GPU, ns.
        dur: int64 (kernels,), duration, ns.
        launched: int64 (kernels,), when it was launched, ns; that of the launch before it on its
            stream where its own was not recorded.
        streams: int64 (kernels,), a number for each device and stream.
        calls: int64 (calls,), sorted, starts of calls that launched a kernel which is not here, ns.
        graphs: number of replays of graphs that were recorded without their kernels.
        in_graphs: number of kernels that ran in replays of graphs.
        annotations: start and end by name, of those whose name occurs once, ns.
        notes: what its profiler says of it, a line each.
    """

    file: str
    names: list[str]
    base_names: list[str]
    shapes: list[Shape]
    ts: Ints
    dur: Ints
    launched: Ints
    streams: Ints
    calls: Ints
    graphs: int = 0
    in_graphs: int = 0
    annotations: dict[str, tuple[int, int]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.names)


class Pairs(Struct, frozen=True):
    """Which kernels of two recordings are the same launch.

    Attributes:
        kineto, nsys: int64 (pairs,), places of kernels in the recordings, sorted by `kineto`.
        moved: number of pairs that stand in another order in the two.
        cuts: how many kernels of each were launched before moments that both have, in order.
        anchors: number of annotations at which the recordings were laid side by side.
        places: number of places of the longer recording at which the shorter one fits equally well.
        uncompared: number of kernels of both in stretches that differ too much to be matched.
    """

    kineto: Ints
    nsys: Ints
    moved: int = 0
    cuts: tuple[tuple[int, int], ...] = ()
    anchors: int = 0
    places: int = 1
    uncompared: int = 0


class Loss(Struct, frozen=True):
    """Kernels that follow each other in one recording and are not in the other.

    Attributes:
        missing_in: the profiler that lacks them: `KINETO` or `NSYS`.
        reason: which known loss that is; see `losses.REASONS`.
        count: how many kernels.
        total_ns: their durations, summed, ns.
        names: how many by full name, most first.
        first: number of the first one in the order of launch, from 0, in the recording that has it.
        ts: start of it in that recording, ns.
        calls: how many calls that launched kernels the other recording has at this place without
            their kernels.
        places: number of places at which the loss fits equally well, where kernels repeat.
    """

    missing_in: str
    reason: str
    count: int
    total_ns: int
    names: dict[str, int]
    first: int
    ts: int
    calls: int
    places: int


class NameRow(Struct, frozen=True):
    """Matched kernels of one name.

    Attributes:
        name: as Kineto spells it.
        nsys_name: as Nsight Systems spells it.
        count: how many are matched.
        kineto_ns, nsys_ns: their median durations, ns.
        ratio: median of the durations of nsys over those of Kineto, kernel by kernel; None where no
            duration is known.
        ratio_low, ratio_high: 5 % and 95 % of it.
        unknown: how many have a duration of 0 in a recording: a record that was never filled.
    """

    name: str
    nsys_name: str
    count: int
    kineto_ns: float
    nsys_ns: float
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    unknown: int


class Overlaps(Struct, frozen=True):
    """Kernels that start before the former one on their stream has ended.

    Attributes:
        kernels: how many there are in each recording, by profiler.
        total_ns: how long they overlap, by profiler, ns.
        both: how many of the matched ones overlap the same kernel in both.
        only: how many of the matched ones do so in one alone, by profiler.
    """

    kernels: dict[str, int]
    total_ns: dict[str, int]
    both: int
    only: dict[str, int]


class CrossCheck(Struct, frozen=True):
    """What a comparison of a trace of Kineto with an export of Nsight Systems found.

    Attributes:
        files: name of the file by profiler.
        kernels: number of kernels by profiler.
        matched: number of kernels that are in both.
        moved, anchors, places, uncompared: see `Pairs`.
        cannot: why the two cannot be compared, a phrase each; empty if they can.
        notes: lines on what the numbers do not say.
        losses: kernels that one has and the other lacks, in order.
        durations: matched kernels by name, most time first.
        busy_ns: time in which a kernel that is in both ran, by profiler, ns.
        overlaps: see `Overlaps`.
    """

    files: dict[str, str]
    kernels: dict[str, int]
    matched: int
    moved: int
    anchors: int
    places: int
    uncompared: int
    cannot: tuple[str, ...]
    notes: tuple[str, ...]
    losses: tuple[Loss, ...] = ()
    durations: tuple[NameRow, ...] = ()
    busy_ns: dict[str, int] = field(default_factory=dict)
    overlaps: Overlaps | None = None
