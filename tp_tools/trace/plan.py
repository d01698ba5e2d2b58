"""Define the plan: every change to a trace, made by `repair` and carried out by `writing`."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.trace.model import Scalar


class Lane(Struct, frozen=True):
    """A thread added to hold slices moved off a track.

    Attributes:
        track: index in Trace.tracks of the track that the slices were moved off.
        number: number of the lane, from 2; the track itself is lane 1.
        pid, tid: ids of the added thread.
        name: name of the added thread, "stream 7 (2)".
        sort_index: thread_sort_index, the same as the track's; None if the track has none.
    """

    track: int
    number: int
    pid: int
    tid: int
    name: str
    sort_index: int | None


class Ids(Struct, frozen=True):
    """The ids to write for each entry of Trace.tracks.

    Attributes:
        pids, tids: ids by track; the recorded ones where Perfetto reads them correctly.
        changed: bool (tracks,), whether the pid or tid of a track changes.
        is_process_metadata: bool (events,), whether an event is metadata of a process, whose tid
            Perfetto ignores.
        repairs: number of changed ids, by kind.
        quoted: bool (events,), whether an id is a number in quotes, to be written without; or None.
    """

    pids: list[Scalar]
    tids: list[Scalar]
    changed: NDArray[np.bool_]
    is_process_metadata: NDArray[np.bool_]
    repairs: Counter[str]
    quoted: NDArray[np.bool_] | None = None

    def is_empty(self) -> bool:
        """Tell whether all ids stay as they are."""
        return self.quoted is None and not self.changed.any()


class Repair(Struct, frozen=True):
    """A decision of sql/overlaps.sql about one slice: move it, trim it, or both.

    Attributes:
        event: number of the slice's event in the file.
        lane: lane of the slice after the repair: 2 or higher if it moves, else 1.
        end: end of the slice after the repair, ns.
    """

    event: int
    lane: int
    end: int

    @property
    def kind(self) -> str:
        """Reason: "concurrent" if both slices ran at once, "jitter" if clock readings differ."""
        return "concurrent" if self.lane > 1 else "jitter"


class FlowEnd(NamedTuple):
    """One end of a flow that names its slice: `bind_id`, `flow_out`, `flow_in` in JSON."""

    bind_id: int
    is_out: bool
    is_in: bool


class FlowEdits(Struct, frozen=True):
    """Edits of flow events, so that each flow joins the slices that the profiler meant.

    Attributes:
        ids: new id by flow event.
        ends: by event of a slice: what it is tied by instead of flow events.
        own_ids: new `bind_id` by event of a slice that has one as recorded: see `own_flow_ids`.
        arrows: the slices that these tie, (launch, work), as numbers of events.
        left_out: flow events that are not written, ascending.
        lost: how many launch arrows are left out: one of their slices was not recorded, or starts
            too early.
        undrawn: how many launch arrows stay as recorded, though Perfetto draws none of them.
        invented: how many ends of flows that never began are left out.
    """

    ids: dict[int, int] = field(default_factory=dict)
    ends: dict[int, FlowEnd] = field(default_factory=dict)
    own_ids: dict[int, int] = field(default_factory=dict)
    arrows: list[tuple[int, int]] = field(default_factory=list)
    left_out: list[int] = field(default_factory=list)
    lost: int = 0
    undrawn: int = 0
    invented: int = 0

    def is_empty(self) -> bool:
        """Tell whether no flow changes."""
        return not (self.ids or self.ends or self.own_ids or self.left_out)

    def repairs(self) -> dict[str, int]:
        """Count the changed flow events or arrows, by kind."""
        counts = {
            "flow_ids": len(self.ids),
            "own_flow_ids": len(self.own_ids),
            "launch_arrows_bound": len(self.arrows),
            "launch_arrows_left_out": self.lost,
            "flow_ends_left_out": self.invented,
        }
        return {kind: count for kind, count in counts.items() if count}


class Retimed(Struct, frozen=True):
    """Says that the trace's columns hold times on another clock, to write in place of the text's.

    Attributes:
        shift_ns: ns added to the base time.
        has_new_dur: bool (events,), whether the duration of the event differs from the text's.
    """

    shift_ns: int
    has_new_dur: NDArray[np.bool_]


class Plan(Struct, frozen=True):
    """Every change to a trace.

    Attributes:
        lanes: added threads by (track, lane number).
        moves: lane number by event, for moved slices and the flow events that follow them.
        trims: new end in ns by event, for X and B events.
        closings: E event of each trimmed B event.
        durationless: X events without a usable `dur`; they are written with `dur` 0.
        untimed: events without a usable `ts`; they are left out, since Perfetto gives up on them.
        rebase_ns: ns subtracted from all times and added to baseTimeNanoseconds.
        ids: the ids to write.
        names: (metadata event, pid, tid, name) of processes and threads that need a name.
        flows: what changes about flows; found once the rest is planned.
        short_names: new name by name, of kernels, see `renaming`; the recorded one goes into args.
        process_names: new name by event that names a process, see `gpu_names`; its args keep the
            recorded one.
        retimed: how times change that go onto another clock; None where they stay on their own.
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
    flows: FlowEdits = field(default_factory=FlowEdits)
    short_names: Mapping[str, str] = field(default_factory=dict)
    process_names: Mapping[int, str] = field(default_factory=dict)
    retimed: Retimed | None = None

    def is_empty(self) -> bool:
        """Tell whether the plan repairs nothing; names that can be read are no repair."""
        return not (
            self.moves
            or self.trims
            or self.durationless
            or self.untimed
            or self.rebase_ns
            or not self.ids.is_empty()
            or not self.flows.is_empty()
        )
