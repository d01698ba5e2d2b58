"""Number slices and tracks as Perfetto does in the whole trace, where a part of it is loaded.

TraceProcessor sorts events by time; at one time E events come first, then the longest, then the
first in the file. It numbers slices in this order, and tracks in the order of their first events.
Source: Perfetto v52.0, sorter/trace_sorter.cc and importers/json; the tests compare it with v52.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.chrome.timestamps import as_double
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.slices import lanes_of, sort_order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Trace
    from tp_tools.trace.model import Ints

_SLICES = "XBiIRbn"
_SHOWN = _SLICES + "C"
_ON_KNOWN_TRACKS = "XBEiIRstf"
"""Phases of events whose tracks pid, tid and scope tell; tracks of others have names, too."""

_COMPLETE = ord("X")
_E_NS = 1 << 62
"""What E events count as long."""


class ViewerIds(Struct, frozen=True):
    """Ids in the whole trace by ids in a part of it.

    Attributes:
        slices: int (slices of the part,).
        tracks: int (tracks of the part,); None where the trace has tracks that its columns do not
            tell apart, such as counters.
    """

    slices: Ints
    tracks: Ints | None


def viewer_ids(trace: Trace, plan: Plan, keep: NDArray[np.bool_]) -> ViewerIds:
    """Return the ids that the slices and tracks of a part have in the whole trace.

    Args:
        trace: the trace.
        plan: its repair.
        keep: bool (events,), the events of the part.
    """
    event = _written_events(trace, plan)
    order = _sorted(trace, plan, event)
    makers = order[is_phase(trace, _SLICES)[order]]
    tracks = None
    if is_phase(trace, _ON_KNOWN_TRACKS)[event].all():
        part = _sorted(trace, plan, event[keep[event]])
        tracks = _track_ids(trace, plan, order, part)
    return ViewerIds(np.flatnonzero(keep[makers]), tracks)


def start_ns(trace: Trace, plan: Plan) -> int | None:
    """Return the start of the repaired trace as the viewer shows it, ns; None without an event."""
    event = _written_events(trace, plan)
    shown = event[is_phase(trace, _SHOWN)[event]]
    return int(trace.ts[shown].min()) - plan.rebase_ns if len(shown) else None


def _written_events(trace: Trace, plan: Plan) -> Ints:
    """Return the numbers of the events with a time that the repaired trace holds."""
    is_there = (trace.ts != UNTIMED) & ~is_phase(trace, "M")
    is_there &= trace.ts >= plan.rebase_ns  # Perfetto drops events before 0
    is_there[plan.flows.left_out] = False
    return np.flatnonzero(is_there).astype(np.int32)


def _sorted(trace: Trace, plan: Plan, event: Ints) -> Ints:
    """Sort events, given by ascending numbers, as Perfetto does if it gets these alone."""
    ts = as_double(trace.ts[event] - plan.rebase_ns)
    phase = trace.phase[event]
    if not (phase == _COMPLETE).any():  # then at one time the file alone tells
        return event[np.argsort(ts, kind="stable")]
    dur = np.where(phase == _COMPLETE, trace.dur[event].astype(np.int64), 0)
    dur[np.isin(event, plan.durationless)] = 0
    trimmed = np.flatnonzero(np.isin(event, list(plan.trims)) & (phase == _COMPLETE))
    dur[trimmed] = [plan.trims[it] - int(trace.ts[it]) for it in event[trimmed].tolist()]
    dur = as_double(dur)
    dur[phase == ord("E")] = _E_NS
    order: Ints = event[sort_order(ts, ts + dur, event)]
    return order


def _track_ids(trace: Trace, plan: Plan, whole: Ints, part: Ints) -> Ints:
    """Return the number of each track of a part in the whole.

    Args:
        trace: the trace.
        plan: its repair.
        whole: numbers of the events of the whole trace, as sorted.
        part: those of the part, as sorted.
    """
    track = _tracks(trace, plan, whole)
    number = np.full(int(track.max(initial=0)) + 1, -1, np.int64)
    first = _first_places(track)
    number[track[first]] = np.arange(len(first))
    of_part = np.empty(len(trace), np.int64)
    of_part[whole] = number[track]
    in_part = of_part[part]
    ids: Ints = in_part[_first_places(in_part)]
    return ids


def _tracks(trace: Trace, plan: Plan, event: Ints) -> Ints:
    """Return a number per event, equal for events on one track of a thread, process or trace."""
    lane = lanes_of(event, plan.moves).astype(np.int64)
    lanes = int(lane.max(initial=0)) + 1
    of_thread = trace.track[event] * lanes + lane
    processes = {pid: number for number, pid in enumerate(dict.fromkeys(plan.ids.pids))}
    process = np.array([processes[pid] for pid in plan.ids.pids], np.int64)
    below_zero = -2 - process[trace.track[event]]  # -1 is the track of the whole trace
    scope = np.where(is_phase(trace, "iIR")[event], trace.bound[event], 0)
    track: Ints = np.select([scope == ord("p"), scope == ord("g")], [below_zero, -1], of_thread)
    return track + len(processes) + 1


def _first_places(values: Ints) -> Ints:
    """Return where each value occurs first, ascending."""
    first = np.full(int(values.max(initial=0)) + 1, -1, np.int64)
    first[values[::-1]] = np.arange(len(values))[::-1]  # of equal values the last in here stays
    places: Ints = np.sort(first[first >= 0])
    return places
