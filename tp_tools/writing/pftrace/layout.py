"""Work out from columns all that will be written, before the text is read again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import blocks
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.renaming import renamed
from tp_tools.writing.pftrace.arrangement import thread_events
from tp_tools.writing.pftrace.descriptors import RecordedNames, tracks
from tp_tools.writing.pftrace.flows import Flows, flows
from tp_tools.writing.pftrace.ordering import defer_order
from tp_tools.writing.pftrace.planned_times import NEVER

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.descriptors import Tracks
    from tp_tools.writing.pftrace.merged import MergedRank
    from tp_tools.writing.pftrace.options import PftraceOptions
    from tp_tools.writing.pftrace.thread_events import ThreadEvents


class BatchNumbers(Struct, frozen=True):
    """The batch in which each thread event is read, or its E event if that is later, as a column.

    Attributes:
        first: int64 (batches,), number of the first event of each batch.
        events: the thread events.
    """

    first: Ints
    events: ThreadEvents

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, index: slice, /) -> Ints:
        opening, closing = self.events.event[index], self.events.closing[index]
        last = np.maximum(opening, closing)  # -1 for no E event
        return np.searchsorted(self.first, last, "right") - 1


class Layout(Struct, frozen=True):
    """The trace to write, and the columns that follow from it.

    Attributes:
        trace, plan, options: the inputs; of the trace with short names, where the plan has any.
        is_written: bool (events,), the events to write.
        thread_events: slices and instants on threads.
        flows: flows between thread events.
        tracks: tracks of the thread events.
        batch: int (thread events,), number of the batch in which all args of one are known.
        level: int8 (thread events,), 0 for one written with its batch; see `defer_order`.
        first_ns: the earliest time, ns, rebased; 0 for a trace without times.
        merged: what differs where the trace is one rank of a merged trace; else None.
    """

    trace: Trace
    plan: Plan
    options: PftraceOptions
    is_written: NDArray[np.bool_]
    thread_events: ThreadEvents
    flows: Flows
    tracks: Tracks
    batch: BatchNumbers
    level: NDArray[np.int8]
    first_ns: int
    merged: MergedRank | None


def lay_out(
    trace: Trace,
    table: Slices,
    plan: Plan,
    options: PftraceOptions,
    *,
    keep: NDArray[np.bool_] | None = None,
    merged: MergedRank | None = None,
) -> Layout:
    """Work out what will be written.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: the changes.
        options: place of the trace among the traces of the file, and how to show lanes.
        keep: bool (events,), the events to write; None for all of them.
        merged: what differs where the trace is one rank of a merged trace.
    """
    trace = renamed(trace, plan.short_names)
    is_written = is_phase(trace, "M")
    for block in blocks(len(trace)):
        is_written[block] |= trace.ts[block] != UNTIMED
    is_written[plan.flows.left_out] = False
    if keep is not None:
        is_written &= keep
    events = thread_events(trace, table, plan, is_written)
    joined = flows(trace, plan, events, is_written)
    batch = BatchNumbers(np.array([batch.first for batch in trace.batches], np.int64), events)
    _, by_order = joined.at_one_time(events)
    names = RecordedNames(trace, plan) if merged is None else merged.names
    return Layout(
        trace=trace,
        plan=plan,
        options=options,
        is_written=is_written,
        thread_events=events,
        flows=joined,
        tracks=tracks(plan, names, events, options),
        batch=batch,
        level=defer_order(events, batch, Flows(joined.out[by_order], joined.into[by_order])),
        first_ns=_first_ns(trace, plan, is_written if merged is not None else None),
        merged=merged,
    )


def _first_ns(trace: Trace, plan: Plan, counts: NDArray[np.bool_] | None) -> int:
    """Return the earliest time of the events that count, ns, rebased; 0 where none has a time."""
    earliest = []
    for block in blocks(len(trace)):
        is_timed = trace.phase[block] != ord("M")
        ts = trace.ts[block][is_timed if counts is None else is_timed & counts[block]]
        earliest.append(int(np.where(ts == UNTIMED, NEVER, ts).min(initial=NEVER)))
    first = min(earliest, default=NEVER)
    return 0 if first == NEVER else first - plan.rebase_ns
