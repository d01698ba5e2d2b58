"""Find the slices that launch flows join: by correlation, by External id, or by position.

Kineto writes a flow event right behind its slice, with the start and the track of the slice.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from msgspec import Struct
from msgspec.structs import replace

from tp_tools.columns import indices_of, is_in, iterate_rows, take
from tp_tools.trace.categories import GPU_WORK
from tp_tools.trace.flow_groups import rank_labels
from tp_tools.trace.model import NO_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.slices import Slices

NONE = -1
ExternalIds: TypeAlias = Callable[[Iterable[int]], dict[int, bytes]]
"""Reads JSON text of External ids by event; events without an id are missing."""

_Key: TypeAlias = "tuple[int, int]"


class Launch(Struct, frozen=True):
    """A launch flow: one event `s`, and an event `f` for each kernel or copy that was launched.

    Attributes:
        start: the event `s`.
        ends: the events `f`, ascending.
        correlation: index in Trace.links of the correlation that equals the id of the flow; NO_ID
            for none.
        out: the slice that Perfetto binds `start` to, NONE if there is none.
        into: the slice that Perfetto binds each end to, NONE if there is none.
    """

    start: int
    ends: list[int]
    correlation: int
    out: int
    into: list[int]


class LaunchSlices:
    """Finds the slices that the profiler joined by launch flows."""

    def __init__(
        self,
        trace: Trace,
        table: Slices,
        launches: list[Launch],
        external: ExternalIds | None,
        used: Iterable[int] = (),
    ) -> None:
        """Index the slices of all launches in one pass.

        Args:
            trace: the trace.
            table: its slices, with recorded ends.
            launches: the launches that later calls of `of` and `calls` may name.
            external: reads External ids; None if they cannot be read.
            used: correlations of other launches, as indices in Trace.links.
        """
        self._trace = trace
        self._taken: set[object] = set(used)
        self._label = rank_labels(trace.tracks)
        bound = {event for launch in launches for event in (launch.out, *launch.into)}
        chosen = indices_of(table.event, bound)
        self._end = dict(zip(table.event[chosen].tolist(), table.end[chosen].tolist(), strict=True))
        flows = {event for launch in launches for event in (launch.start, *launch.ends)}
        self._starting = self._by_start(table, flows)
        correlations = {launch.correlation for launch in launches} - {NO_ID}
        self._correlated = self._by_correlation(table, correlations)
        self._external: dict[int, bytes] = {}
        if external is not None:
            ambiguous = [launch for launch in launches if not self._is_known(launch)]
            candidates = {slice_ for launch in ambiguous for slice_ in self._around(launch)}
            self._external = external(sorted(candidates)) if candidates else {}

    def _by_start(self, table: Slices, flows: set[int]) -> dict[_Key, list[int]]:
        """Return the slices with the track and start of a flow event, by (track, ts)."""
        trace = self._trace
        keys = {(int(trace.track[event]), int(trace.ts[event])) for event in flows}
        on_track = is_in(table.track, {track for track, _ in keys})
        at_time = np.isin(table.ts[:], np.array([ts for _, ts in keys], np.int64))
        slices = defaultdict[_Key, list[int]](list)
        self._remember(table, np.flatnonzero(on_track & at_time), slices, keys)
        return slices

    def _remember(
        self,
        table: Slices,
        chosen: Ints,
        slices: dict[_Key, list[int]],
        keys: set[_Key] | None = None,
    ) -> None:
        """Add chosen slices to `slices`: by (track, ts) in `keys`, else by (rank, correlation)."""
        trace = self._trace
        columns = (column[chosen] for column in (table.event, table.track, table.ts))
        for event, track, ts in iterate_rows(*columns):
            by_rank = int(self._label[track]), int(trace.link[event])
            key = (track, ts) if keys is not None else by_rank
            if keys is None or key in keys:
                slices[key].append(event)

    def _by_correlation(self, table: Slices, correlations: set[int]) -> dict[_Key, list[int]]:
        """Return the slices with one of these correlations, by (rank, correlation)."""
        link = take(self._trace.link, table.event)
        is_chosen = np.isin(link, np.array(sorted(correlations), np.int64))
        slices = defaultdict[_Key, list[int]](list)
        self._remember(table, np.flatnonzero(is_chosen), slices)
        return slices

    def _of_id(self, launch: Launch) -> tuple[list[int], list[int]]:
        """Return the calls and the GPU work whose correlation is the id of the flow."""
        if launch.correlation == NO_ID:
            return [], []
        key = int(self._label[self._trace.track[launch.start]]), launch.correlation
        correlated = self._correlated.get(key, [])
        works = [event for event in correlated if self._is_work(event, launch)]
        return [event for event in correlated if event not in works], works

    def calls(self, launch: Launch) -> list[int]:
        """Return the calls whose correlation is the id of the flow."""
        return self._of_id(launch)[0]

    def correlations(self, flow: int) -> set[int]:
        """Return the correlations of the slices that start with a flow event."""
        link = self._trace.link
        return {int(link[event]) for event in self._at(flow)} - {NO_ID}

    def _is_work(self, event: int, launch: Launch) -> bool:
        """Tell whether a slice is launched work: by its track, on other tracks by its category."""
        trace, track = self._trace, int(self._trace.track[event])
        if track == int(trace.track[launch.start]):
            return False
        if track in {int(trace.track[end]) for end in launch.ends}:
            return True
        return trace.cats[trace.cat[event]] in GPU_WORK

    def _at(self, flow: int) -> list[int]:
        """Return the slices that start at the time and on the track of a flow event."""
        trace = self._trace
        return self._starting.get((int(trace.track[flow]), int(trace.ts[flow])), [])

    def _is_known(self, launch: Launch) -> bool:
        """Tell whether the slices are known without External ids."""
        if any(self._of_id(launch)) or self._shared(launch, self._links(launch)) is not None:
            return True
        return all(len(self._at(flow)) < 2 for flow in (launch.start, *launch.ends))  # noqa: PLR2004

    def _around(self, launch: Launch) -> list[int]:
        """Return the slices that start with one of the flow's events."""
        return [event for flow in (launch.start, *launch.ends) for event in self._at(flow)]

    def _links(self, launch: Launch) -> dict[int, object]:
        """Return the correlation by slice, of slices that start with one of the flow's events."""
        link = self._trace.link
        pairs = ((event, int(link[event])) for event in self._around(launch))
        return {event: number for event, number in pairs if number != NO_ID}

    def _shared(self, launch: Launch, marks: Mapping[int, object]) -> object | None:
        """Find the mark that a slice at the start and a slice at each end share.

        If several are shared, prefer that of the slice before the start in the file, then one that
        no other launch has.

        Args:
            launch: the launch flow.
            marks: correlation or External id by slice.

        Returns:
            The mark; None if none is shared.
        """
        sets = [
            {marks[event] for event in self._at(flow) if event in marks}
            for flow in (launch.start, *launch.ends)
        ]
        shared = set.intersection(*sets)
        if len(shared) > 1:
            preferred = marks.get(self._chosen(launch.start, self._at(launch.start)))
            left = [mark for mark in shared if mark not in self._taken]
            shared = {preferred} if preferred in left else set(sorted(left, key=str)[:1])
        return next(iter(shared), None)

    def of(self, launch: Launch) -> tuple[int, list[int]]:
        """Find the slices that a launch flow joins.

        Args:
            launch: one of the launches given to the constructor.

        Returns:
            The slice of the start, and the slice of each end; NONE if there is none.
        """
        launches, works = self._of_id(launch)
        if not launches and not works:
            all_marks: list[Mapping[int, object]] = [self._links(launch), self._external]
            for marks in all_marks:
                mark = self._shared(launch, marks)
                if mark is not None:
                    self._taken.add(mark)
                    same = [event for event in self._around(launch) if marks.get(event) == mark]
                    launches = [event for event in self._at(launch.start) if event in same]
                    works = [
                        event for end in launch.ends for event in self._at(end) if event in same
                    ]
                    break
        out = self._chosen(launch.start, launches) if launches else NONE
        if out == NONE:
            out = self._nearest(launch.start, launch.out)
        taken: set[int] = set()
        into = []
        for end, bound in zip(launch.ends, launch.into, strict=True):
            left = [event for event in dict.fromkeys(works) if event not in taken]
            work = self._chosen(end, left) if left else NONE
            if work == NONE and not works:
                work = self._nearest(end, bound)
            taken.add(work)
            into.append(work)
        return out, into

    def is_known_by_place(self, launch: Launch) -> bool:
        """Tell whether `of` finds the same slices under an id that is no correlation."""
        return self.of(replace(launch, correlation=NO_ID)) == self.of(launch)

    def _chosen(self, flow: int, candidates: list[int]) -> int:
        """Return the candidate nearest in time, then in the file; those on its track come first."""
        trace = self._trace
        at, track = int(trace.ts[flow]), int(trace.track[flow])
        return min(
            candidates,
            key=lambda event: (
                int(trace.track[event]) != track,
                abs(int(trace.ts[event]) - at),
                event > flow,
                abs(event - flow),
            ),
        )

    def _nearest(self, flow: int, bound: int) -> int:
        """Return the slice that a flow event follows in the file; else `bound` if still open."""
        trace, starting = self._trace, self._at(flow)
        if starting:
            return self._chosen(flow, starting)
        if bound == NONE:
            return NONE
        return bound if int(trace.ts[flow]) <= self._end.get(bound, int(trace.ts[bound])) else NONE
