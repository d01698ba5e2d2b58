"""Find where Perfetto ends the slices of one track whose B events have no E event.

Perfetto ends one when an event of its track starts or ends after the end of the slice around it,
and then ends it with that slice; without a later event it never ends. Source: Perfetto v52.0,
importers/common/slice_tracker.cc, MaybeCloseStack.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

MAX_DEPTH = 512
"""Number of slices that Perfetto keeps on the stack of a track: SliceTracker::kMaxDepth."""

_LATE = 1 << 63  # after all times


@dataclass(frozen=True)
class Step:
    """One start of a slice or one E event.

    Attributes:
        ts: time, ns.
        is_start: 1 for a start, 0 for an E event.
        key: minus the duration of an X event, so that longer ones come first; 0 for others.
        event: number of the event in the file.
        slice: index of the slice that starts or ends; -1 for an E event without a B event.
        end: end of an X event or instant, ns; None for the start of other slices.
    """

    ts: int
    is_start: int
    key: int
    event: int
    slice: int
    end: int | None = None


def ends_of_unended(steps: list[Step], sorted_from: int = 0) -> dict[int, int]:
    """Return the ends of the slices that Perfetto ends with the slice around them.

    Args:
        steps: the starts and E events of one track, in any order.
        sorted_from: time from which E events come before starts of their time, ns.

    Returns:
        End in ns by index of the slice; slices that never end are not among them.
    """
    stack = _Stack()
    for step in _handled(steps, stack, sorted_from):
        if step.slice in stack.slices:
            stack.finish(stack.slices.index(step.slice), step.ts)
    return stack.forced


def ends_in_json(
    steps: list[Step], can_end: Callable[[int, int], bool], sorted_from: int
) -> dict[int, int]:
    """Return the ends that Perfetto gives the slices of B events and those inside, in JSON.

    There an E event ends the innermost open slice that it can end, which is another one where its
    own has ended with the slice around it.

    Args:
        steps: the starts and E events of one track, in any order.
        can_end: tells whether it can end a B event (number) by an E event (number).
        sorted_from: time from which E events come before starts of their time, ns.

    Returns:
        End in ns by index of the slice; X events and instants that end as recorded, and slices that
        never end, are not among them.
    """
    stack, ended = _Stack(), dict[int, int]()
    begin = {step.slice: step.event for step in steps if step.is_start}
    for step in _handled(steps, stack, sorted_from):
        is_open = (
            at
            for at in reversed(range(len(stack.slices)))
            if stack.ends[at] is None and can_end(begin[stack.slices[at]], step.event)
        )
        if (at := next(is_open, None)) is not None:
            ended[stack.slices[at]] = step.ts
            stack.finish(at, step.ts)
    return ended | stack.forced


def _handled(steps: list[Step], stack: _Stack, sorted_from: int) -> Iterator[Step]:
    """Yield the E events in the order in which Perfetto handles them, and stack all before them."""

    def place(step: Step) -> tuple[int, int, int, int]:
        is_sorted = step.ts >= sorted_from
        return step.ts, is_sorted and step.is_start, is_sorted and step.key, step.event

    for step in sorted(steps, key=place):
        stack.end_slices_before(step.ts, is_point=bool(step.is_start) and step.end == step.ts)
        if step.is_start:
            stack.start(step)
        else:
            yield step


@dataclass
class _Stack:
    """The slices of a track that can still hold others, innermost last.

    Attributes:
        slices, starts: index and start of each, ns.
        ends: end of each, ns; None while it is not known.
        forced: the ends that were set to the end of a slice around.
        soonest: no end on the stack is earlier, ns.
    """

    slices: list[int] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)
    ends: list[int | None] = field(default_factory=list)
    forced: dict[int, int] = field(default_factory=dict)
    soonest: int = _LATE

    def start(self, step: Step) -> None:
        """Put a slice on the stack, unless it is full."""
        if len(self.slices) < MAX_DEPTH:
            self.slices.append(step.slice)
            self.starts.append(step.ts)
            self.ends.append(step.end)
            self.soonest = min(self.soonest, _LATE if step.end is None else step.end)

    def finish(self, at: int, ts: int) -> None:
        """End the slice at a place of the stack."""
        self.ends[at] = ts
        self.soonest = min(self.soonest, ts)
        if at == len(self.slices) - 1:
            self._cut(at)

    def end_slices_before(self, ts: int, *, is_point: bool) -> None:
        """Take off the slices that are over, and end what they hold.

        Args:
            ts: time of the next event, ns.
            is_point: whether it is a slice of 0 ns; those of one time lie in each other.
        """
        if ts < self.soonest:
            return
        holds_unended = False
        for at in reversed(range(len(self.slices))):
            end = self.ends[at]
            if end is None:
                holds_unended = True
            elif holds_unended and ts > end:
                self.forced.update(dict.fromkeys(self.slices[at + 1 :], end))
                self._cut(at)
                holds_unended = False
            elif not holds_unended and end <= ts and not (is_point and self.starts[at] == ts):
                self._cut(at)
        self.soonest = min((end for end in self.ends if end is not None), default=_LATE)

    def _cut(self, at: int) -> None:
        del self.slices[at:]
        del self.starts[at:]
        del self.ends[at:]
