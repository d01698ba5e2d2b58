"""What the rows of threads will show: slices and instants, with the plan's times and lanes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tp_tools.columns import is_in
from tp_tools.trace.model import is_phase
from tp_tools.trace.slices import ends_of, lanes_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.plan import Plan
    from tp_tools.trace.slices import Slices

Codes: TypeAlias = "NDArray[np.int32]"
"""Numbers and indices: columns of them are what writing a large trace takes most memory for."""

NEVER = 1 << 62
"""Stands for the end of a slice that was begun and not ended."""

LEVELS = 512
"""Slices of one track that Perfetto stacks: SliceTracker::kMaxDepth, v52 to v58."""

DEEPER = 1 << 20
"""Added to the lane of a slice for each time that its stack is too deep."""


@dataclass(frozen=True)
class ThreadEvents:
    """Entry i is a slice or an instant; sorted by row, lane, ts, longest first, place in the file.

    Attributes:
        event: number of its event in the file, of B for a pair.
        closing: number of the E event of a pair, else -1.
        row: index of its (pid, tid) in Trace.tracks.
        lane: of its row, from 1; what is stacked too deep for a track has a lane of its own.
        ts, end: ns, rebased; equal for an instant; `end` may be NEVER.
        complete: whether it is an X event, which Perfetto sorts by its duration.
    """

    event: Codes
    closing: Codes
    row: Ints
    lane: Codes
    ts: Ints
    end: Ints
    complete: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.event)

    def track_ranges(self) -> list[tuple[int, int]]:
        """First and last-plus-one index of each row and lane."""
        if not len(self):
            return []
        edges = np.flatnonzero((np.diff(self.row) != 0) | (np.diff(self.lane) != 0)) + 1
        starts = [0, *edges.tolist()]
        return list(zip(starts, [*starts[1:], len(self)], strict=True))

    def sorted(self) -> ThreadEvents:
        """The same in the order that the class promises."""
        order = np.lexsort((self.event, self.ts - self.end, self.ts, self.lane, self.row))
        return self.only(order)

    def only(self, index: Ints) -> ThreadEvents:
        """These entries, in this order."""
        return ThreadEvents(
            self.event[index],
            self.closing[index],
            self.row[index],
            self.lane[index],
            self.ts[index],
            self.end[index],
            self.complete[index],
        )


def thread_events(
    trace: Trace, table: Slices, plan: Plan, is_wanted: NDArray[np.bool_]
) -> ThreadEvents:
    """All slices and instants of threads.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: where they go, and where they end.
        is_wanted: which events are wanted, one flag per event.
    """
    points, begun = _instants(trace), _begun(trace, table)
    event = np.concatenate([table.event, points, begun]).astype(np.int32)
    ended = ends_of(table, plan.trims)[:]
    end = np.concatenate([ended, trace.ts[points], np.full(len(begun), NEVER)])
    found = ThreadEvents(
        event=event,
        closing=_with(table.closing, -1, len(event)),
        row=trace.track[event],
        lane=lanes_of(event, plan.moves),
        ts=trace.ts[event] - plan.rebase_ns,
        end=np.where(end == NEVER, NEVER, end - plan.rebase_ns),
        complete=trace.phase[event] == ord("X"),
    )
    found = found.only(np.flatnonzero(is_wanted[event])).sorted()
    return _stacked(_enclosed(found) if len(begun) else found)


def _instants(trace: Trace) -> Ints:
    """Instants of threads; those of a process and of all are on no thread's row."""
    elsewhere = is_in(trace.bound, b"pg")
    return np.flatnonzero(is_phase(trace, "iIR") & ~elsewhere)


def _begun(trace: Trace, table: Slices) -> Ints:
    """B events that no E ends."""
    begun = is_phase(trace, "B")
    begun[table.event] = False
    return np.flatnonzero(begun)


def _with(values: Ints, more: int, count: int) -> Codes:
    """The values, and behind them others, so that there are so many."""
    out = np.full(count, more, np.int32)
    out[: len(values)] = values
    return out


def _enclosed(found: ThreadEvents) -> ThreadEvents:
    """A slice that nothing ends is ended by the slice around it, as Perfetto does."""
    end = found.end.copy()
    for start, stop in found.track_ranges():
        for i in (np.flatnonzero(end[start:stop] == NEVER) + start).tolist():
            end[i] = min(end[start:i][end[start:i] > found.ts[i]].tolist(), default=NEVER)
    return replace(found, end=end).sorted()


def _stacked(found: ThreadEvents) -> ThreadEvents:
    """What is stacked deeper than Perfetto stacks, on lanes of their own."""
    depth = _depth(found)
    if not len(found) or depth.max() < LEVELS:
        return found
    lane = found.lane + (depth // LEVELS * DEEPER).astype(np.int32)
    return replace(found, lane=lane).sorted()


def _depth(found: ThreadEvents) -> Ints:
    """How many of its row and lane each one lies in; instants of one time lie in one another."""
    depth = np.zeros(len(found), np.int64)
    takes_time = found.end > found.ts
    for start, stop in found.track_ranges():
        long, ts = takes_time[start:stop], found.ts[start:stop]
        begun: Ints = np.cumsum(long) - long
        ended = np.searchsorted(np.sort(found.end[start:stop][long]), ts, "right")
        depth[start:stop] = begun - ended
        points = ts[~long]
        depth[start:stop][~long] += np.arange(len(points)) - np.searchsorted(points, points)
    return depth
