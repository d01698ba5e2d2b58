"""Turn slices of 0 ns of B and E events into X events, where Perfetto would misread them.

Where Perfetto v51 to v56 sorts, it takes E events before B events of their time: the E event of a
slice of 0 ns ends the slice around it, and the slice itself lasts until that one's E event. In a
trace of whole microseconds half of all durations can be wrong. An X event of 0 ns is read right.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from tp_tools.columns import is_in
from tp_tools.trace.model import UNTIMED
from tp_tools.trace.pairs import begins_and_ends, swapped_pairs

if TYPE_CHECKING:
    from tp_tools.trace.model import Trace


def with_points(trace: Trace, start: int | None = None) -> Trace:
    """Make X events of the slices of 0 ns of B and E events that Perfetto misreads.

    The B event becomes the X event; the E event loses its time, so that it is left out. Slices
    stay as they are whose E event has args, which would be lost, and those of threads whose B and E
    events are not in the order of time, since their order then proves nothing.

    Args:
        trace: the trace as read; its columns change.
        start: time from which Perfetto takes E events first, ns; None for that of the file alone.
    """
    opening, closing = swapped_pairs(trace, start)
    if not len(opening):
        return trace
    is_ordered = ~is_in(trace.track[opening], _unordered_tracks(trace))
    is_joined = is_ordered & ~np.isin(closing, np.array(trace.ends_with_args, np.int64))
    opening, closing = opening[is_joined], closing[is_joined]
    trace.phase[opening] = ord("X")
    trace.dur[opening] = 0
    trace.ts[closing] = UNTIMED
    trace.repairs["points"] += len(opening)
    return replace(
        trace, points=trace.points | dict(zip(opening.tolist(), closing.tolist(), strict=True))
    )


def as_recorded(trace: Trace) -> Trace:
    """Return a trace with the B and E events that the file has in the place of its points."""
    if not trace.points:
        return trace
    phase, ts = trace.phase.copy(), trace.ts.copy()
    opening, closing = [*trace.points], [*trace.points.values()]
    phase[opening], ts[closing] = ord("B"), ts[opening]
    return replace(trace, phase=phase, ts=ts, points={})


def _unordered_tracks(trace: Trace) -> list[int]:
    """List the tracks on which a B or E event is before an earlier one."""
    marks = begins_and_ends(trace)
    track = trace.track[marks]
    order = np.argsort(track, kind="stable")
    track, ts = track[order], trace.ts[marks][order]
    is_late = (track[1:] == track[:-1]) & (ts[1:] < ts[:-1])
    found: list[int] = np.unique(track[1:][is_late]).tolist()
    return found
