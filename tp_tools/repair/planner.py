"""Turn the rows of sql/overlaps.sql into a plan; reads no file, clock or engine.

Only SQL decides which slices move or are trimmed. The plan adds the edits that keep the meaning of
the file: flow events follow their slice, lanes get ids and names, and ids and times that Perfetto
would misread are replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from tp_tools.columns import blocks, indices_of, iterate_rows, occurs_where
from tp_tools.errors import EngineError, InputError
from tp_tools.trace import Lane, Plan, Repair
from tp_tools.trace.flows import flows_of
from tp_tools.trace.model import EXACT_BELOW_NS, UNTIMED
from tp_tools.trace.tracks import default_name, free_id, only_category, thread_metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tp_tools.trace import Slices, Trace
    from tp_tools.trace.model import Scalar
    from tp_tools.trace.plan import Ids

DAY_NS = 86_400 * 10**9
_LATEST = (1 << 63) - 1


def repairs_of(
    columns: Iterable[str], rows: Iterable[tuple[Any, ...]], trace: Trace
) -> list[Repair]:
    """Read the rows of sql/overlaps.sql as repairs.

    Args:
        columns: names of the columns.
        rows: rows of the query.
        trace: the trace that the query was asked about.

    Raises:
        EngineError: a row has no event number.
    """
    names = list(columns)
    repairs = []
    for values in rows:
        row: Mapping[str, Any] = dict(zip(names, values, strict=True))
        event = row["event"]
        if not isinstance(event, int):
            raise EngineError("sql/overlaps.sql gave a row without the number of its event.")
        repairs.append(Repair(event, row["lane"], int(trace.ts[event]) + row["repaired_dur"]))
    return repairs


def make_plan(trace: Trace, table: Slices, repairs: Iterable[Repair], ids: Ids) -> Plan:
    """Plan the edits that these repairs ask for.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        repairs: decisions of SQL.
        ids: the ids to write.

    Raises:
        InputError: the times span too much for Perfetto to read them exactly.
    """
    lane_of = {r.event: r.lane for r in repairs if r.lane > 1}
    end_of = {r.event: r.end for r in repairs}
    moves = dict(lane_of)
    trims: dict[int, int] = {}
    closings: dict[int, int] = {}
    repaired = indices_of(table.event, end_of)
    for event, closing, end in iterate_rows(
        table.event[repaired], table.closing[repaired], table.end[repaired]
    ):
        if event in lane_of and closing >= 0:
            moves[closing] = lane_of[event]
        if end_of[event] != end:
            trims[event] = end_of[event]
            if closing >= 0:
                closings[event] = closing
    moves.update(flows_of(trace, table, lane_of))
    lanes = _make_lanes(trace, {(int(trace.track[e]), lane) for e, lane in lane_of.items()}, ids)
    return Plan(
        lanes=lanes,
        moves=moves,
        trims=trims,
        closings=closings,
        durationless=_durationless(trace),
        untimed=_untimed(trace),
        rebase_ns=_rebase(trace, [trims[event] for event in closings]),
        ids=ids,
        names=list(_make_names(trace, ids, {track for track, _ in lanes})),
    )


def _durationless(trace: Trace) -> list[int]:
    """List the X events with a time and without a usable `dur`."""
    events = np.flatnonzero(trace.dur < 0)
    events = events[(trace.phase[events] == ord("X")) & (trace.ts[events] != UNTIMED)]
    return [int(event) for event in events]


def _untimed(trace: Trace) -> list[int]:
    """List the events without a usable `ts` that need one: all but metadata."""
    events = np.flatnonzero(trace.ts == UNTIMED)
    return [int(event) for event in events[trace.phase[events] != ord("M")]]


def _rebase(trace: Trace, new_times: Iterable[int]) -> int:
    """Return the ns to subtract from all times so that Perfetto's double holds them exactly.

    Whole days are subtracted, so that the ranks of a job keep one base time. 0 is returned where
    the times are exact as they are.

    Args:
        trace: the trace.
        new_times: times that the plan writes into the trace, ns.

    Raises:
        InputError: the times span too much even after the subtraction.
    """
    first, last = _LATEST, -_LATEST
    for block in blocks(len(trace)):
        ts = trace.ts[block]
        # metadata counts only below 0, where Perfetto drops it
        timed = (ts != UNTIMED) & ((trace.phase[block] != ord("M")) | (ts < 0))
        first = int(ts.min(where=timed, initial=first))
        last = int(ts.max(where=timed, initial=last))
    rounded = trace.rounded or any(time % 1000 and time >= EXACT_BELOW_NS for time in new_times)
    if first >= 0 and not rounded:
        return 0
    shift = first // DAY_NS * DAY_NS
    if shift == first and last - first < EXACT_BELOW_NS - DAY_NS:
        shift -= DAY_NS  # an event at 0 would read as one whose time was never filled in
    if last - shift >= EXACT_BELOW_NS:
        raise InputError(
            f"its times span {(last - first) // DAY_NS} days; Perfetto reads at most 50 exactly. "
            "Is the time of some event wrong?"
        )
    return shift


def _make_lanes(trace: Trace, used: set[tuple[int, int]], ids: Ids) -> dict[tuple[int, int], Lane]:
    """Describe the thread of each lane.

    Its tid is the next free one above the track's tid, since viewers before v57 sort threads by
    tid.

    Args:
        trace: the trace.
        used: (track, lane number) of the lanes that hold slices.
        ids: the ids to write.
    """
    names, indices = thread_metadata(trace)
    taken: dict[object, set[int]] = {}
    for pid, tid in zip(ids.pids, ids.tids, strict=True):
        taken.setdefault(pid, {_as_int(pid)}).add(_as_int(tid))
    lanes = {}
    next_ids: dict[int, int] = {}  # by track: all ids from the track's own up to there are taken
    track_names = {
        track: names.get(track) or default_name(trace, track)
        for track in sorted({track for track, _ in used})
    }
    for track, number in sorted(used):
        pid, tid = ids.pids[track], _as_int(ids.tids[track])
        lane_tid = free_id(next_ids.get(track, tid + 1), taken[pid])
        next_ids[track] = lane_tid + 1
        lanes[track, number] = Lane(
            track,
            number,
            _as_int(pid),
            lane_tid,
            f"{track_names[track].strip()} ({number})",
            indices.get(track),
        )
    return lanes


def _as_int(value: object) -> int:
    """Return an id as an integer; 0 for ids of unused tracks, which may still be text or None."""
    return value if isinstance(value, int) else 0


def _make_names(trace: Trace, ids: Ids, split: set[int]) -> Iterator[tuple[str, int, int, str]]:
    """Name the tracks without a name that have lanes or changed ids.

    A track whose id changes is named after the recorded id.

    Args:
        trace: the trace.
        ids: the ids to write.
        split: tracks that have lanes.

    Yields:
        (metadata event, pid, tid, name).
    """
    threads, _ = thread_metadata(trace)
    named = {
        trace.tracks[trace.track[event]][0]
        for event in trace.metadata
        if trace.names[trace.name[event]] == "process_name"
    }
    used = occurs_where(
        trace.track, len(trace.tracks), lambda block: ~ids.is_process_metadata[block]
    )
    for track in np.flatnonzero(used).tolist():
        (pid, tid), new_pid, new_tid = trace.tracks[track], ids.pids[track], ids.tids[track]
        if new_pid != pid and pid not in named:
            named.add(pid)
            yield "process_name", _as_int(new_pid), _as_int(new_tid), _process_name(trace, pid)
        if (new_tid != tid or track in split) and track not in threads:
            yield "thread_name", _as_int(new_pid), _as_int(new_tid), default_name(trace, track)


def _process_name(trace: Trace, pid: Scalar) -> str:
    """Name a process after its text id, or its only category: Kineto's pid -1 is "overhead -1"."""
    if isinstance(pid, str):
        return pid or "no process"
    return f"{only_category(trace, pid) or 'process'} {pid}"
