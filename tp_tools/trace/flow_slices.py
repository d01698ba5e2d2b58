"""The slices that a launch flow is meant to join: by correlation, External id, or where it stands.

Kineto writes a flow event right behind its slice, with the time at which that starts, on its track.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

from tp_tools.columns import indices_of, is_in, iterate_rows, take
from tp_tools.trace.flow_groups import rank_labels
from tp_tools.trace.model import NO_ID

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.slices import Slices

NONE = -1
ExternalIds: TypeAlias = Callable[[Iterable[int]], dict[int, bytes]]
"""The JSON text of the External id of each of some events that has one."""

GPU_CATS = frozenset({"kernel", "gpu_memcpy", "gpu_memset", "Kernel", "Memcpy", "Memset"})
"""Categories of work on GPUs, today's and those until 2021."""

_Key: TypeAlias = "tuple[int, int]"


@dataclass(frozen=True)
class Launch:
    """A launch flow: one `s`, and an `f` for each piece of work that was launched.

    Attributes:
        start: the event `s`.
        ends: the events `f`, ascending.
        correlation: the index in Trace.links of a correlation that equals its id.
        out, into: the slices that Perfetto binds it to, NONE where there is none.
    """

    start: int
    ends: list[int]
    correlation: int
    out: int
    into: list[int]


class MeantSlices:
    """Finds the slices that launch flows are meant to join."""

    def __init__(
        self,
        trace: Trace,
        table: Slices,
        launches: list[Launch],
        external: ExternalIds | None,
        used: Iterable[int] = (),
    ) -> None:
        """Looks up in one pass all that is asked for later.

        Args:
            trace: the trace.
            table: its slices, with recorded ends.
            launches: those that will be asked about.
            external: reads External ids; None if they cannot be read.
            used: correlations of other launches, as indices in Trace.links.
        """
        self._trace = trace
        self._taken: set[object] = set(used)
        self._label = rank_labels(trace.tracks)
        bound = {event for it in launches for event in (it.out, *it.into)}
        chosen = indices_of(table.event, bound)
        self._end = dict(zip(table.event[chosen].tolist(), table.end[chosen].tolist(), strict=True))
        flows = {event for it in launches for event in (it.start, *it.ends)}
        self._starting = self._by_start(table, flows)
        self._correlated = self._by_correlation(table, {it.correlation for it in launches})
        self._external: dict[int, bytes] = {}
        if external is not None:
            unknown = [it for it in launches if not self._is_known(it)]
            asked = {slice_ for it in unknown for slice_ in self._around(it)}
            self._external = external(sorted(asked)) if asked else {}

    def _by_start(self, table: Slices, flows: set[int]) -> dict[_Key, list[int]]:
        """The slices that start with a flow event on its track, by (track, ts)."""
        trace = self._trace
        keys = {(int(trace.track[event]), int(trace.ts[event])) for event in flows}
        rows = is_in(table.track, {row for row, _ in keys})
        times = np.isin(table.ts[:], np.array([ts for _, ts in keys], np.int64))
        found = defaultdict[_Key, list[int]](list)
        self._remember(table, np.flatnonzero(rows & times), found, keys)
        return found

    def _remember(
        self,
        table: Slices,
        chosen: Ints,
        found: dict[_Key, list[int]],
        keys: set[_Key] | None = None,
    ) -> None:
        """Keeps some slices: by (track, ts) if keys are given, else by (rank, correlation)."""
        trace = self._trace
        columns = (column[chosen] for column in (table.event, table.track, table.ts))
        for event, row, ts in iterate_rows(*columns):
            key = (row, ts) if keys is not None else (int(self._label[row]), int(trace.link[event]))
            if keys is None or key in keys:
                found[key].append(event)

    def _by_correlation(self, table: Slices, wanted: set[int]) -> dict[_Key, list[int]]:
        """The slices with one of some correlations, by (rank, correlation)."""
        link = take(self._trace.link, table.event)
        is_wanted = np.isin(link, np.array(sorted(wanted), np.int64))
        found = defaultdict[_Key, list[int]](list)
        self._remember(table, np.flatnonzero(is_wanted), found)
        return found

    def _of_id(self, launch: Launch) -> tuple[list[int], list[int]]:
        """The launches and the work whose correlation is the id of the flow."""
        key = int(self._label[self._trace.track[launch.start]]), launch.correlation
        found = self._correlated.get(key, [])
        works = [event for event in found if self._is_work(event, launch)]
        return [event for event in found if event not in works], works

    def calls(self, launch: Launch) -> list[int]:
        """All calls whose correlation is the id of the flow."""
        return self._of_id(launch)[0]

    def _is_work(self, event: int, launch: Launch) -> bool:
        """Whether a slice is what was launched: by its track; of other tracks, by its category."""
        trace, track = self._trace, int(self._trace.track[event])
        if track == int(trace.track[launch.start]):
            return False
        if track in {int(trace.track[end]) for end in launch.ends}:
            return True
        return trace.cats[trace.cat[event]] in GPU_CATS

    def _at(self, flow: int) -> list[int]:
        """The slices that start with a flow event."""
        trace = self._trace
        return self._starting.get((int(trace.track[flow]), int(trace.ts[flow])), [])

    def _is_known(self, launch: Launch) -> bool:
        """Whether correlations tell, or there is nothing to choose from."""
        if any(self._of_id(launch)) or self._shared(launch, self._links(launch)) is not None:
            return True
        return all(len(self._at(flow)) < 2 for flow in (launch.start, *launch.ends))  # noqa: PLR2004

    def _around(self, launch: Launch) -> list[int]:
        return [event for flow in (launch.start, *launch.ends) for event in self._at(flow)]

    def _links(self, launch: Launch) -> dict[int, object]:
        """The correlations of the slices that start with its events."""
        link = self._trace.link
        found = ((event, int(link[event])) for event in self._around(launch))
        return {event: number for event, number in found if number != NO_ID}

    def _shared(self, launch: Launch, marks: Mapping[int, object]) -> object | None:
        """The mark that a slice at the start and one at each end have; None if there is none.

        Of several it is that of the slice behind which the start stands in the file, or one that
        no other launch has.
        """
        sets = [
            {marks[event] for event in self._at(flow) if event in marks}
            for flow in (launch.start, *launch.ends)
        ]
        shared = set.intersection(*sets)
        if len(shared) > 1:
            own = marks.get(self._chosen(launch.start, self._at(launch.start)))
            left = [mark for mark in shared if mark not in self._taken]
            shared = {own} if own in left else set(sorted(left, key=str)[:1])
        return next(iter(shared), None)

    def of(self, launch: Launch) -> tuple[int, list[int]]:
        """The slice that launched, and the work of each end; NONE for what is not there."""
        launches, works = self._of_id(launch)
        if not launches and not works:
            all_marks: list[Mapping[int, object]] = [self._links(launch), self._external]
            for marks in all_marks:
                mark = self._shared(launch, marks)
                if mark is not None:
                    self._taken.add(mark)
                    same = [it for it in self._around(launch) if marks.get(it) == mark]
                    launches = [it for it in self._at(launch.start) if it in same]
                    works = [it for end in launch.ends for it in self._at(end) if it in same]
                    break
        out = self._chosen(launch.start, launches) if launches else NONE
        if out == NONE:
            out = self._own(launch.start, launch.out)
        taken: set[int] = set()
        into = []
        for end, bound in zip(launch.ends, launch.into, strict=True):
            left = [it for it in dict.fromkeys(works) if it not in taken]
            work = self._chosen(end, left) if left else NONE
            if work == NONE and not works:
                work = self._own(end, bound)
            taken.add(work)
            into.append(work)
        return out, into

    def _chosen(self, flow: int, candidates: list[int]) -> int:
        """The nearest of some slices that a flow event may stand for: on its track, if any is."""
        trace = self._trace
        at, track = int(trace.ts[flow]), int(trace.track[flow])
        return min(
            candidates,
            key=lambda it: (
                int(trace.track[it]) != track,
                abs(int(trace.ts[it]) - at),
                it > flow,
                abs(it - flow),
            ),
        )

    def _own(self, flow: int, bound: int) -> int:
        """The slice that a flow event stands behind in the file; else that which lies around it."""
        trace, starting = self._trace, self._at(flow)
        if starting:
            return self._chosen(flow, starting)
        if bound == NONE:
            return NONE
        return bound if int(trace.ts[flow]) <= self._end.get(bound, int(trace.ts[bound])) else NONE
