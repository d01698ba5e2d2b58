"""Model the stack of a track with B and E events, where an E takes its slice off the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents
    from tp_tools.writing.pftrace.unended import Step

_EMPTY = -1


class _Slice(NamedTuple):
    """A slice of the track: its row of ThreadEvents, times in ns, and event numbers."""

    row: int
    event: int
    closing: int
    ts: int
    end: int
    is_complete: bool


def stack_tops(
    events: ThreadEvents, entries: slice | Ints, flow: Ints, ts: Ints, strays: Iterable[Step] = ()
) -> Codes:
    """Find the slice on top of a track's stack at the time of each flow event.

    Args:
        events: slices and instants of all threads.
        entries: rows of `events` on the track.
        flow: int (m,), event numbers of the flow events.
        ts: int64 (m,), their times, ns.
        strays: the E events of the track that end no slice: they take those that are over off.

    Returns:
        int32 (m,), the row of `events` of each top slice, -1 where the stack is empty.
    """
    slices = list(_slices(events, entries))
    stack: list[_Slice] = []
    tops = np.full(len(flow), _EMPTY, np.int32)
    alone = [(step.ts, 0, 0, step.event, _EMPTY, _EMPTY) for step in strays]
    for at, is_start, _, _, i, query in sorted([*_steps(slices, flow, ts), *alone]):
        if query != _EMPTY:
            tops[query] = stack[-1].row if stack else _EMPTY
            continue
        is_point = bool(is_start) and slices[i].end == at
        while stack and _is_over(stack[-1], at, is_point=is_point):
            stack.pop()
        if is_start:
            stack.append(slices[i])
        elif stack and i != _EMPTY and stack[-1] is slices[i]:
            stack.pop()
    return tops


def _slices(events: ThreadEvents, entries: slice | Ints) -> Iterator[_Slice]:
    """Yield the slices of the track."""
    rows = np.arange(entries.start, entries.stop) if isinstance(entries, slice) else entries
    columns = (rows, events.event[entries], events.closing[entries], events.ts[entries])
    others = (events.end[entries], events.is_complete(entries))
    values = (column.tolist() for column in (*columns, *others))
    return map(_Slice._make, zip(*values, strict=True))


def _steps(slices: list[_Slice], flow: Ints, ts: Ints) -> list[tuple[int, int, int, int, int, int]]:
    """List starts, E events and flow events, with keys that sort as Perfetto does.

    Returns:
        (ts, 0 for E else 1, minus the duration of an X, event number, place in `slices`, index in
        `flow`) each.
    """
    steps = []
    for i, it in enumerate(slices):
        key = it.ts - it.end if it.is_complete else 0
        steps.append((it.ts, 1, key, it.event, i, _EMPTY))
        if it.closing >= 0:
            steps.append((it.end, 0, 0, it.closing, i, _EMPTY))
    for query, (number, at) in enumerate(zip(flow.tolist(), ts.tolist(), strict=True)):
        steps.append((at, 1, 0, number, _EMPTY, query))
    return steps


def _is_over(top: _Slice, at: int, *, is_point: bool) -> bool:
    """Tell whether the slice on top leaves the stack when a slice starts or ends at a time.

    `is_point` says that the starting slice has no duration.
    """
    if top.closing >= 0:
        return False
    both_points = is_point and top.ts == top.end == at
    return top.end <= at and not both_points
