"""What Perfetto v51 to v56 would not have shown of a trace: a model of its JSON import.

Times go through a double, ids are misread (see `ids`), and an X event that starts inside a kept
slice of its thread and ends behind that slice's end is dropped. Sources: Perfetto v52.0,
importers/json/json_trace_tokenizer.cc, importers/common/slice_tracker.cc, sorter/trace_sorter.cc.
Checked against v52 in the tests.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import (
    blocks,
    distinct,
    is_in,
    iterate_rows,
    occurs_where,
)
from tp_tools.repair import ids
from tp_tools.repair.crossing import may_cross
from tp_tools.trace.model import EXACT_BELOW_NS, NAMELESS, UNTIMED, is_phase
from tp_tools.trace.slice_times import searched
from tp_tools.trace.slices import Slices, part, sort_order

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints, Trace

_EXACT_IN_DOUBLE = float(1 << 52)
_DEEPEST = 512  # slices on the stack; what comes on top is shown, but hides nothing
_OPEN = -1
_PAIR = b"BE"
_PIECE = 1 << 16  # slices of a row that are looked at at a time


def hidden(
    trace: Trace, *, misread_ids: bool = True, only: NDArray[np.bool_] | None = None
) -> Ints:
    """Numbers of the X events that Perfetto v51 to v56 drops, in the order of the file.

    Args:
        trace: the trace.
        misread_ids: whether to count what ids and negative times hide; without, only slices that
            overlap on their own row, in times as Perfetto reads them.
        only: which tracks to look at, one flag per track; None is all of them.
    """
    complete = is_phase(trace, "X") & (trace.dur >= 0)
    paired = is_phase(trace, "BE") & (trace.ts >= 0)
    instants = is_phase(trace, "iIR") & (trace.bound == 0) & (trace.ts >= 0)
    if only is not None:
        looked_at = only[trace.track]
        complete, paired, instants = complete & looked_at, paired & looked_at, instants & looked_at
    usable = complete & (trace.ts >= 0)
    threads = _threads(trace) if misread_ids else np.arange(len(trace.tracks), dtype=np.int32)
    thread = threads[trace.track]
    is_mixed = is_in(thread, distinct(thread[paired]).tolist())
    mixed = np.flatnonzero((usable | paired | instants) & is_mixed)
    plain = np.flatnonzero(usable & ~is_mixed)
    plain = plain[np.argsort(thread[plain], kind="stable")]
    dropped = [
        np.array(list(_dropped_among_pairs(trace, thread, mixed)), np.int64),
        *(
            _dropped(own, trace.ts[own], trace.dur[own], [])
            for own in np.split(plain, np.flatnonzero(np.diff(thread[plain])) + 1)
        ),
    ]
    if misread_ids:
        dropped.append(np.flatnonzero(complete & (trace.ts < 0) & (trace.ts != UNTIMED)))
    return np.sort(np.concatenate(dropped))


def hidden_of_placed(trace: Trace, table: Slices, lane: Ints) -> Ints:
    """What `hidden` gives, found sooner where lossless lanes say it already.

    `place` keeps slices on their row by the rule by which Perfetto v51 to v56 keeps them, so where
    Perfetto reads a row right, what it drops is what lies on other lanes.

    Args:
        trace: the trace.
        table: its slices.
        lane: their lossless lanes, 0 for the row itself.
    """
    threads = _threads(trace)
    otherwise = _read_otherwise(trace, table, threads)
    tracks = occurs_where(
        trace.track, len(trace.tracks), lambda here: is_in(trace.phase[here], _PAIR)
    )
    pairs = is_in(threads, threads[tracks].tolist())
    off = np.flatnonzero(lane)
    found: list[Ints] = [table.event[off[~otherwise[table.row[off]]]]]
    if pairs.any():
        found.append(hidden(trace, only=otherwise & pairs))
    by_thread: dict[int, list[Slices]] = {}
    for start, stop in table.row_ranges():
        row = int(table.row[start])
        if otherwise[row] and not pairs[row]:
            by_thread.setdefault(int(threads[row]), []).append(part(table, start, stop))
    found += [_hidden_of_thread(trace, rows) for rows in by_thread.values()]
    return np.sort(np.concatenate(found))


def _hidden_of_thread(trace: Trace, rows: list[Slices]) -> Ints:
    """What `hidden` gives of rows that Perfetto takes for one thread, without pairs of B and E."""
    found: list[Ints] = []
    kept: list[int] = []
    for parts in _pieces(rows):
        event = np.concatenate([piece.event for piece in parts])
        ts = np.concatenate([piece.ts[:] for piece in parts])
        dur = np.concatenate([piece.end[:] for piece in parts]) - ts
        early, has_length = ts < 0, trace.dur[event] >= 0
        usable = ~early & has_length
        found += [
            event[early & has_length],
            _dropped(event[usable], ts[usable], dur[usable], kept),
        ]
    return np.concatenate(found)


def _pieces(rows: list[Slices]) -> Iterator[list[Slices]]:
    """Rows side by side, cut at some starts, so that all of a piece starts before the next one."""
    longest = max(rows, key=len)
    is_exact = max(int(row.ts[-1:][0]) for row in rows) < EXACT_BELOW_NS
    edges = longest.ts[_PIECE::_PIECE] if is_exact else longest.ts[:0]
    cuts = [[0, *searched(row.ts, edges).tolist(), len(row)] for row in rows]
    for number in range(len(edges) + 1):
        yield [part(row, cut[number], cut[number + 1]) for row, cut in zip(rows, cuts, strict=True)]


def _read_otherwise(trace: Trace, table: Slices, threads: Ints) -> NDArray[np.bool_]:
    """The tracks that Perfetto does not read as `place` takes them, one flag per track.

    It takes them for one with another; there are pairs of B and E, which it does not drop; times
    that a double rounds, or that are missing or below 0; or more slices at once than its stack
    holds.
    """

    def is_on_stack(here: slice) -> NDArray[np.bool_]:
        found = is_in(trace.phase[here], b"iIR")
        found &= trace.bound[here] == 0
        found |= is_in(trace.phase[here], b"XBE")
        return found

    def is_odd(here: slice) -> NDArray[np.bool_]:
        ts, dur = trace.ts[here], trace.dur[here]
        found = is_in(trace.phase[here], _PAIR)
        found |= (dur < 0) | (ts + dur >= EXACT_BELOW_NS)
        found |= (ts < 0) & (ts != UNTIMED)
        return found

    used = np.flatnonzero(occurs_where(trace.track, len(trace.tracks), is_on_stack))
    _, number, count = np.unique(threads[used], return_inverse=True, return_counts=True)
    otherwise = occurs_where(trace.track, len(trace.tracks), is_odd)
    otherwise[used] |= count[number] > 1
    for start, stop in table.row_ranges():
        if stop - start >= _DEEPEST and _is_deep(part(table, start, stop)):
            otherwise[table.row[start]] = True
    return otherwise


def _is_deep(row: Slices) -> bool:
    """Whether more slices of a row, sorted by ts, are open at once than Perfetto stacks."""
    before = np.empty(0, np.int64)
    for here in blocks(len(row)):
        ts, ends = row.ts[here], np.sort(np.concatenate([before, row.end[here]]))
        if _most_open(ts, ends) >= _DEEPEST:
            return True
        before = ends[np.searchsorted(ends, ts[-1], "right") :]
    return False


def _most_open(ts: Ints, ends: Ints) -> int:
    """How many slices are open at once, at most.

    Args:
        ts: when some start, ascending.
        ends: when they end, and those that started before, ascending.
    """
    started = np.arange(len(ends) - len(ts), len(ends)) + 1
    return int((started - np.searchsorted(ends, ts, "right")).max())


def _dropped(event: Ints, ts: Ints, dur: Ints, kept: list[int]) -> Ints:
    """Of these X events of one thread those that overlap a kept one.

    Args:
        event: their numbers.
        ts: when they start.
        dur: how long they take.
        kept: the ends of the slices that are open before, innermost last; then those open behind.
    """
    ts = as_double(ts)
    end = ts + as_double(dur)
    order = sort_order(ts, end, event)
    return event[order[_places_dropped(ts[order], end[order], kept)]]


def _places_dropped(ts: Ints, end: Ints, kept: list[int]) -> list[int]:
    """Which of a thread's slices are dropped, given in order of ts, longest first."""
    if not len(ts):
        return []
    dropped = []
    ends = np.sort(np.concatenate([np.asarray(kept, np.int64), end]))
    is_deep = _most_open(ts, ends) >= _DEEPEST
    looked_at = np.arange(len(ts)) if is_deep else np.flatnonzero(may_cross(ts, end, kept))
    for place, starts, ends in iterate_rows(looked_at, ts[looked_at], end[looked_at]):
        while kept and kept[-1] <= starts:
            kept.pop()
        if kept and ends > kept[-1]:
            dropped.append(place)
        elif len(kept) < _DEEPEST:
            kept.append(ends)
    return dropped


def _dropped_among_pairs(trace: Trace, thread: Ints, event: Ints) -> Iterator[int]:
    """Of these X, B, E and instant events the X events that are dropped, thread by thread."""
    ts = as_double(trace.ts[event])
    dur = as_double(np.maximum(trace.dur[event].astype(np.int64), 0))
    phase = trace.phase[event]
    # at one time E comes first, then X, longest first; B, instants and X of no length stay behind
    key = np.where(phase == ord("E"), -(1 << 62), -dur)
    order = np.lexsort((event, key, ts, thread[event]))
    stacks: dict[int, _Stack] = {}
    columns = (event[order], phase[order], ts[order], dur[order])
    for number, kind, start, length in iterate_rows(*columns):
        stack = stacks.setdefault(int(thread[number]), _Stack([]))
        cat, name = trace.cats[trace.cat[number]], trace.names[trace.name[number]]
        if kind == ord("E"):
            stack.close(start, cat, name)
        elif not stack.open(_Slice(start, _OPEN if kind == ord("B") else length, cat, name)):
            yield number


@dataclass
class _Slice:
    """A slice on its thread's stack; `dur` is _OPEN until its E comes."""

    ts: int
    dur: int
    cat: str
    name: str

    @property
    def end(self) -> int:
        return self.ts + self.dur


@dataclass
class _Stack:
    """The slices of a thread that may still hold others, innermost last."""

    slices: list[_Slice]

    def open(self, new: _Slice) -> bool:
        """Puts a slice on top; whether it is kept."""
        if not self._settle(new.ts, new.dur):
            return False
        if len(self.slices) < _DEEPEST:
            self.slices.append(new)
        return True

    def close(self, ts: int, cat: str, name: str) -> None:
        """Ends the innermost open slice of this name and category, where the E says any."""
        self._settle(ts, _OPEN)
        for i in reversed(range(len(self.slices))):
            found = self.slices[i]
            if found.dur == _OPEN and cat in ("", found.cat) and name in (NAMELESS, found.name):
                found.dur = ts - found.ts
                if i == len(self.slices) - 1:
                    self.slices.pop()
                return

    def _settle(self, ts: int, dur: int) -> bool:
        """Takes off what ended by now; False if a slice of this length overlaps what is left.

        A slice that is still open keeps what lies under it from being looked at, until that ended.
        """
        under_open = False
        for i in reversed(range(len(self.slices))):
            found = self.slices[i]
            if found.dur == _OPEN:
                under_open = True
            elif under_open:
                if ts > found.end:
                    del self.slices[i:]
                    under_open = False
            elif found.end < ts or (found.end == ts and (found.dur or dur)):
                self.slices.pop()
            elif dur != _OPEN and ts < found.end < ts + dur:
                return False
        return True


def as_double(time: Ints) -> Ints:
    """Nanoseconds as Perfetto makes them of decimal microseconds: llround(double(us) * 1000).

    Whole microseconds are exact. Below 2^42 us so is everything.
    """
    if not len(time) or max(time.max(), -time.min()) < EXACT_BELOW_NS:
        return time
    whole, fraction = time // 1000, time % 1000
    value = whole.astype(np.float64) + fraction / 1000.0
    product = value * 1000.0
    rounded = np.where(product < _EXACT_IN_DOUBLE, np.floor(product + 0.5), product)
    is_whole = value == np.floor(value)
    result: NDArray[np.int64] = np.where(
        is_whole, np.floor(value).astype(np.int64) * 1000, rounded.astype(np.int64)
    )
    return np.where(fraction == 0, time, result)


def _threads(trace: Trace) -> Ints:
    """A number per track, equal where Perfetto takes two tracks for one thread."""
    numbers: dict[tuple[int | str, int | str], int] = {}
    read = [ids.read_by_perfetto(*track) for track in trace.tracks]
    return np.array([numbers.setdefault(row, len(numbers)) for row in read], np.int32)
