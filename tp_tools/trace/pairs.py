"""Pair the B and E events of a trace, as Perfetto does."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import blocks, is_in, rows_where
from tp_tools.trace.model import NAMELESS, UNTIMED

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Trace

NEVER_SORTED = (1 << 63) - 1


def pairs(trace: Trace, start: int | None = None) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Pair each E event with the last open B event of its track that it can end.

    B and E events without a partner are left out. Perfetto pairs them by the same rule (v52.0,
    importers/common/slice_tracker.cc).

    Args:
        trace: the trace.
        start: time from which E events come before B events of their time, ns; None for Perfetto's,
            see `sorted_from`.

    Returns:
        Numbers of the B events and of their E events.
    """
    marks = begins_and_ends(trace)
    is_begin = trace.phase[marks] == ord("B")
    ts = trace.ts[marks]
    if start is None:
        start = sorted_from(trace) if len(marks) else NEVER_SORTED
    first = np.where(ts >= start, is_begin, marks)
    order = np.lexsort((marks, first, ts))
    open_by_track: dict[int, list[int]] = defaultdict(list)
    opening, closing = [], []
    for event, opens in zip(marks[order].tolist(), is_begin[order].tolist(), strict=True):
        stack = open_by_track[int(trace.track[event])]
        if opens:
            stack.append(event)
            continue
        depths = reversed(range(len(stack)))
        ended = next((i for i in depths if can_end(trace, stack[i], event)), None)
        if ended is not None:
            opening.append(stack.pop(ended))
            closing.append(event)
    return np.array(opening, np.int32), np.array(closing, np.int32)


def sorted_from(trace: Trace) -> int:
    """Return the time from which Perfetto takes E events before others of their time, ns.

    Earlier ones count in the order of the file. Perfetto sorts from the earliest event on that is
    out of order: before an earlier one in the file or, once it has read an X event, of its time.
    Metadata without a time is at 0. Source: Perfetto v52.0, sorter/trace_sorter.h, Queue::Append.
    """
    latest, earliest, has_complete = 0, NEVER_SORTED, False
    for block in blocks(len(trace)):
        phase, ts = trace.phase[block], trace.ts[block]
        has_time = (ts != UNTIMED) | (phase == ord("M"))
        phase, ts = phase[has_time], np.where(ts == UNTIMED, 0, ts)[has_time]
        if not len(ts):
            continue
        before = np.maximum.accumulate(np.append(latest, ts))
        after_complete = np.logical_or.accumulate(np.append(has_complete, phase == ord("X")))[1:]
        is_late = (ts < before[:-1]) | (after_complete & (ts == before[:-1]))
        earliest = int(ts.min(where=is_late, initial=earliest))
        latest, has_complete = int(before[-1]), bool(after_complete[-1])
    return earliest if has_complete else NEVER_SORTED


def begins_and_ends(trace: Trace) -> NDArray[np.int32]:
    """Return the numbers of the B and E events that have a time."""
    return rows_where(
        len(trace), lambda block: is_in(trace.phase[block], b"BE") & (trace.ts[block] != UNTIMED)
    )


def swapped_pairs(
    trace: Trace, start: int | None = None
) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Find the slices of 0 ns of B and E events whose E event Perfetto takes before their B.

    By the order of the file they begin and end at one time. Perfetto ends another slice there, or
    none, and shows the slice until a later E event.

    Args:
        trace: the trace.
        start: time from which Perfetto takes E events first, ns; None for that of the file alone.

    Returns:
        Numbers of the B events and of their E events.
    """
    none = np.empty(0, np.int32)
    marks = begins_and_ends(trace)
    marks = marks[np.lexsort((marks, trace.ts[marks], trace.track[marks]))]
    is_begin = trace.phase[marks] == ord("B")
    ends_next = is_begin[:-1] & ~is_begin[1:]
    for column in (trace.ts[marks], trace.track[marks]):
        ends_next &= column[:-1] == column[1:]
    if not ends_next.any():
        return none, none
    opening, closing = pairs(trace, NEVER_SORTED)
    ts = trace.ts[opening]
    is_swapped = ts == trace.ts[closing]
    is_swapped &= ts >= (sorted_from(trace) if start is None else start)
    return opening[is_swapped], closing[is_swapped]


def can_end(trace: Trace, opening: int, closing: int) -> bool:
    """Tell whether an E event can end a B event: a name or category of the E must be the B's."""
    name, cat = trace.name[closing], trace.cat[closing]
    return bool(
        (trace.names[name] in {"", NAMELESS} or name == trace.name[opening])
        and (not trace.cats[cat] or cat == trace.cat[opening])
    )
