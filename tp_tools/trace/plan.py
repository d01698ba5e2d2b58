"""What a repair changes in a trace: the plan that repair makes and writing carries out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections import Counter

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.trace.model import Scalar


@dataclass(frozen=True)
class Lane:
    """A row of its own for moved slices.

    Attributes:
        track: index in Trace.tracks of the row that it belongs to.
        number: from 2; the row itself is 1.
        pid, tid: the ids of its thread.
        name: what its thread is called, "stream 7 (2)".
        sort_index: where the viewer puts it; None where the row has no place of its own either.
    """

    track: int
    number: int
    pid: int
    tid: int
    name: str
    sort_index: int | None


@dataclass(frozen=True)
class Ids:
    """The ids to write for each entry of Trace.tracks.

    Attributes:
        pids, tids: by track; as recorded where Perfetto reads that right.
        changed: which tracks get another pid or tid.
        is_process_metadata: by event: metadata of a process, whose tid does not matter.
        repairs: how many ids were changed, by kind.
    """

    pids: list[Scalar]
    tids: list[Scalar]
    changed: NDArray[np.bool_]
    is_process_metadata: NDArray[np.bool_]
    repairs: Counter[str]


@dataclass(frozen=True, slots=True)
class Repair:
    """What sql/overlaps.sql decided about a slice: it moves, it is trimmed, or both.

    Attributes:
        event: number of the event in the file.
        lane: on which it goes: from 2 if it moves, else 1.
        end: where it ends after the repair, ns.
    """

    event: int
    lane: int
    end: int

    @property
    def kind(self) -> str:
        """Why: both really ran, or clocks were read unevenly."""
        return "concurrent" if self.lane > 1 else "jitter"


@dataclass(frozen=True)
class Plan:
    """Everything that changes in a trace.

    Attributes:
        lanes: by (track, number).
        moves: lane number by event, of slices and of the flow events that follow them.
        trims: new end in ns by event, of X or B.
        closings: the E event of each trimmed B.
        durationless: X events without a usable `dur`: they get 0.
        untimed: events without a usable `ts`, which Perfetto could not place: they are left out.
        rebase_ns: what is taken from all times, and added to baseTimeNanoseconds.
        ids: the ids to write.
        names: (metadata event, pid, tid, name) for processes and threads that are new.
    """

    lanes: dict[tuple[int, int], Lane]
    moves: dict[int, int]
    trims: dict[int, int]
    closings: dict[int, int]
    durationless: list[int]
    untimed: list[int]
    rebase_ns: int
    ids: Ids
    names: list[tuple[str, int, int, str]]

    def is_empty(self) -> bool:
        """Whether nothing changes."""
        return not (
            self.moves
            or self.trims
            or self.durationless
            or self.untimed
            or self.rebase_ns
            or self.ids.changed.any()
        )
