"""The slices of a trace, X events and B/E pairs, in the order in which Perfetto sorts them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import blocks, indices_of, take
from tp_tools.trace.model import NAMELESS, UNTIMED, is_phase
from tp_tools.trace.slice_times import Recorded, time_view

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints, Trace
    from tp_tools.trace.slice_times import Times

_LARGE = 1 << 20
"""Slices of a row that are sorted at once."""

_SAMPLES = 1 << 10
"""Of as many a sample is taken to find the parts."""


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


def slices(trace: Trace) -> Slices:
    """All slices that have a time; an X without a usable `dur` counts as 0 long."""
    opening, ending = _pairs(trace)
    is_slice = is_phase(trace, "X") & (trace.ts != UNTIMED)
    is_slice[opening] = True
    ends: NDArray[np.int32] | None = None
    if len(opening):
        ends = np.full(len(trace), -1, np.int32)
        ends[opening] = ending
    rows = _grouped(_numbers(is_slice), lambda event: trace.track[event], len(trace.tracks))
    sizes = [sum(map(len, row)) for row in rows]
    event = _joined(chain.from_iterable(rows))
    del rows
    for row in np.split(event, np.cumsum(sizes)):
        _sort(trace, row, ends)
    ts, end = _recorded(trace, event, ends)
    return Slices(event, ts.closing, take(trace.track, event), ts, end)


def _recorded(
    trace: Trace, event: NDArray[np.int32], ends: NDArray[np.int32] | None
) -> tuple[Recorded, Recorded]:
    """Starts and ends of some slices; `ends` says of each event which one closes it, if any do."""
    none = np.broadcast_to(np.int32(-1), len(event))  # takes no memory
    closing = none if ends is None else ends[event]
    ts, end = (Recorded(trace, event, closing, at_end) for at_end in (False, True))
    return ts, end


def _numbers(chosen: NDArray[np.bool_]) -> Iterator[NDArray[np.int32]]:
    """The numbers of the chosen events, piece by piece."""
    for here in blocks(len(chosen)):
        yield (np.flatnonzero(chosen[here]) + here.start).astype(np.int32)


def _grouped(
    events: Iterable[NDArray[np.int32]], group_of: Callable[[NDArray[np.int32]], Ints], count: int
) -> list[list[NDArray[np.int32]]]:
    """The events of each group, in pieces, in the order in which they come."""
    found: list[list[NDArray[np.int32]]] = [[] for _ in range(count)]
    for event in events:
        group = group_of(event)
        order = np.argsort(group, kind="stable")
        cuts = np.flatnonzero(np.diff(group[order])) + 1
        for together in np.split(order, cuts) if len(event) else ():
            found[group[together[0]]].append(event[together])
    return found


def _joined(events: Iterable[NDArray[np.int32]]) -> NDArray[np.int32]:
    return np.concatenate([np.empty(0, np.int32), *events])


def _sort(trace: Trace, row: NDArray[np.int32], ends: NDArray[np.int32] | None) -> None:
    """Puts the events of a row in the order of its slices; those of a large one part by part."""
    if len(row) <= _LARGE:
        ts, end = _recorded(trace, row, ends)
        row[:] = row[in_order(ts[:], end, row)]
        return
    edges = np.sort(trace.ts[row[:: _LARGE // _SAMPLES]])[_SAMPLES::_SAMPLES]
    parts = _grouped(
        (row[here] for here in blocks(len(row))),
        lambda event: np.searchsorted(edges, trace.ts[event], "right"),
        len(edges) + 1,
    )
    start = 0
    for together in map(_joined, parts):
        ts, end = _recorded(trace, together, ends)
        row[start : start + len(together)] = together[in_order(ts[:], end, together)]
        start += len(together)


def in_order(ts: Ints, end: Times, event: Ints) -> NDArray[np.int32]:
    """The order of slices by ts, then longest first, then as in the file.

    Args:
        ts: their starts.
        end: their ends, which are asked for where starts are equal.
        event: their numbers.
    """
    order = np.argsort(ts, kind="stable").astype(np.int32)
    ts = take(ts, order)
    is_tied = np.zeros(len(ts) + 1, np.bool_)
    is_tied[1:-1] = ts[1:] == ts[:-1]
    tied = np.flatnonzero(is_tied[1:] | is_tied[:-1])
    among = order[tied]
    order[tied] = among[np.lexsort((event[among], -end[among], ts[tied]))]
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
        time_view(table.ts, here),
        time_view(table.end, here),
    )


def with_ends(table: Slices, ends: Mapping[int, int]) -> Slices:
    """The same slices with other ends, by event, sorted again."""
    return _sorted(table.event, table.closing, table.row, table.ts[:], ends_of(table, ends)[:])


def ends_of(table: Slices, ends: Mapping[int, int]) -> Times:
    """Where each slice ends: by event what is given, else as the table has it."""
    if not ends:
        return table.end
    found = table.end[:].copy()
    where = indices_of(table.event, ends)
    found[where] = [ends[event] for event in table.event[where].tolist()]
    return found


def lanes_of(event: Ints, lanes: Mapping[int, int]) -> NDArray[np.int32]:
    """The lane of each of these events: by event what is given, else 1."""
    found = np.ones(len(event), np.int32)
    where = indices_of(event, lanes)
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
