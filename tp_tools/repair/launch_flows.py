"""Plan launch flows that Perfetto would bind to other slices than the profiler recorded.

A flow event names a time on a track: Perfetto binds it to the slice that started last (see
`writing/pftrace/flows.py`). That is another slice where a call without duration starts with the
launch that follows it, where two kernels start together, or where a slice is missing. The flow is
then bound by identity: its events are left out, and the launch and its work carry a `bind_id`,
which Perfetto v52 to v58 draws from slice to slice, whatever lies around them.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from tp_tools.columns import distinct, is_in
from tp_tools.repair.flow_bindings import (
    exactly_bound,
    is_right,
    recorded_pairs,
)
from tp_tools.repair.invented_flows import invented_ends
from tp_tools.repair.own_flow_ids import own_flow_ids
from tp_tools.repair.unclear_flows import rebound, unclear_flows
from tp_tools.trace.flow_groups import flow_groups
from tp_tools.trace.flow_slices import NONE, Launch, LaunchSlices
from tp_tools.trace.model import NO_ID, waits
from tp_tools.trace.plan import FlowEdits, FlowEnd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from numpy.typing import NDArray

    from tp_tools.repair.flow_bindings import Pairs
    from tp_tools.trace import Plan, Slices, Trace
    from tp_tools.trace.flow_groups import FlowGroups
    from tp_tools.trace.flow_slices import ExternalIds

_FIRST_BIND_ID = 1 << 39
"""Perfetto counts flows of `s` and `f` from 0 in the same numbers."""


def with_flows(
    trace: Trace,
    table: Slices,
    plan: Plan,
    external: ExternalIds | None,
    invented: Sequence[int] = (),
) -> Plan:
    """Add the repairs of launch flows to a plan.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: all other repairs.
        external: reads the External ids of events; None if they cannot be read.
        invented: ends to leave out: those of `invented_ends`, without which others may be grouped
            differently.
    """
    groups = flow_groups(trace, invented)
    flows = _launches_bound(trace, table, plan, external, groups)
    more = invented_ends(trace, table, replace(plan, flows=flows), groups)
    if more:
        return with_flows(trace, table, plan, external, [*invented, *more])
    left_out = sorted([*flows.left_out, *invented])
    flows = replace(flows, left_out=left_out, invented=len(invented), own_ids=own_flow_ids(trace))
    return replace(plan, flows=flows)


def _launches_bound(
    trace: Trace, table: Slices, plan: Plan, external: ExternalIds | None, groups: FlowGroups
) -> FlowEdits:
    """Plan the repairs of launch flows; see `with_flows`."""
    pairs, groups = recorded_pairs(trace, table, plan, groups)
    wrong = ~(pairs.sure & is_right(trace, pairs))
    if wrong.any():
        pairs = exactly_bound(trace, table, plan, pairs, np.flatnonzero(wrong))
        wrong = ~is_right(trace, pairs)
    unclear = unclear_flows(trace, groups)
    if not (wrong.any() or unclear):
        return FlowEdits(ids=groups.ids)
    is_changed = is_in(pairs.group, distinct(pairs.group[wrong]).tolist())
    launches = _as_launches(pairs, is_changed)
    used = distinct(trace.link[pairs.out[~wrong]]).tolist()
    indexed = [*launches, *(flow.as_launch() for flow in unclear)]
    recorded = LaunchSlices(trace, table, indexed, external, used)
    binding = _Binding(trace, plan, groups.ids, pairs.into[~is_changed].tolist())
    for launch in launches:
        is_firm = launch.start not in groups.ids or recorded.is_known_by_place(launch)
        binding.add(launch, *recorded.of(launch), is_firm=is_firm)
    unknown = []
    for flow in unclear:
        if any(recorded.correlations(event) for event in flow.events):
            split = flow.split(recorded.correlations)
            binding.replace(flow.events, [recorded.of(launch) for launch in split], flow.arrows)
        else:
            unknown.append(flow)
    for flow, joined in rebound(trace, table, plan, unknown):
        binding.replace(flow.events, joined, flow.arrows)
    return binding.flows()


def meant_launches(
    trace: Trace, table: Slices, plan: Plan, pairs: Pairs
) -> Iterator[tuple[list[int], int]]:
    """List the launch flows that have to be drawn.

    A flow is left out where one of its slices has no correlation, and where its work starts before
    its launch, unless the plan binds it by identity.

    Args:
        trace: the trace.
        table: its slices, with recorded ends.
        plan: the repairs.
        pairs: those of `recorded_pairs`; where Perfetto binds them plays no part.

    Yields:
        The event numbers of all calls with the correlation of the launch, of which one may have
        made the other, and that of the work.
    """
    pairs = replace(pairs, out=np.full(len(pairs), NONE), into=np.full(len(pairs), NONE))
    launches = _as_launches(pairs, np.ones(len(pairs), np.bool_))
    recorded = LaunchSlices(trace, table, launches, None)
    binding = _Binding(trace, plan, {})
    left_out = set(plan.flows.left_out)
    yield from (([out], work) for out, work in plan.flows.arrows)
    for launch in launches:
        if launch.start not in left_out:
            out, into = recorded.of(launch)
            calls = [out, *recorded.calls(launch)]
            for end, work in zip(launch.ends, into, strict=True):
                if binding.is_certain(launch, end, out, work):
                    yield calls, work


def _as_launches(pairs: Pairs, chosen: NDArray[np.bool_]) -> list[Launch]:
    """Group the chosen pairs by their `s`.

    Args:
        pairs: all pairs.
        chosen: bool (pairs,).
    """
    rows = np.flatnonzero(chosen)
    rows = rows[np.lexsort((pairs.end[rows], pairs.group[rows]))]
    cuts = np.flatnonzero(np.diff(pairs.group[rows])) + 1
    return [
        Launch(
            start=int(pairs.start[group[0]]),
            ends=pairs.end[group].tolist(),
            correlation=int(pairs.correlation[group[0]]),
            out=int(pairs.out[group[0]]),
            into=pairs.into[group].tolist(),
        )
        for group in (np.split(rows, cuts) if len(rows) else ())
    ]


class _Binding:
    """Collects the repairs of flows, launch by launch."""

    def __init__(
        self, trace: Trace, plan: Plan, ids: dict[int, int], drawn: Iterable[int] = ()
    ) -> None:
        """Hold the trace, its plan, the new ids of flows, and work whose flow is right."""
        self._trace, self._plan = trace, plan
        self._ids, self._drawn = ids, set(drawn)
        self._ends: dict[int, FlowEnd] = {}
        self._arrows: list[tuple[int, int]] = []
        self._kept: set[tuple[int, int]] = set()  # launches and their work that flow events join
        self._left_out: list[int] = []
        self._lost = self._undrawn = 0
        self._free = _free_bind_ids(trace.bind_ids.values())

    def add(self, launch: Launch, out: int, into: list[int], *, is_firm: bool) -> None:
        """Plan the flows of one launch.

        Args:
            launch: the flow events and the slices that Perfetto binds them to.
            out: the recorded launch, NONE if it is missing.
            into: the recorded work of each `f`, NONE where it is missing.
            is_firm: whether the flow events name these slices under a new id as well.
        """
        targets = [work if self._may_join(out, work) else NONE for work in into]
        pairs = list(zip(launch.ends, launch.into, targets, strict=True))
        if is_firm and all(self._may_stay(launch, *pair[:2], out, pair[2]) for pair in pairs):
            drawn = [bound for end, bound, _ in pairs if self._is_drawn(launch, end, bound)]
            self._kept.update((out, bound) for bound in drawn)
            self._undrawn += len(pairs) - len(drawn)
            return
        self.replace([launch.start, *launch.ends], [(out, into)], len(launch.ends))

    def replace(self, events: list[int], joined: list[tuple[int, list[int]]], arrows: int) -> None:
        """Leave out flow events and bind each launch to its work by identity, where possible.

        Args:
            events: the flow events.
            joined: the launches, and the work of each; NONE where it is missing.
            arrows: how many arrows the events stand for; those that are not bound are lost.
        """
        self._left_out += events
        bound = [
            (out, work)
            for out, into in joined
            for work in dict.fromkeys(into)
            if self._may_join(out, work) and self._is_forward(out, work) and self._bind(out, work)
        ]
        self._arrows += bound
        self._lost += max(arrows - len(bound), 0)

    def _may_stay(self, launch: Launch, end: int, bound: int, out: int, work: int) -> bool:
        """Tell whether Perfetto draws a flow as recorded; or none, where none can be drawn."""
        if self._is_drawn(launch, end, bound):
            return (launch.out, bound) == (out, work) and (out, work) not in self._kept
        return not self._is_later(launch.start, end) or not self._is_forward(out, work)

    def _may_join(self, out: int, work: int) -> bool:
        """Tell whether a flow between two slices could be that of a launch."""
        if NONE in {out, work} or out == work:
            return False
        link = self._trace.link
        return NO_ID in {int(link[out]), int(link[work])} or link[out] == link[work]

    def is_certain(self, launch: Launch, end: int, out: int, work: int) -> bool:
        """Tell whether the correlations of two slices prove a flow from the launch to its work."""
        link = self._trace.link
        if not self._may_join(out, work) or NO_ID in {int(link[out]), int(link[work])}:
            return False
        return self._is_forward(out, work) and self._is_later(launch.start, end)

    def _is_later(self, start: int, end: int) -> bool:
        """Tell whether the flow event `end` comes after `start`."""
        ts = self._trace.ts
        return (int(ts[start]), start) < (int(ts[end]), end)

    def _is_drawn(self, launch: Launch, end: int, work: int) -> bool:
        """Tell whether Perfetto draws the flow of a launch to this work."""
        if NONE in {launch.out, work}:
            return False
        is_waiting = waits(self._trace, np.array([end])).item()
        return self._is_later(launch.start, work if is_waiting else end)

    def _is_forward(self, out: int, work: int) -> bool:
        """Tell whether `bind_id` draws a flow between two slices: `out` has to come first."""
        return NONE not in {out, work} and self._order(out) < self._order(work)

    def _order(self, event: int) -> tuple[int, int, int]:
        """Return the key by which Perfetto sorts slices."""
        trace, plan = self._trace, self._plan
        ts = int(trace.ts[event])
        if trace.phase[event] != ord("X"):
            return ts, 0, event
        return ts, ts - plan.trims.get(event, ts + max(int(trace.dur[event]), 0)), event

    def _bind(self, out: int, work: int) -> bool:
        """Bind two slices by `bind_id`.

        Returns:
            False if they are joined, one has another `bind_id`, or one is an instant, to which
            Perfetto draws no flow by `bind_id` (tried in v52).
        """
        if any(chr(self._trace.phase[event]) in "iIR" for event in (out, work)):
            return False
        end = self._ends.get(out)
        taken = work in self._ends or work in self._trace.bind_ids or out in self._trace.bind_ids
        taken |= work in self._drawn or (out, work) in self._kept
        if taken or (end is not None and end.is_in):
            return False
        bind_id = next(self._free) if end is None else end.bind_id
        self._ends[out] = FlowEnd(bind_id, is_out=True, is_in=False)
        self._ends[work] = FlowEnd(bind_id, is_out=False, is_in=True)
        return True

    def flows(self) -> FlowEdits:
        """Return the collected repairs."""
        return FlowEdits(
            ids={event: self._ids[event] for event in self._ids.keys() - set(self._left_out)},
            ends=self._ends,
            arrows=self._arrows,
            left_out=sorted(self._left_out),
            lost=self._lost,
            undrawn=self._undrawn,
        )


def _free_bind_ids(taken: Iterable[bytes]) -> Iterator[int]:
    """Yield numbers that no slice has as its `bind_id`."""
    used = {text.strip(b'"') for text in taken}
    return (
        number
        for number in count(_FIRST_BIND_ID)
        if b"%d" % number not in used and b"%x" % number not in used
    )
