"""Take from the columns of a trace the rows of thread events whose packets are made together."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import blocks, group_order, rows_where, take, unique
from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.flow_fields import flow_fields
from tp_tools.writing.pftrace.packets import BEGIN, INSTANT, Begins, Ends, Shape
from tp_tools.writing.pftrace.planned_times import NEVER

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.columns import Empty
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.layout import Layout
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents

_CHUNK = 1 << 14
SORTED = 1 << 18
"""ENDs that are sorted at a time, about."""

_SAMPLES = 1 << 14  # ends from which the blocks of time are chosen, about


class EventRows:
    """Takes the rows of thread events.

    Attributes:
        shape: what their packets have in common.
    """

    def __init__(self, layout: Layout) -> None:
        """Take the layout."""
        trace, events, flows = layout.trace, layout.thread_events, layout.flows
        self._events = events
        self._tracks = layout.tracks.uuids
        self._name, self._cat = trace.name, trace.cat
        self._cat_iids = np.array([i + 1 if cat else 0 for i, cat in enumerate(trace.cats)])
        self.shape = Shape(
            sequence=wire.number(10, layout.options.sequence),
            ts_size=wire.width(_latest(events)),
            uuid_size=wire.width(int(self._tracks.max(initial=0))),
            name_size=wire.width(len(trace.names)),
            cat_size=wire.width(len(trace.cats)),
        )
        first = layout.options.first_flow
        self._empty = empty = trace.scratch.empty
        on_end, _ = flows.at_one_time(events, empty)
        none = np.empty(0, np.int32)
        late = rows_where(len(flows), on_end.__getitem__, empty)
        self._end_flows = flow_fields(none, take(flows.into, late, empty), late, first, empty)
        late = rows_where(len(flows), lambda block: ~on_end[block], empty)
        into = take(flows.into, late, empty)
        self._begin_flows = flow_fields(flows.out, into, late, first, empty)

    def ends(self) -> Iterator[Ends]:
        """Yield all ENDs, by time; of one time on one track the innermost first."""
        left = np.empty(0, np.int32)
        for ending in by_end(self._events, empty=self._empty):
            index = np.concatenate([left, ending])
            whole = len(index) // _CHUNK * _CHUNK
            for start in range(0, whole, _CHUNK):
                yield self._ends(index[start : start + _CHUNK])
            left = index[whole:]
        if len(left):
            yield self._ends(left)

    def _ends(self, index: Ints) -> Ends:
        """Return the ENDs of these thread events."""
        times = self._events.end[index]
        return Ends(times, self._uuids(index), self._end_flows.of(index))

    def begins(self, index: Ints) -> Begins:
        """Return the BEGIN or INSTANT of each of these thread events, in this order."""
        events, event = self._events, self._events.event[index]
        ts = events.ts[index]
        return Begins(
            ts=ts,
            uuid=self._uuids(index),
            kind=np.where(events.end[index] > ts, np.uint8(BEGIN), np.uint8(INSTANT)),
            name=self._name[event].astype(np.int64) + 1,
            cat=self._cat_iids[self._cat[event]],
            flows=self._begin_flows.of(index),
        )

    def _uuids(self, index: Ints) -> Ints:
        """Return the track of each of these thread events."""
        return self._tracks[self._events.place_of(index)]


def _latest(events: ThreadEvents) -> int:
    """Return the latest time of a thread event, ns, not below 0."""
    latest = 0
    for block in blocks(len(events)):
        ts, end = events.ts[block], events.end[block]
        latest = max(latest, int(np.maximum(ts, np.where(end == NEVER, 0, end)).max()))
    return latest


def by_end(events: ThreadEvents, size: int = SORTED, empty: Empty = np.empty) -> Iterator[Codes]:
    """Yield the events that need an END, by its time; of one time the last of the table first.

    Args:
        events: the thread events.
        size: how many are sorted at a time, about; they are put into blocks of time first.
        empty: makes columns.

    Yields:
        int32, rows of `events`.
    """
    step = max(len(events) // _SAMPLES, 1)
    samples = np.sort(np.concatenate([[0], events.end[np.arange(0, len(events), step)]]))
    edges = unique(samples[:: max(size // step, 1)])

    def time_of(block: slice) -> Ints:
        """Return the block of time in which each event ends; the last one if it needs no END."""
        ts, end = events.ts[block], events.end[block]
        needs_none = (end <= ts) | (end == NEVER)
        return np.where(needs_none, len(edges) + 1, np.searchsorted(edges, end, "right"))

    order, cuts = group_order(len(events), len(edges) + 2, time_of, empty)
    for start, stop in pairwise(cuts[:-1].tolist()):
        rows = order[start:stop]
        yield rows[np.lexsort((-rows, events.end[rows]))]
