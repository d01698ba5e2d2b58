"""Split flows of launches whose events do not say which end belongs to which start.

Such a flow has several starts (`s`), since an id was used again or an event was written twice, or
it has steps (`t`), of which Perfetto makes a chain from work to work. The correlations of the
slices that start with its events tell the launches apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from msgspec import Struct

from tp_tools.columns import distinct, is_in
from tp_tools.repair.flow_bindings import bound_slices
from tp_tools.trace.flow_slices import NONE, Launch
from tp_tools.trace.model import NO_ID, is_phase

if TYPE_CHECKING:
    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.flow_groups import FlowGroups

Joined: TypeAlias = tuple[int, list[int]]
"""A launch and its work, as event numbers; NONE where there is none."""
Correlations: TypeAlias = Callable[[int], set[int]]
"""Returns the correlations of the slices that start with a flow event: indices in Trace.links."""


class Unclear(Struct, frozen=True):
    """A flow of launches.

    Attributes:
        starts: its events `s`, one for each place and time, in order of time.
        ends: its events `t` and `f`, in order of time.
        events: all of its events, in order of time.
        arrows: number of places and times of its ends.
        correlation: index in Trace.links of a correlation that equals its id.
    """

    starts: list[int]
    ends: list[int]
    events: list[int]
    arrows: int
    correlation: int

    def as_launch(self) -> Launch:
        """Return it as one launch, to look up the slices that start with its events."""
        return self._launch(self.starts[0], [*self.starts[1:], *self.ends])

    def split(self, correlations: Correlations) -> list[Launch]:
        """Split it into launches with the ends that certainly belong to them.

        With several starts an end belongs to the last one before it that shares a correlation with
        it.
        """
        if len(self.starts) == 1:
            return [self._launch(self.starts[0], self.ends)]
        latest: dict[int, int] = {}
        of_start: dict[int, list[int]] = {start: [] for start in self.starts}
        ends = set(self.ends)
        for event in self.events:
            marks = correlations(event)
            if event in of_start:
                latest.update(dict.fromkeys(marks, event))
            elif event not in ends:  # a start that was written twice
                continue
            elif shared := [latest[mark] for mark in marks if mark in latest]:
                of_start[max(shared)].append(event)
        return [self._launch(start, ends) for start, ends in of_start.items() if ends]

    def _launch(self, start: int, ends: list[int]) -> Launch:
        return Launch(start, ends, self.correlation, NONE, [NONE] * len(ends))


def unclear_flows(trace: Trace, groups: FlowGroups) -> list[Unclear]:
    """Find the flows of launches with several starts, or with steps."""
    phase, size = trace.phase[groups.event], len(groups.is_launch)
    starts = np.bincount(groups.group[phase == ord("s")], minlength=size)
    steps = np.bincount(groups.group[phase == ord("t")], minlength=size)
    chosen = groups.is_launch & (starts > 0) & ((starts > 1) | (steps > 0))
    rows = np.flatnonzero(chosen[groups.group])
    rows = rows[np.lexsort((groups.event[rows], trace.ts[groups.event[rows]], groups.group[rows]))]
    cuts = np.flatnonzero(np.diff(groups.group[rows])) + 1
    found = []
    for group in np.split(rows, cuts) if len(rows) else ():
        is_start = phase[group] == ord("s")
        ends = groups.event[group[~is_start]].tolist()
        found.append(
            Unclear(
                starts=_first_of_places(trace, groups.event[group[is_start]].tolist()),
                ends=ends,
                events=groups.event[group].tolist(),
                arrows=len(_first_of_places(trace, ends)),
                correlation=int(groups.correlation[group[0]]),
            )
        )
    return found


def rebound(
    trace: Trace, table: Slices, plan: Plan, flows: list[Unclear]
) -> Iterator[tuple[Unclear, list[Joined]]]:
    """Find what flows join whose events Perfetto binds to slices with correlations.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: all other repairs.
        flows: flows none of whose events starts with a slice that has a correlation.

    Yields:
        Each flow, with its launch and its work; with nothing where its slices have unlike
        correlations, or another one than its id, which is that of other slices.
    """
    event = np.array([number for flow in flows for number in flow.events], np.int64)
    if not len(event):
        return
    tracks = is_in(trace.track, distinct(trace.track[event]).tolist())
    slices = bound_slices(trace, table, plan, event, tracks)
    bound = dict(zip(event.tolist(), slices.tolist(), strict=True))
    known = set(distinct(trace.link[is_phase(trace, "XB") & (trace.link != NO_ID)]).tolist())
    for flow in flows:
        ends = {bound[event] for event in flow.events} - {NONE}
        links = {int(trace.link[slice_]) for slice_ in ends} - {NO_ID}
        if not links:
            continue
        starts = [bound[start] for start in flow.starts if bound[start] != NONE]
        is_own = len(links) == 1 and flow.correlation not in known - links
        joined = [(starts[0], [bound[end] for end in flow.ends])] if starts and is_own else []
        yield flow, joined


def _first_of_places(trace: Trace, events: list[int]) -> list[int]:
    """Return the first event of each track and time."""
    first: dict[tuple[int, int], int] = {}
    for event in events:
        first.setdefault((int(trace.track[event]), int(trace.ts[event])), event)
    return list(first.values())
