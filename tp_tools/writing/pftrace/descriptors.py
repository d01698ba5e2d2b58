"""Processes, threads and lanes: their ids, names and order, as track descriptors.

A thread is a track with a ThreadDescriptor. Where slices were moved off a stream, the stream's own
and the moved ones lie on children of its thread that have one name: Perfetto shows such siblings
as one row (`thread_merged_track_event`), and all of them have the thread's utid. Fields: perfetto
v58.2, protos/perfetto/trace/track_event/track_descriptor.proto.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import distinct
from tp_tools.trace.categories import GPU_WORK, has_category
from tp_tools.trace.tracks import default_name, free_id, label_in, thread_metadata
from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.header import packet
from tp_tools.writing.pftrace.thread_events import DEEPER, LEVELS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.trace.model import Ints, Scalar, Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.writing.pftrace.options import PftraceOptions
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents

_LARGEST_ID = (1 << 31) - 1  # pid and tid are int32 fields
_EXPLICIT = 1


@dataclass
class Tracks:
    """Track ids, and the packets that describe them.

    Attributes:
        entries: the track of each entry of Shown.
        tids: the tid of the thread that it belongs to.
        processes: the track of the process of each row that is in use.
        pids: its pid.
        next: the first id that is free.
    """

    entries: Ints
    tids: Codes
    processes: dict[int, int]
    pids: dict[int, int]
    next: int
    _described: list[bytes] = field(default_factory=list)

    def new(self, **fields: bytes) -> int:
        """Describes one more track; returns its id. See `describe`."""
        uuid = self.reserved()
        self.describe(uuid, **fields)
        return uuid

    def reserved(self) -> int:
        """The id of a track that is described later."""
        self.next += 1
        return self.next - 1

    def describe(self, uuid: int, **fields: bytes) -> None:
        """Describes a track.

        Args:
            uuid: its id.
            fields: encoded fields of TrackDescriptor, by any name.
        """
        self._described.append(wire.message(60, wire.number(1, uuid) + b"".join(fields.values())))

    def drained(self, part: PftraceOptions) -> bytes:
        """The packets of the tracks that were made since this was asked last."""
        made, self._described = self._described, []
        return b"".join(packet(part.track_sequence, body) for body in made)


def tracks(trace: Trace, plan: Plan, found: ThreadEvents, part: PftraceOptions) -> Tracks:
    """A track for everything that is shown, in the order in which it should be shown.

    Args:
        trace: the trace.
        plan: ids and names.
        found: what is shown.
        part: how lanes are shown, and which ids to use.
    """
    entries, tids = np.empty(len(found), np.int64), np.empty(len(found), np.int32)
    made = Tracks(entries, tids, {}, {}, part.first_uuid)
    ids, names = _ids(plan, _in_use(trace, plan)), _Names(trace, plan)
    starts: dict[int, list[tuple[int, int]]] = {}
    for start, stop in found.track_ranges():
        starts.setdefault(int(found.row[start]), []).append((start, stop))
    for rank, (pid, rows) in enumerate(_processes(ids, names), part.first_place):
        name = " ".join(filter(None, (part.label, names.process(rows))))
        process = made.new(
            name=wire.text(2, name) if name else b"",
            process=wire.message(3, wire.number(1, pid) + wire.text(6, name)),
            rank=wire.number(12, rank),
        )
        for row in rows:
            made.processes[row], made.pids[row] = process, pid
        _threads(made, found, starts, _Process(process, pid, rows, ids, names, plan, part))
    return made


@dataclass(frozen=True)
class _Process:
    """What the threads of a process are made from."""

    uuid: int
    pid: int
    rows: list[int]
    ids: dict[int, tuple[int, int]]
    names: _Names
    plan: Plan
    part: PftraceOptions


def _threads(
    made: Tracks, found: ThreadEvents, starts: dict[int, list[tuple[int, int]]], process: _Process
) -> None:
    """The threads of a process with their lanes."""
    for rank, row in enumerate(process.rows):
        name = process.names.thread(row)
        thread = _thread(made, process, process.ids[row][1], name, rank=rank)
        ranges = starts.get(row, [])
        has_lanes = any(found.lane[start] % DEEPER > 1 for start, _ in ranges)
        shares = has_lanes and process.part.lanes == "shared"
        for start, stop in ranges:
            number = int(found.lane[start])
            lane = process.plan.lanes.get((row, number % DEEPER))
            uuid, tid = thread, process.ids[row][1]
            if number > DEEPER:
                uuid = _child(made, thread, f"{name} (deeper)", _deeper(number // DEEPER))
            elif lane and not shares:
                moved, tid = _moved(stop - start, name), lane.tid
                uuid = _thread(made, process, tid, lane.name, rank=rank, description=moved)
            elif shares:
                uuid = _child(made, thread, name, _moved(stop - start, name) if lane else "")
            made.entries[start:stop], made.tids[start:stop] = uuid, tid


def _thread(
    made: Tracks, process: _Process, tid: int, name: str, *, rank: int, description: str = ""
) -> int:
    thread = wire.number(1, process.pid) + wire.number(2, tid) + wire.text(5, name)
    return made.new(
        parent=wire.number(5, process.uuid),
        thread=wire.message(4, thread),
        rank=wire.number(12, rank),
        description=wire.text(14, description) if description else b"",
    )


def _child(made: Tracks, parent: int, name: str, description: str) -> int:
    return made.new(
        parent=wire.number(5, parent),
        name=wire.text(2, name.strip()),
        description=wire.text(14, description) if description else b"",
    )


def _moved(count: int, name: str) -> str:
    slices = "1 slice" if count == 1 else f"{count} slices"
    verb = "overlaps others of it and does" if count == 1 else "overlap others of it and do"
    return (
        f"{slices} of {name.strip()} that {verb} not nest in them. Perfetto v51 to v56 drops such "
        "slices; tp-tools gave them a lane of their own."
    )


def _deeper(times: int) -> str:
    return (
        f"What is stacked deeper than {times * LEVELS} slices: Perfetto stacks {LEVELS} on a track."
    )


def _in_use(trace: Trace, plan: Plan) -> list[int]:
    """Rows on which there are events other than names of processes."""
    counts = np.bincount(trace.track[~plan.ids.is_process_metadata], minlength=len(trace.tracks))
    return np.flatnonzero(counts).tolist()


def _ids(plan: Plan, rows: list[int]) -> dict[int, tuple[int, int]]:
    """(pid, tid) by row: those of the plan, but pids are not 0 and all fit 31 bits."""
    pids, tids = plan.ids.pids, plan.ids.tids
    taken = {value for row in rows for value in (_int(pids[row]), _int(tids[row]))}
    taken |= {lane.tid for lane in plan.lanes.values()}
    pid_of: dict[int, int] = {}
    chosen: dict[int, tuple[int, int]] = {}
    for row in rows:
        pid, tid = _int(pids[row]), _int(tids[row])
        if pid not in pid_of:
            pid_of[pid] = pid if 0 < pid <= _LARGEST_ID else free_id(1, taken)
        chosen[row] = pid_of[pid], tid if tid <= _LARGEST_ID else free_id(1, taken)
    return chosen


def _int(value: Scalar) -> int:
    """An id that is in use is an integer by now; others stand for none."""
    return value if isinstance(value, int) else 0


def _processes(ids: dict[int, tuple[int, int]], names: _Names) -> Iterator[tuple[int, list[int]]]:
    """Each pid with its rows, the main thread first, then by tid."""
    rows_of: dict[int, list[int]] = {}
    for row, (pid, _) in ids.items():
        rows_of.setdefault(pid, []).append(row)
    for pid in sorted(rows_of, key=lambda pid: names.order(rows_of[pid])):
        rows = rows_of[pid]
        yield pid, sorted(rows, key=lambda row: (ids[row][1] != pid, ids[row][1]))


class _Names:
    """What processes and threads are called, and where they want to be."""

    def __init__(self, trace: Trace, plan: Plan) -> None:
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
        self._gpu_rows = set(distinct(trace.track[is_gpu_work]).tolist())

    def process(self, rows: list[int]) -> str:
        """Of the process of these rows: the GPU's, the recorded one, or none."""
        pid = self._trace.tracks[rows[0]][0]
        name = label_in(pid) or self._processes.get(pid, "")
        if type(pid) is int and "GPU" not in name and self._gpu_rows.intersection(rows):
            return f"GPU {pid}"
        new = (self._new.get(("process_name", *self._id(row))) for row in rows)
        return name or next(filter(None, new), "")

    def thread(self, row: int) -> str:
        """The recorded name of a row, or what it is."""
        return (
            self._threads.get(row)
            or self._new.get(("thread_name", *self._id(row)))
            or default_name(self._trace, row)
        )

    def order(self, rows: list[int]) -> tuple[int, int]:
        """Sorts processes as they were recorded to be sorted, else as they first occur."""
        return self._indices.get(self._trace.tracks[rows[0]][0], 0), rows[0]

    def _id(self, row: int) -> tuple[int, int]:
        return _int(self._plan.ids.pids[row]), _int(self._plan.ids.tids[row])
