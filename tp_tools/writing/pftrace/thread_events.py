"""List the slices and instants of threads, with the times and lanes of the plan."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.columns import is_in, iterate_rows
from tp_tools.trace.model import is_phase
from tp_tools.trace.pairs import ends_come_first
from tp_tools.trace.slices import ends_of, lanes_of
from tp_tools.writing.pftrace.unended import Step, ends_of_unended

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.model import Ints

Codes: TypeAlias = "NDArray[np.int32]"
"""Column of event numbers or indices, int32, since these take most of the memory of writing."""

NEVER = 1 << 62
"""End of a slice whose B event has no E event."""

LEVELS = 512
"""Number of nested slices that Perfetto shows on a track: SliceTracker::kMaxDepth, v52 to v58."""

DEEPER = 1 << 20
"""Added to the lane of a slice once for every LEVELS slices around it."""


class ThreadEvents(Struct, frozen=True):
    """A table of slices and instants, sorted by track, lane, ts, longest first, event number.

    Columns:
        event: int32, number of the event in the file; of a pair the B event.
        closing: int32, number of the E event of a pair; -1 for other events.
        track: int, index in Trace.tracks of the event's track.
        lane: int32, lane of the track, from 1; plus DEEPER for slices nested too deep.
        ts, end: int64 ns, rebased; equal for an instant; `end` may be NEVER.
        complete: bool, whether it is an X event, which Perfetto sorts by its duration.
    """

    event: Codes
    closing: Codes
    track: Ints
    lane: Codes
    ts: Ints
    end: Ints
    complete: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.event)

    def track_ranges(self) -> list[tuple[int, int]]:
        """Return (start, stop) of the events of each track and lane."""
        if not len(self):
            return []
        edges = np.flatnonzero((np.diff(self.track) != 0) | (np.diff(self.lane) != 0)) + 1
        starts = [0, *edges.tolist()]
        return list(zip(starts, [*starts[1:], len(self)], strict=True))

    def sorted(self) -> ThreadEvents:
        """Return the events in the order of the table."""
        order = np.lexsort((self.event, self.ts - self.end, self.ts, self.lane, self.track))
        return self.only(order)

    def only(self, index: Ints) -> ThreadEvents:
        """Return the events with these indices, in this order."""
        return ThreadEvents(
            self.event[index],
            self.closing[index],
            self.track[index],
            self.lane[index],
            self.ts[index],
            self.end[index],
            self.complete[index],
        )


def thread_events(
    trace: Trace, table: Slices, plan: Plan, is_written: NDArray[np.bool_]
) -> ThreadEvents:
    """List all slices and instants of threads.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: lanes and ends after the repair.
        is_written: bool (events,), the events to write.
    """
    instants, unended = _instants(trace), _unended(trace, table)
    event = np.concatenate([table.event, instants, unended]).astype(np.int32)
    slice_ends = ends_of(table, plan.trims)[:]
    end = np.concatenate([slice_ends, trace.ts[instants], np.full(len(unended), NEVER)])
    closing = _padded(table.closing, -1, len(event))
    chosen = np.flatnonzero(is_written[event])
    event, end = event[chosen], end[chosen]
    events = ThreadEvents(
        event=event,
        closing=closing[chosen],
        track=trace.track[event],
        lane=lanes_of(event, plan.moves),
        ts=trace.ts[event] - plan.rebase_ns,
        end=np.where(end == NEVER, NEVER, end - plan.rebase_ns),
        complete=trace.phase[event] == ord("X"),
    )
    events = events.sorted()
    if len(unended):
        events = _end_as_perfetto(trace, events, plan, is_written)
    return _split_deep_stacks(events)


def _instants(trace: Trace) -> Ints:
    """List the instants of threads; process and global instants are on no thread."""
    is_elsewhere = is_in(trace.bound, b"pg")
    return np.flatnonzero(is_phase(trace, "iIR") & ~is_elsewhere)


def _unended(trace: Trace, table: Slices) -> Ints:
    """List the B events without an E event."""
    is_unended = is_phase(trace, "B")
    is_unended[table.event] = False
    return np.flatnonzero(is_unended)


def _padded(values: Ints, fill: int, count: int) -> Codes:
    """Return the values, padded at the end to `count` values."""
    out = np.full(count, fill, np.int32)
    out[: len(values)] = values
    return out


def _end_as_perfetto(
    trace: Trace, events: ThreadEvents, plan: Plan, is_written: NDArray[np.bool_]
) -> ThreadEvents:
    """End slices without an E event as Perfetto does; see `unended`.

    One that never ends gets a lane of its own where the slice around it does end: no packet could
    end that slice alone.
    """
    end, lane = events.end.copy(), events.lane.copy()
    strays = _stray_ends(trace, events, plan, is_written)
    ends_first = ends_come_first(trace)
    for start, stop in events.track_ranges():
        never = np.flatnonzero(end[start:stop] == NEVER) + start
        if not len(never):
            continue
        place = int(events.track[start]), int(events.lane[start])
        steps = [*_steps(events, start, stop), *strays.get(place, ())]
        for i, at in ends_of_unended(steps, ends_first=ends_first).items():
            if end[i] == NEVER:
                end[i] = at
        known = np.where(end[start:stop] == NEVER, -NEVER, end[start:stop])
        latest = np.maximum.accumulate(known)[never - start]
        lane[never[(end[never] == NEVER) & (latest > events.ts[never])]] += DEEPER
    return replace(events, end=end, lane=lane).sorted()


def _steps(events: ThreadEvents, start: int, stop: int) -> Iterator[Step]:
    """Yield the starts and the E events of the slices from index `start` up to `stop`."""
    here = slice(start, stop)
    columns = (events.event[here], events.closing[here], events.ts[here], events.end[here])
    complete = events.complete[here].tolist()
    for i, (event, closing, ts, end) in enumerate(iterate_rows(*columns), start):
        is_known = closing < 0 and end != NEVER
        key = ts - end if complete[i - start] else 0
        yield Step(ts, 1, key, event, i, end if is_known else None)
        if closing >= 0:
            yield Step(end, 0, 0, closing, i)


def _stray_ends(
    trace: Trace, events: ThreadEvents, plan: Plan, is_written: NDArray[np.bool_]
) -> dict[tuple[int, int], list[Step]]:
    """Return the E events that end no slice, by track and lane."""
    is_stray = is_phase(trace, "E") & is_written
    is_stray[events.closing[events.closing >= 0]] = False
    stray = np.flatnonzero(is_stray)
    found: dict[tuple[int, int], list[Step]] = defaultdict(list)
    lanes = lanes_of(stray, plan.moves)
    columns = (stray, trace.track[stray], lanes, trace.ts[stray] - plan.rebase_ns)
    for event, track, lane, ts in iterate_rows(*columns):
        found[track, lane].append(Step(ts, 0, 0, event, -1))
    return found


def _split_deep_stacks(events: ThreadEvents) -> ThreadEvents:
    """Put slices nested deeper than Perfetto shows on lanes of their own."""
    depth = _depth(events)
    if not len(events) or depth.max() < LEVELS:
        return events
    lane = events.lane + (depth // LEVELS * DEEPER).astype(np.int32)
    return replace(events, lane=lane).sorted()


def _depth(events: ThreadEvents) -> Ints:
    """Count the slices of its track and lane that each event lies in.

    Events of 0 ns at one time lie in each other, in the order of the table.
    """
    depth = np.zeros(len(events), np.int64)
    has_length = events.end > events.ts
    for start, stop in events.track_ranges():
        is_long, ts = has_length[start:stop], events.ts[start:stop]
        started: Ints = np.cumsum(is_long) - is_long
        ended = np.searchsorted(np.sort(events.end[start:stop][is_long]), ts, "right")
        depth[start:stop] = started - ended
        points = ts[~is_long]
        depth[start:stop][~is_long] += np.arange(len(points)) - np.searchsorted(points, points)
    return depth
