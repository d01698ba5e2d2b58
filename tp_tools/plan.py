"""From rows of sql/overlaps.sql to edits. Pure: no file, no clock, no engine.

Only what SQL asked for becomes a move or a trim. Around these stand the edits that keep the file's
meaning: arrows follow their slice, lanes get names, ids and times get values that Perfetto keeps.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from tp_tools.chrome.events import EXACT_BELOW_NS, UNTIMED, is_phase
from tp_tools.errors import EngineError, InputError
from tp_tools.ids import free

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tp_tools.chrome.events import Ints, Scalar, Trace
    from tp_tools.ids import Ids
    from tp_tools.slices import Slices

DAY_NS = 86_400 * 10**9


@dataclass(frozen=True)
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
class Plan:
    """Everything that changes in a trace.

    Attributes:
        lanes: by (track, number).
        moves: lane number by event, of slices and of the flow events that follow them.
        trims: new end in ns by the event whose time changes.
        durationless: X events without a usable `dur`: they get 0.
        untimed: events without a usable `ts`, which Perfetto could not place: they are left out.
        rebase_ns: what is taken from all times, and added to baseTimeNanoseconds.
        ids: the ids to write.
        names: (metadata event, pid, tid, name) for processes and threads that are new.
    """

    lanes: dict[tuple[int, int], Lane]
    moves: dict[int, int]
    trims: dict[int, int]
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


def repairs_of(columns: Iterable[str], rows: Iterable[tuple[Any, ...]], ends: Ints) -> list[Repair]:
    """The rows of sql/overlaps.sql as typed repairs.

    Args:
        columns: the names of the rows' columns.
        rows: what the query gave.
        ends: the end of each event that is a slice, ns.

    Raises:
        EngineError: a row that leads back to no event.
    """
    names = list(columns)
    repairs = []
    for values in rows:
        row: Mapping[str, Any] = dict(zip(names, values, strict=True))
        event = row["event"]
        if not isinstance(event, int):
            raise EngineError("sql/overlaps.sql gave a row without the number of its event.")
        end = int(ends[event]) - row["dur"] + row["repaired_dur"]
        repairs.append(Repair(event, row["lane"], end))
    return repairs


def make(trace: Trace, table: Slices, repairs: Iterable[Repair], ids: Ids) -> Plan:
    """The edits that these repairs call for.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        repairs: what SQL decided.
        ids: the ids to write.

    Raises:
        InputError: the times span too much for Perfetto to read exactly.
    """
    lane_of = {r.event: r.lane for r in repairs if r.lane > 1}
    end_of = {r.event: r.end for r in repairs}
    moves = dict(lane_of)
    trims: dict[int, int] = {}
    columns = (table.event, table.closing, table.end)
    for event, closing, end in zip(*(column.tolist() for column in columns), strict=True):
        if event in lane_of and closing >= 0:
            moves[closing] = lane_of[event]
        if event in end_of and end_of[event] != end:
            trims[event if closing < 0 else closing] = end_of[event]
    moves.update(_following(trace, table, lane_of))
    usable = is_phase(trace, "X") & (trace.ts != UNTIMED)
    lanes = _lanes(trace, {(int(trace.track[e]), lane) for e, lane in lane_of.items()}, ids)
    return Plan(
        lanes=lanes,
        moves=moves,
        trims=trims,
        durationless=np.flatnonzero(usable & (trace.dur < 0)).tolist(),
        untimed=np.flatnonzero((trace.ts == UNTIMED) & ~is_phase(trace, "M")).tolist(),
        rebase_ns=_rebase(trace),
        ids=ids,
        names=list(_names(trace, ids, {track for track, _ in lanes})),
    )


def _following(trace: Trace, table: Slices, lane_of: Mapping[int, int]) -> dict[int, int]:
    """The lane of each flow event whose slice moves.

    A flow event belongs to the slice of its row that starts with it: the one with its correlation,
    else the shortest. Where none starts then, to the innermost one that is open.
    """
    flows = np.flatnonzero(is_phase(trace, "stf"))
    by_track: dict[int, list[int]] = {}
    for flow in flows.tolist():
        by_track.setdefault(int(trace.track[flow]), []).append(flow)
    follow = {}
    for start, stop in table.row_ranges():
        events = table.event[start:stop]
        on_row = by_track.get(int(table.row[start]), [])
        if on_row and any(event in lane_of for event in events.tolist()):
            owners = _owners(trace, on_row, events, table.ts[start:stop], table.end[start:stop])
            follow.update({f: lane_of[e] for f, e in owners.items() if e in lane_of})
    return follow


def _owners(trace: Trace, flows: list[int], events: Ints, ts: Ints, end: Ints) -> dict[int, int]:
    """The slice's event of each flow event of one row, where there is one."""
    owners = {}
    link = trace.link[events]
    for flow in flows:
        at = trace.ts[flow]
        first, behind = np.searchsorted(ts, at, "left"), np.searchsorted(ts, at, "right")
        same = first + np.flatnonzero(link[first:behind] == trace.link[flow])
        if len(same):
            owners[flow] = int(events[same[-1]])
        elif behind > first:
            owners[flow] = int(events[behind - 1])
        else:
            open_ones = np.flatnonzero(end[:first] > at)
            if len(open_ones):
                owners[flow] = int(events[open_ones[-1]])
    return owners


def _lanes(trace: Trace, wanted: set[tuple[int, int]], ids: Ids) -> dict[tuple[int, int], Lane]:
    """Thread ids just above the row's, since viewers before v57 sort threads by tid."""
    names, indices = _thread_metadata(trace)
    taken: dict[object, set[int]] = {}
    for pid, tid in zip(ids.pids, ids.tids, strict=True):
        taken.setdefault(pid, {_int(pid)}).add(_int(tid))
    lanes = {}
    for track, number in sorted(wanted):
        pid, tid = ids.pids[track], _int(ids.tids[track])
        name = names.get(track) or _default_name(trace, track)
        lanes[track, number] = Lane(
            track,
            number,
            _int(pid),
            free(tid + 1, taken[pid]),
            f"{name.strip()} ({number})",
            indices.get(track),
        )
    return lanes


def _int(value: object) -> int:
    """An id that is in use is an integer by now; others stand for none."""
    return value if isinstance(value, int) else 0


def _default_name(trace: Trace, track: int) -> str:
    """What a row without a name is called: by its recorded id, or its kind of work."""
    tid = trace.tracks[track][1]
    if isinstance(tid, str):
        return tid or "no thread"
    cats = {trace.cats[cat] for cat in np.unique(trace.cat[trace.track == track]).tolist()}
    kind = "stream" if cats & {"kernel", "gpu_memcpy", "gpu_memset"} else "thread"
    return f"{kind} {tid}"


def _names(trace: Trace, ids: Ids, split: set[int]) -> Iterator[tuple[str, int, int, str]]:
    """Names for nameless rows that have lanes, and for changed ids: what was recorded as the id."""
    threads, _ = _thread_metadata(trace)
    named = {
        trace.tracks[trace.track[event]][0]
        for event in trace.metadata
        if trace.names[trace.name[event]] == "process_name"
    }
    in_use = set(np.unique(trace.track[~ids.is_process_metadata]).tolist())
    for track in sorted(in_use):
        (pid, tid), new_pid, new_tid = trace.tracks[track], ids.pids[track], ids.tids[track]
        if new_pid != pid and pid not in named:
            named.add(pid)
            yield "process_name", _int(new_pid), _int(new_tid), _process_label(trace, pid)
        if (new_tid != tid or track in split) and track not in threads:
            yield "thread_name", _int(new_pid), _int(new_tid), _default_name(trace, track)


def _process_label(trace: Trace, pid: Scalar) -> str:
    """What was recorded as its id, or what it does: Kineto writes its own overhead as pid -1."""
    if isinstance(pid, str):
        return pid or "no process"
    tracks = [i for i, (other, _) in enumerate(trace.tracks) if other == pid]
    cats = {trace.cats[cat] for cat in np.unique(trace.cat[np.isin(trace.track, tracks)])} - {""}
    return f"{cats.pop() if len(cats) == 1 else 'process'} {pid}"


def _thread_metadata(trace: Trace) -> tuple[dict[int, str], dict[int, int]]:
    """Names and sort indices of threads by track, as the trace's metadata events say."""
    names: dict[int, str] = {}
    indices: dict[int, int] = {}
    for event, value in trace.metadata.items():
        key, track = trace.names[trace.name[event]], int(trace.track[event])
        if key == "thread_name" and isinstance(value, str):
            names[track] = value
        elif key == "thread_sort_index" and isinstance(value, int):
            indices[track] = value
    return names, indices


def _rebase(trace: Trace) -> int:
    """Whole days to take from all times, so that Perfetto's double holds them.

    Days, so that the ranks of a job keep one base. 0 where the times are exact as they are.

    Raises:
        InputError: even so they would not be.
    """
    timed = (trace.ts != UNTIMED) & ~is_phase(trace, "M")
    if not timed.any():
        return 0
    ts = trace.ts[timed]
    first, last = int(ts.min()), int(ts.max())
    if first >= 0 and not (trace.inexact[timed] & (ts >= EXACT_BELOW_NS)).any():
        return 0
    shift = first // DAY_NS * DAY_NS
    if last - shift >= EXACT_BELOW_NS:
        raise InputError(
            f"its times span {(last - first) // DAY_NS} days; Perfetto reads at most 50 exactly. "
            "Is the time of some event wrong?"
        )
    return shift
