"""Describe processes, threads and lanes as tracks: their ids, names and order.

A thread is a track with a ThreadDescriptor. Where slices were moved off a stream, the slices that
stay and the moved ones lie on child tracks of its thread that share one name: Perfetto shows such
siblings as one row (`thread_merged_track_event`) and gives all of them the thread's utid. Fields:
perfetto v58.2, protos/perfetto/trace/track_event/track_descriptor.proto.

"Track" means two things here: a (pid, tid) of Trace.tracks, by index, and a track of the file, by
uuid.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct, field

from tp_tools.columns import distinct, occurs_where
from tp_tools.trace.categories import GPU_WORK, has_category
from tp_tools.trace.tracks import default_name, free_id, label_in, thread_metadata
from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.header import packet
from tp_tools.writing.pftrace.stacking import DEEPER, LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.trace import Plan, Trace
    from tp_tools.trace.model import Ints, Scalar
    from tp_tools.writing.pftrace.merged import Names
    from tp_tools.writing.pftrace.options import PftraceOptions
    from tp_tools.writing.pftrace.thread_events import Place, ThreadEvents

_LARGEST_ID = (1 << 31) - 1  # pid and tid are int32 fields


class Tracks(Struct):
    """The uuids of tracks, and the packets that describe them.

    Attributes:
        uuids: int64 (places of the thread events,), track of the thread events of each.
        tids: int64 (places of the thread events,), tid of that track's thread.
        processes: uuid of the process of each track in use, by index in Trace.tracks.
        pids: pid of that process, by index in Trace.tracks.
        next: lowest free uuid.
    """

    uuids: Ints
    tids: Ints
    processes: dict[int, int]
    pids: dict[int, int]
    next: int
    _described: list[bytes] = field(default_factory=list)

    def new(self, **fields: bytes) -> int:
        """Describe a new track and return its uuid; for `fields` see `describe`."""
        uuid = self.reserve()
        self.describe(uuid, **fields)
        return uuid

    def reserve(self) -> int:
        """Return a uuid for a track that is described later."""
        self.next += 1
        return self.next - 1

    def describe(self, uuid: int, **fields: bytes) -> None:
        """Describe a track.

        Args:
            uuid: its uuid.
            fields: encoded fields of TrackDescriptor; the names of the arguments are free.
        """
        self._described.append(wire.message(60, wire.number(1, uuid) + b"".join(fields.values())))

    def drained(self, options: PftraceOptions) -> bytes:
        """Return the packets of the tracks described since the last call."""
        described, self._described = self._described, []
        return b"".join(packet(options.track_sequence, body) for body in described)


def tracks(plan: Plan, names: Names, events: ThreadEvents, options: PftraceOptions) -> Tracks:
    """Describe a track for each process, thread and lane, in the order in which to show them.

    Args:
        plan: ids and lanes.
        names: names, and the tracks to describe.
        events: the thread events to write.
        options: how to show lanes, and which uuids to use.
    """
    uuids, tids = np.zeros((2, len(events.places)), np.int64)
    described = Tracks(uuids, tids, {}, {}, options.first_uuid)
    ids = _ids(plan, names.in_use())
    places: dict[int, list[tuple[int, Place]]] = {}
    for number, place in enumerate(events.places):
        places.setdefault(place.track, []).append((number, place))
    for rank, (pid, members) in enumerate(_processes(ids, names), options.first_place):
        name = " ".join(filter(None, (options.label, names.process(members))))
        uuid = described.new(
            name=wire.text(2, name) if name else b"",
            process=wire.message(3, wire.number(1, pid) + wire.text(6, name)),
            rank=wire.number(12, rank),
        )
        for track in members:
            described.processes[track], described.pids[track] = uuid, pid
        process = _Process(uuid, pid, members, ids, names, plan, options)
        _describe_threads(described, places, process)
    return described


class _Process(Struct, frozen=True):
    """A process and the inputs for its threads.

    Attributes:
        uuid: track of the process.
        pid: its pid.
        tracks: indices in Trace.tracks of its threads, in the order in which to show them.
        ids: (pid, tid) by index in Trace.tracks.
        names: names of threads.
        plan: the lanes.
        options: how to show lanes.
    """

    uuid: int
    pid: int
    tracks: list[int]
    ids: dict[int, tuple[int, int]]
    names: Names
    plan: Plan
    options: PftraceOptions


def _describe_threads(
    described: Tracks, places: dict[int, list[tuple[int, Place]]], process: _Process
) -> None:
    """Describe the threads of a process with their lanes, and fill in the tracks of their events.

    Args:
        described: gets the tracks.
        places: numbers and places of the thread events of each lane, by index in Trace.tracks.
        process: the process.
    """
    for rank, track in enumerate(process.tracks):
        name = process.names.thread(track)
        thread = _thread(described, process, process.ids[track][1], name, rank=rank)
        lanes = places.get(track, [])
        has_lanes = any(place.lane % DEEPER > 1 for _, place in lanes)
        is_shared = has_lanes and process.options.lanes == "shared"
        for number, place in lanes:
            lane = process.plan.lanes.get((track, place.lane % DEEPER))
            moved = _moved(place.stop - place.start, name) if lane else ""
            uuid, tid = thread, process.ids[track][1]
            if place.lane > DEEPER:
                deeper = _deeper(place.lane // DEEPER)
                uuid = _child(described, thread, f"{name} (deeper)", deeper)
            elif lane and not is_shared:
                tid = lane.tid
                uuid = _thread(described, process, tid, lane.name, rank=rank, description=moved)
            elif is_shared:
                uuid = _child(described, thread, name, moved)
            described.uuids[number], described.tids[number] = uuid, tid


def _thread(
    described: Tracks, process: _Process, tid: int, name: str, *, rank: int, description: str = ""
) -> int:
    """Describe the track of a thread and return its uuid."""
    thread = wire.number(1, process.pid) + wire.number(2, tid) + wire.text(5, name)
    return described.new(
        parent=wire.number(5, process.uuid),
        thread=wire.message(4, thread),
        rank=wire.number(12, rank),
        description=wire.text(14, description) if description else b"",
    )


def _child(described: Tracks, parent: int, name: str, description: str) -> int:
    """Describe a child track of a thread and return its uuid."""
    return described.new(
        parent=wire.number(5, parent),
        name=wire.text(2, name.strip()),
        description=wire.text(14, description) if description else b"",
    )


def _moved(count: int, name: str) -> str:
    """Return the description of a lane, for users."""
    slices = "1 slice" if count == 1 else f"{count} slices"
    verb = "overlaps others of it and does" if count == 1 else "overlap others of it and do"
    return (
        f"{slices} of {name.strip()} that {verb} not nest in them. Perfetto v51 to v56 drops such "
        "slices; tp-tools gave them a lane of their own."
    )


def _deeper(times: int) -> str:
    """Return the description of a track for slices nested too deep, for users."""
    return (
        f"What is stacked deeper than {times * LEVELS} slices: Perfetto stacks {LEVELS} on a track."
    )


def _ids(plan: Plan, tracks: list[int]) -> dict[int, tuple[int, int]]:
    """Return (pid, tid) by track: those of the plan, except pid 0 and ids above 31 bits."""
    pids, tids = plan.ids.pids, plan.ids.tids
    taken = {value for track in tracks for value in (_as_int(pids[track]), _as_int(tids[track]))}
    taken |= {lane.tid for lane in plan.lanes.values()}
    pid_of: dict[int, int] = {}
    chosen: dict[int, tuple[int, int]] = {}
    for track in tracks:
        pid, tid = _as_int(pids[track]), _as_int(tids[track])
        if pid not in pid_of:
            pid_of[pid] = pid if 0 < pid <= _LARGEST_ID else free_id(1, taken)
        chosen[track] = pid_of[pid], tid if tid <= _LARGEST_ID else free_id(1, taken)
    return chosen


def _as_int(value: Scalar) -> int:
    """Return an id as an integer; 0 for ids that nothing uses, which may still be text or None."""
    return value if isinstance(value, int) else 0


def _processes(ids: dict[int, tuple[int, int]], names: Names) -> Iterator[tuple[int, list[int]]]:
    """Yield each pid with its tracks: the main thread first, then by tid."""
    tracks_of: dict[int, list[int]] = {}
    for track, (pid, _) in ids.items():
        tracks_of.setdefault(pid, []).append(track)
    for pid in sorted(tracks_of, key=lambda pid: names.order(tracks_of[pid])):
        yield pid, sorted(tracks_of[pid], key=lambda track: (ids[track][1] != pid, ids[track][1]))


class RecordedNames:
    """The names of processes and threads, and the order of processes, as in the file."""

    def __init__(self, trace: Trace, plan: Plan) -> None:
        """Take them from metadata events, and from the plan where there are none."""
        self._trace = trace
        self._plan = plan
        self._new = {(key, pid, tid): name for key, pid, tid, name in plan.names}
        self._threads, _ = thread_metadata(trace)
        self._processes: dict[Scalar, str] = {}
        self._indices: dict[Scalar, int] = {}
        for event, value in trace.metadata.items():
            key, pid = trace.names[trace.name[event]], trace.tracks[trace.track[event]][0]
            if key == "process_name" and isinstance(value, str):
                self._processes[pid] = value
            elif key == "process_sort_index" and isinstance(value, int):
                self._indices[pid] = value
        is_gpu_work = has_category(trace, GPU_WORK)
        self._gpu_tracks = set(distinct(trace.track[is_gpu_work]).tolist())

    def in_use(self) -> list[int]:
        """List the tracks that hold events other than metadata of a process."""
        trace, is_process = self._trace, self._plan.ids.is_process_metadata
        in_use = occurs_where(trace.track, len(trace.tracks), lambda block: ~is_process[block])
        return np.flatnonzero(in_use).tolist()

    def process(self, tracks: list[int]) -> str:
        """Return the name of the process of these tracks: "GPU 0", the recorded one, or ""."""
        pid = self._trace.tracks[tracks[0]][0]
        name = label_in(pid) or self._processes.get(pid, "")
        if type(pid) is int and "GPU" not in name and self._gpu_tracks.intersection(tracks):
            return f"GPU {pid}"
        new = (self._new.get(("process_name", *self._id(track))) for track in tracks)
        return name or next(filter(None, new), "")

    def thread(self, track: int) -> str:
        """Return the recorded name of a track, the one in the plan, or a default."""
        return (
            self._threads.get(track)
            or self._new.get(("thread_name", *self._id(track)))
            or default_name(self._trace, track)
        )

    def order(self, tracks: list[int]) -> tuple[int, int]:
        """Return a sort key of a process: its recorded sort index, then its first track."""
        return self._indices.get(self._trace.tracks[tracks[0]][0], 0), tracks[0]

    def _id(self, track: int) -> tuple[int, int]:
        return _as_int(self._plan.ids.pids[track]), _as_int(self._plan.ids.tids[track])
