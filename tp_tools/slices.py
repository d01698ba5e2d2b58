"""The slices of a trace, X events and B/E pairs, in the order in which Perfetto sorts them."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tp_tools.chrome.events import NAMELESS, UNTIMED, is_phase

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
        event = self.event[index]
        time: NDArray[np.int64] = self.trace.ts[event]
        if self.at_end:
            time += _durations(self.trace, event, self.closing[index])
        return time

    def part(self, here: slice) -> _Recorded:
        return _Recorded(self.trace, self.event[here], self.closing[here], self.at_end)


def slices(trace: Trace) -> Slices:
    """All slices that have a time; an X without a usable `dur` counts as 0 long."""
    event = np.flatnonzero(is_phase(trace, "X") & (trace.ts != UNTIMED)).astype(np.int32)
    opening, ending = _pairs(trace)
    closing = np.broadcast_to(np.int32(-1), len(event))  # takes no memory
    if len(opening):
        event, closing = np.concatenate([event, opening]), np.concatenate([closing, ending])
    order = np.argsort(trace.track[event], kind="stable")
    event = event[order]
    if len(opening):
        closing = closing[order]
    del order
    row = trace.track[event]
    ts, end = (_Recorded(trace, event, closing, at_end) for at_end in (False, True))
    table = Slices(event, closing, row, ts, end)
    for start, stop in table.row_ranges():
        here = slice(start, stop)
        longest_first = -_durations(trace, event[here], closing[here])
        places = (event[here],) if len(opening) else ()  # else in order, and the sort keeps them so
        order = np.lexsort((*places, longest_first, ts[here]))
        event[here] = event[here][order]
        if len(opening):
            closing[here] = closing[here][order]
    return table


def _durations(
    trace: Trace, event: NDArray[np.int32], closing: NDArray[np.int32]
) -> NDArray[np.int64]:
    found: NDArray[np.int64] = trace.dur[event]
    np.maximum(found, 0, out=found)
    pairs = np.flatnonzero(closing >= 0)
    found[pairs] = trace.ts[closing[pairs]] - trace.ts[event[pairs]]
    return found


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
    where = np.flatnonzero(np.isin(table.event, np.fromiter(ends, np.int32, len(ends))))
    found[where] = [ends[event] for event in table.event[where].tolist()]
    return found


def on_lanes(table: Slices, lanes: Mapping[int, int]) -> Slices:
    """The same slices with every lane as a row of its own.

    Args:
        table: the slices.
        lanes: lane by event, from 2; 1 for those not in it.
    """
    if not lanes:
        return table
    lane = np.ones(len(table), np.int32)
    moved = np.isin(table.event, list(lanes))
    lane[moved] = [lanes[event] for event in table.event[moved].tolist()]
    row = table.row * np.int32(lane.max() + 1) + lane
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
