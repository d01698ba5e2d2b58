"""The stack of a track that has B and E events: these take slices off it before the next starts."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import ThreadEvents

_NOTHING = -1


def stack_tops(found: ThreadEvents, entries: Ints, event: Ints, ts: Ints) -> list[int]:
    """What lies on top of the stack of a track at some moments, -1 for nothing.

    Args:
        found: slices and instants.
        entries: those of the track.
        event: the numbers of the events in the file that mark the moments.
        ts: their times.
    """
    stack: list[int] = []
    answers = [_NOTHING] * len(event)
    for at, is_start, _, _, i, question in sorted(_steps(found, entries, event, ts)):
        if question != _NOTHING:
            answers[question] = stack[-1] if stack else _NOTHING
            continue
        is_point = bool(is_start) and bool(found.end[i] == at)
        while stack and _is_over(found, stack[-1], at, is_point=is_point):
            stack.pop()
        if is_start:
            stack.append(i)
        elif stack and stack[-1] == i:
            stack.pop()
    return answers


def _steps(
    found: ThreadEvents, entries: Ints, event: Ints, ts: Ints
) -> list[tuple[int, int, int, int, int, int]]:
    """Starts, E events and questions, to be sorted as Perfetto sorts them.

    Each is (ts, 0 for E, X longest first, place in the file, entry, question).
    """
    steps = []
    for i in entries.tolist():
        key = int(found.ts[i] - found.end[i]) if found.complete[i] else 0
        steps.append((int(found.ts[i]), 1, key, int(found.event[i]), i, _NOTHING))
        if found.closing[i] >= 0:
            steps.append((int(found.end[i]), 0, 0, int(found.closing[i]), i, _NOTHING))
    for question, (number, at) in enumerate(zip(event.tolist(), ts.tolist(), strict=True)):
        steps.append((at, 1, 0, number, _NOTHING, question))
    return steps


def _is_over(found: ThreadEvents, i: int, at: int, *, is_point: bool) -> bool:
    """Whether a slice leaves the stack when something starts or ends."""
    if found.closing[i] >= 0:
        return False
    both_points = is_point and found.ts[i] == found.end[i] == at
    return bool(found.end[i] <= at and not both_points)
