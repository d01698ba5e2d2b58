"""The slices of a trace, X events and B/E pairs, in the order in which Perfetto sorts them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tp_tools.chrome.events import NAMELESS, UNTIMED, is_phase
from tp_tools.chrome.piecewise import is_in, picked, pieces

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints, Trace


class Times(Protocol):
    """A time of each slice, ns; `[:]` gives all of them."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: slice | Ints, /) -> NDArray[np.int64]: ...


@dataclass(frozen=True)
class Slices:
    """Row i is a slice; sorted by row, then ts, longest first, then place in the file.

    Attributes:
        event: number of its event in the file, of B for a pair.
        closing: number of the E event of a pair, else -1.
        row: index of its (pid, tid) in Trace.tracks.
        ts, end: nanoseconds; of the slices as recorded they are looked up in the trace.
    """

    event: NDArray[np.int32]
    closing: NDArray[np.int32]
    row: Ints
    ts: Times
    end: Times

    def __len__(self) -> int:
        return len(self.event)

    def row_ranges(self) -> list[tuple[int, int]]:
        """First and last-plus-one index of each row that has slices."""
        edges = np.flatnonzero(np.diff(self.row)) + 1
        starts = [0, *edges.tolist()]
        return list(zip(starts, [*edges.tolist(), len(self)], strict=True)) if len(self) else []


@dataclass(frozen=True)
class _Recorded:
    """When recorded slices start or end: kept, it would take as much memory as the trace's own.

    Attributes:
        trace: where it is looked up.
        event, closing: as in Slices.
        at_end: whether it is the end.
    """

    trace: Trace
    event: NDArray[np.int32]
    closing: NDArray[np.int32]
    at_end: bool

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, index: slice | Ints, /) -> NDArray[np.int64]:
        trace, event, closing = self.trace, self.event[index], self.closing[index]
        found: NDArray[np.int64] = picked(trace.ts, event)
        if self.at_end:
            for here in pieces(len(event)):
                found[here] += np.maximum(trace.dur[event[here]], 0)
            pairs = np.flatnonzero(closing >= 0)
            found[pairs] = trace.ts[closing[pairs]]
        return found

    def part(self, here: slice) -> _Recorded:
        return _Recorded(self.trace, self.event[here], self.closing[here], self.at_end)


def slices(trace: Trace) -> Slices:
    """All slices that have a time; an X without a usable `dur` counts as 0 long."""
    opening, ending = _pairs(trace)
    is_slice = is_phase(trace, "X") & (trace.ts != UNTIMED)
    is_slice[opening] = True
    event = _by_track(trace, is_slice)
    if len(opening):
        ends = np.full(len(trace), -1, np.int32)
        ends[opening] = ending
        closing = ends[event]
    else:
        closing = np.broadcast_to(np.int32(-1), len(event))  # takes no memory
    ts, end = (_Recorded(trace, event, closing, at_end) for at_end in (False, True))
    table = Slices(event, closing, picked(trace.track, event), ts, end)
    for start, stop in table.row_ranges():
        if stop == start + 1:
            continue
        here = slice(start, stop)
        order = _order(part(table, start, stop))
        event[here] = event[here][order]
        if len(opening):
            closing[here] = closing[here][order]
    return table


def _by_track(trace: Trace, chosen: NDArray[np.bool_]) -> NDArray[np.int32]:
    """The numbers of the chosen events, track by track, each in the order of the file."""
    found: list[list[NDArray[np.int32]]] = [[] for _ in trace.tracks]
    for here in pieces(len(trace)):
        event = (np.flatnonzero(chosen[here]) + here.start).astype(np.int32)
        track = trace.track[event]
        order = np.argsort(track, kind="stable")
        event, track = event[order], track[order]
        for together in np.split(event, np.flatnonzero(np.diff(track)) + 1):
            if len(together):
                found[trace.track[together[0]]].append(together)
    return np.concatenate([np.empty(0, np.int32), *chain.from_iterable(found)])


def _order(row: Slices) -> NDArray[np.int32]:
    """The order of the slices of a row: by ts, then longest first, else as they stand."""
    ts = row.ts[:]
    order = np.argsort(ts, kind="stable").astype(np.int32)
    ts = picked(ts, order)
    is_tied = np.zeros(len(ts) + 1, np.bool_)
    is_tied[1:-1] = ts[1:] == ts[:-1]
    tied = np.flatnonzero(is_tied[1:] | is_tied[:-1])
    among = order[tied]
    order[tied] = among[np.lexsort((-row.end[among], ts[tied]))]
    return order


def _sorted(
    event: NDArray[np.int32],
    closing: NDArray[np.int32],
    row: Ints,
    ts: NDArray[np.int64],
    end: NDArray[np.int64],
) -> Slices:
    order = np.lexsort((event, ts - end, ts, row))
    return Slices(event[order], closing[order], row[order], ts[order], end[order])


def subset(table: Slices, chosen: Ints) -> Slices:
    """Some of the slices, in the same order.

    Args:
        table: all slices.
        chosen: indices of those wanted, ascending.
    """
    return Slices(
        table.event[chosen],
        table.closing[chosen],
        table.row[chosen],
        table.ts[chosen],
        table.end[chosen],
    )


def part(table: Slices, start: int, stop: int) -> Slices:
    """Those from one place to another, as a view."""
    here = slice(start, stop)
    return Slices(
        table.event[here],
        table.closing[here],
        table.row[here],
        _view(table.ts, here),
        _view(table.end, here),
    )


def _view(times: Times, here: slice) -> Times:
    return times.part(here) if isinstance(times, _Recorded) else times[here]


def with_ends(table: Slices, ends: Mapping[int, int]) -> Slices:
    """The same slices with other ends, by event, sorted again."""
    return _sorted(table.event, table.closing, table.row, table.ts[:], ends_of(table, ends)[:])


def ends_of(table: Slices, ends: Mapping[int, int]) -> Times:
    """Where each slice ends: by event what is given, else as the table has it."""
    if not ends:
        return table.end
    found = table.end[:].copy()
    where = np.flatnonzero(is_in(table.event, ends))
    found[where] = [ends[event] for event in table.event[where].tolist()]
    return found


def lanes_of(event: Ints, lanes: Mapping[int, int]) -> NDArray[np.int32]:
    """The lane of each of these events: by event what is given, else 1."""
    found = np.ones(len(event), np.int32)
    where = np.flatnonzero(is_in(event, lanes))
    found[where] = [lanes[number] for number in event[where].tolist()]
    return found


def on_lanes(table: Slices, lanes: Mapping[int, int]) -> Slices:
    """The same slices with every lane as a row of its own.

    Args:
        table: the slices.
        lanes: lane by event, from 2; 1 for those not in it.
    """
    if not lanes:
        return table
    lane = lanes_of(table.event, lanes)
    row = table.row.astype(np.int64) * (int(lane.max()) + 1) + lane
    return _sorted(table.event, table.closing, row, table.ts[:], table.end[:])


def _pairs(trace: Trace) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """B events, and the E that ends each: the last open B of its row of which it may be the end.

    Others are left out. So does Perfetto pair them (v52.0, importers/common/slice_tracker.cc).
    """
    marks = np.flatnonzero(is_phase(trace, "BE") & (trace.ts != UNTIMED))
    is_open = trace.phase[marks] == ord("B")
    # at one time E comes before B, as Perfetto sorts them
    order = np.lexsort((marks, is_open, trace.ts[marks]))
    open_by_row: dict[int, list[int]] = defaultdict(list)
    opening, closing = [], []
    for mark, opens in zip(marks[order].tolist(), is_open[order].tolist(), strict=True):
        stack = open_by_row[int(trace.track[mark])]
        if opens:
            stack.append(mark)
            continue
        ended = next((i for i in reversed(range(len(stack))) if _ends(trace, stack[i], mark)), None)
        if ended is not None:
            opening.append(stack.pop(ended))
            closing.append(mark)
    return np.array(opening, np.int32), np.array(closing, np.int32)


def _ends(trace: Trace, opening: int, closing: int) -> bool:
    """Whether an E may be the end of a B: where it has a name or a category, it is the B's."""
    name, cat = trace.name[closing], trace.cat[closing]
    return bool(
        (trace.names[name] in {"", NAMELESS} or name == trace.name[opening])
        and (not trace.cats[cat] or cat == trace.cat[opening])
    )
