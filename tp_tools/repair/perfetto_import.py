"""Model the JSON importer of Perfetto v51 to v56: the ids and times it reads, the slices it drops.

This is the slow reference; `hidden` finds the same slices faster where lanes already tell. The
importer reads times through a double, misreads some ids, and drops an X event that starts inside
a kept slice of its thread and ends after the end of that slice. Sources: Perfetto v52.0,
importers/json/json_trace_tokenizer.cc, importers/common/slice_tracker.cc, sorter/trace_sorter.cc.
The tests compare it with v52.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.chrome.timestamps import as_double
from tp_tools.columns import distinct, is_in, iterate_rows
from tp_tools.repair.crossing import may_cross
from tp_tools.trace.model import NAMELESS, UNTIMED, is_phase
from tp_tools.trace.points import as_recorded
from tp_tools.trace.slices import sort_order
from tp_tools.trace.tracks import ID_LIMIT

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints, Scalar

MAX_DEPTH = 512
"""Slices that the importer keeps on a thread's stack; it shows deeper ones, but they drop none."""

_EXACT_IN_DOUBLE = float(1 << 52)
_OPEN = -1  # dur of a slice whose E event has not come yet


def is_read_exactly(value: Scalar) -> bool:
    """Tell whether the importer keeps a pid or tid as it is."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < ID_LIMIT


def read_by_perfetto(pid: Scalar, tid: Scalar) -> tuple[int | str, int | str]:
    """Return the (pid, tid) that the importer makes of these, for example (7, 0) to (7, 7).

    Text ids stay text here: the importer makes numbers of them that equal no other number.
    """
    read_pid, read_tid = _read_id(pid), _read_id(tid)
    if read_tid == 0 and read_pid != 0:
        read_tid = read_pid
    return read_pid, read_tid


def _read_id(value: Scalar) -> int | str:
    if isinstance(value, str):
        return value
    if value is None or isinstance(value, bool):
        return 0
    return int(value) if 0 <= value < ID_LIMIT else 0


def threads_of(trace: Trace) -> Ints:
    """Number the threads that the importer makes of the tracks.

    Returns:
        int32 array (tracks,), equal for two tracks that the importer takes for one thread.
    """
    numbers: dict[tuple[int | str, int | str], int] = {}
    read = [read_by_perfetto(*track) for track in trace.tracks]
    return np.array([numbers.setdefault(thread, len(numbers)) for thread in read], np.int32)


def hidden_events(
    trace: Trace, *, misread_ids: bool = True, only: NDArray[np.bool_] | None = None
) -> Ints:
    """List the X events that Perfetto v51 to v56 drops.

    Args:
        trace: the trace.
        misread_ids: whether to include events dropped because of misread ids or negative times.
            Without them, only slices count that overlap on their own track, at the times that
            Perfetto reads.
        only: bool (tracks,), the tracks to look at; None for all of them.

    Returns:
        Event numbers, ascending.
    """
    trace = as_recorded(trace)
    if misread_ids and only is None and trace.recorded_tracks is not None:
        tracks, track = trace.recorded_tracks
        trace = replace(trace, tracks=tracks, track=track)
    complete = is_phase(trace, "X") & (trace.dur >= 0)
    paired = is_phase(trace, "BE") & (trace.ts >= 0)
    instants = is_phase(trace, "iIR") & (trace.bound == 0) & (trace.ts >= 0)
    if only is not None:
        included = only[trace.track]
        complete, paired, instants = complete & included, paired & included, instants & included
    timed = complete & (trace.ts >= 0)
    threads = threads_of(trace) if misread_ids else np.arange(len(trace.tracks), dtype=np.int32)
    thread = threads[trace.track]
    has_pairs = is_in(thread, distinct(thread[paired]).tolist())
    with_pairs = np.flatnonzero((timed | paired | instants) & has_pairs)
    without_pairs = np.flatnonzero(timed & ~has_pairs)
    without_pairs = without_pairs[np.argsort(thread[without_pairs], kind="stable")]
    starts = np.flatnonzero(np.diff(thread[without_pairs])) + 1
    dropped = [
        np.array(list(_dropped_among_pairs(trace, thread, with_pairs)), np.int64),
        *(
            dropped_events(event, trace.ts[event], trace.dur[event], [])
            for event in np.split(without_pairs, starts)
        ),
    ]
    if misread_ids:
        dropped.append(np.flatnonzero(complete & (trace.ts < 0) & (trace.ts != UNTIMED)))
    return np.sort(np.concatenate(dropped))


def dropped_events(event: Ints, ts: Ints, dur: Ints, open_ends: list[int]) -> Ints:
    """Return the X events of one thread that overlap a kept slice, for a thread without B and E.

    Args:
        event: numbers of the events.
        ts: their starts, ns.
        dur: their durations, ns.
        open_ends: ends of the slices open before the first event, innermost last. It is replaced
            by the ends of those open after the last event.
    """
    ts = as_double(ts)
    end = ts + as_double(dur)
    order = sort_order(ts, end, event)
    return event[order[_dropped_indices(ts[order], end[order], open_ends)]]


def _dropped_indices(ts: Ints, end: Ints, open_ends: list[int]) -> list[int]:
    """Return the indices of the dropped slices, given in order of ts, longest first."""
    if not len(ts):
        return []
    dropped = []
    ends = np.sort(np.concatenate([np.asarray(open_ends, np.int64), end]))
    is_deep = most_open(ts, ends) >= MAX_DEPTH
    checked = np.arange(len(ts)) if is_deep else np.flatnonzero(may_cross(ts, end, open_ends))
    for index, starts, ends_at in iterate_rows(checked, ts[checked], end[checked]):
        while open_ends and open_ends[-1] <= starts:
            open_ends.pop()
        if open_ends and ends_at > open_ends[-1]:
            dropped.append(index)
        elif len(open_ends) < MAX_DEPTH:
            open_ends.append(ends_at)
    return dropped


def most_open(ts: Ints, ends: Ints) -> int:
    """Return the largest number of slices open at one time.

    Args:
        ts: starts of slices, ascending.
        ends: ends of these slices and of those that started before, ascending.
    """
    started = np.arange(len(ends) - len(ts), len(ends)) + 1
    return int((started - np.searchsorted(ends, ts, "right")).max())


def _dropped_among_pairs(trace: Trace, thread: Ints, event: Ints) -> Iterator[int]:
    """Yield the X events that are dropped on threads with B and E events.

    Args:
        trace: the trace.
        thread: int (events,), thread of each event of the trace.
        event: numbers of the X, B, E and instant events to look at.
    """
    ts = as_double(trace.ts[event])
    dur = as_double(np.maximum(trace.dur[event].astype(np.int64), 0))
    phase = trace.phase[event]
    # at one time E comes first, then X, longest first, then B, instants and X events of 0 ns
    key = np.where(phase == ord("E"), -(1 << 62), -dur)
    order = np.lexsort((event, key, ts, thread[event]))
    stacks: dict[int, _Stack] = {}
    columns = (event[order], phase[order], ts[order], dur[order])
    for number, kind, start, length in iterate_rows(*columns):
        stack = stacks.setdefault(int(thread[number]), _Stack([]))
        cat, name = trace.cats[trace.cat[number]], trace.names[trace.name[number]]
        if kind == ord("E"):
            stack.close(start, cat, name)
        elif not stack.open(_Slice(start, _OPEN if kind == ord("B") else length, cat, name)):
            yield number


class _Slice(Struct):
    """A slice on its thread's stack; `dur` is _OPEN until its E event comes."""

    ts: int
    dur: int
    cat: str
    name: str

    @property
    def end(self) -> int:
        return self.ts + self.dur


class _Stack(Struct):
    """The slices of a thread that can still hold others, innermost last."""

    slices: list[_Slice]

    def open(self, new: _Slice) -> bool:
        """Put a slice on the stack, and tell whether the importer keeps it."""
        if not self._close_ended(new.ts, new.dur):
            return False
        if len(self.slices) < MAX_DEPTH:
            self.slices.append(new)
        return True

    def close(self, ts: int, cat: str, name: str) -> None:
        """End the innermost open slice that matches the name and category of an E event."""
        self._close_ended(ts, _OPEN)
        for i in reversed(range(len(self.slices))):
            held = self.slices[i]
            if held.dur == _OPEN and cat in ("", held.cat) and name in (NAMELESS, held.name):
                held.dur = ts - held.ts
                if i == len(self.slices) - 1:
                    self.slices.pop()
                return

    def _close_ended(self, ts: int, dur: int) -> bool:
        """Take ended slices off; return False if the new slice overlaps one that is left.

        The importer does not look at slices below an open one until they have ended.
        """
        under_open = False
        for i in reversed(range(len(self.slices))):
            held = self.slices[i]
            if held.dur == _OPEN:
                under_open = True
            elif under_open:
                if ts > held.end:
                    del self.slices[i:]
                    under_open = False
            elif held.end < ts or (held.end == ts and (held.dur or dur)):
                self.slices.pop()
            elif dur != _OPEN and ts < held.end < ts + dur:
                return False
        return True
