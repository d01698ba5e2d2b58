"""Model the stack of a track with B and E events, where an E takes its slice off the stack."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import ThreadEvents

_EMPTY = -1


def stack_tops(events: ThreadEvents, entries: Ints, flow: Ints, ts: Ints) -> list[int]:
    """Find the slice on top of a track's stack at the time of each flow event.

    Args:
        events: slices and instants of all threads.
        entries: int (n,), rows of `events` on the track.
        flow: int (m,), event numbers of the flow events.
        ts: int64 (m,), their times, ns.

    Returns:
        The row of `events` of each top slice, -1 where the stack is empty.
    """
    stack: list[int] = []
    tops = [_EMPTY] * len(flow)
    for at, is_start, _, _, i, query in sorted(_steps(events, entries, flow, ts)):
        if query != _EMPTY:
            tops[query] = stack[-1] if stack else _EMPTY
            continue
        is_point = bool(is_start) and bool(events.end[i] == at)
        while stack and _is_over(events, stack[-1], at, is_point=is_point):
            stack.pop()
        if is_start:
            stack.append(i)
        elif stack and stack[-1] == i:
            stack.pop()
    return tops


def _steps(
    events: ThreadEvents, entries: Ints, flow: Ints, ts: Ints
) -> list[tuple[int, int, int, int, int, int]]:
    """List starts, E events and flow events, with keys that sort as Perfetto does.

    Returns:
        (ts, 0 for E else 1, minus the duration of an X, event number, entry, index in `flow`) each.
    """
    steps = []
    for i in entries.tolist():
        key = int(events.ts[i] - events.end[i]) if events.complete[i] else 0
        steps.append((int(events.ts[i]), 1, key, int(events.event[i]), i, _EMPTY))
        if events.closing[i] >= 0:
            steps.append((int(events.end[i]), 0, 0, int(events.closing[i]), i, _EMPTY))
    for query, (number, at) in enumerate(zip(flow.tolist(), ts.tolist(), strict=True)):
        steps.append((at, 1, 0, number, _EMPTY, query))
    return steps


def _is_over(events: ThreadEvents, i: int, at: int, *, is_point: bool) -> bool:
    """Tell whether slice `i` leaves the stack when a slice starts or ends at a time.

    `is_point` says that the starting slice has no duration.
    """
    if events.closing[i] >= 0:
        return False
    both_points = is_point and events.ts[i] == events.end[i] == at
    return bool(events.end[i] <= at and not both_points)
