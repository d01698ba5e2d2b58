"""Find the slices that Perfetto v51 to v56 hides, mostly from lanes that are already assigned.

`assign_lanes` keeps a slice on its track by the rule by which Perfetto keeps it. So on a track
that Perfetto reads correctly, the hidden slices are those on other lanes. All other tracks go
through the model in `perfetto_import`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import BLOCK_SIZE, blocks, is_in, occurs_where
from tp_tools.repair.perfetto_import import (
    MAX_DEPTH,
    dropped_events,
    hidden_events,
    most_open,
    threads_of,
)
from tp_tools.trace.model import EXACT_BELOW_NS, UNTIMED
from tp_tools.trace.slice_times import searched
from tp_tools.trace.slices import slices_between

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace import Slices, Trace
    from tp_tools.trace.model import Ints

_PAIR = b"BE"


def find_hidden(trace: Trace, table: Slices, lane: Ints, block_size: int = BLOCK_SIZE) -> Ints:
    """List the X events that Perfetto v51 to v56 drops: `hidden_events`, found sooner.

    Args:
        trace: the trace.
        table: its slices, as recorded.
        lane: int (slices,), their lossless lanes, 0 for the track itself.
        block_size: slices of a track that are checked at a time.

    Returns:
        Event numbers, ascending.
    """
    if trace.recorded_tracks is not None or trace.points:
        return hidden_events(trace)  # it reads ids and points as recorded
    threads = threads_of(trace)
    misread = _misread_tracks(trace, table, threads)
    holds_pairs = occurs_where(
        trace.track, len(trace.tracks), lambda block: is_in(trace.phase[block], _PAIR)
    )
    thread_holds_pairs = is_in(threads, threads[holds_pairs].tolist())
    off = np.flatnonzero(lane)
    hidden: list[Ints] = [table.event[off[~misread[table.track[off]]]]]
    if thread_holds_pairs.any():
        hidden.append(hidden_events(trace, only=misread & thread_holds_pairs))
    by_thread: dict[int, list[Slices]] = {}
    for start, stop in table.track_ranges():
        track = int(table.track[start])
        if misread[track] and not thread_holds_pairs[track]:
            by_thread.setdefault(int(threads[track]), []).append(slices_between(table, start, stop))
    hidden += [_hidden_on_thread(trace, tracks, block_size) for tracks in by_thread.values()]
    return np.sort(np.concatenate(hidden))


def _hidden_on_thread(trace: Trace, tracks: list[Slices], block_size: int) -> Ints:
    """List the dropped events of tracks that Perfetto takes for one thread, without B and E."""
    hidden: list[Ints] = []
    open_ends: list[int] = []
    for block in _blocks_in_time(tracks, block_size):
        event = np.concatenate([slices.event for slices in block])
        ts = np.concatenate([slices.ts[:] for slices in block])
        dur = np.concatenate([slices.end[:] for slices in block]) - ts
        is_negative, has_dur = ts < 0, trace.dur[event] >= 0
        is_read = ~is_negative & has_dur
        hidden += [
            event[is_negative & has_dur],
            dropped_events(event[is_read], ts[is_read], dur[is_read], open_ends),
        ]
    return np.concatenate(hidden)


def _blocks_in_time(tracks: list[Slices], size: int) -> Iterator[list[Slices]]:
    """Cut tracks at common times, so that all slices of a block start before the next block."""
    longest = max(tracks, key=len)
    is_exact = max(int(track.ts[-1:][0]) for track in tracks) < EXACT_BELOW_NS
    edges = longest.ts[size::size] if is_exact else longest.ts[:0]
    cuts = [[0, *searched(track.ts, edges).tolist(), len(track)] for track in tracks]
    for number in range(len(edges) + 1):
        yield [
            slices_between(track, cut[number], cut[number + 1])
            for track, cut in zip(tracks, cuts, strict=True)
        ]


def _misread_tracks(trace: Trace, table: Slices, threads: Ints) -> NDArray[np.bool_]:
    """Mark the tracks on which Perfetto does not keep slices by the rule of `assign_lanes`.

    A track is marked if Perfetto takes it and another for one thread, or if it has one of these: B
    and E events, which Perfetto never drops; times that a double rounds; negative times; X events
    without a duration; MAX_DEPTH or more nested slices.

    Returns:
        bool array (tracks,).
    """

    def is_on_stack(block: slice) -> NDArray[np.bool_]:
        found = is_in(trace.phase[block], b"iIR")
        found &= trace.bound[block] == 0
        found |= is_in(trace.phase[block], b"XBE")
        return found

    def is_misread(block: slice) -> NDArray[np.bool_]:
        ts, dur = trace.ts[block], trace.dur[block]
        found = is_in(trace.phase[block], _PAIR)
        found |= (dur < 0) | (ts + dur >= EXACT_BELOW_NS)
        found |= (ts < 0) & (ts != UNTIMED)
        return found

    used = np.flatnonzero(occurs_where(trace.track, len(trace.tracks), is_on_stack))
    _, number, count = np.unique(threads[used], return_inverse=True, return_counts=True)
    misread = occurs_where(trace.track, len(trace.tracks), is_misread)
    misread[used] |= count[number] > 1
    for start, stop in table.track_ranges():
        if stop - start >= MAX_DEPTH and _is_too_deep(slices_between(table, start, stop)):
            misread[table.track[start]] = True
    return misread


def _is_too_deep(track: Slices) -> bool:
    """Tell whether MAX_DEPTH or more slices of a track are open at one time."""
    before = np.empty(0, np.int64)
    for block in blocks(len(track)):
        ts, ends = track.ts[block], np.sort(np.concatenate([before, track.end[block]]))
        if most_open(ts, ends) >= MAX_DEPTH:
            return True
        before = ends[np.searchsorted(ends, ts[-1], "right") :]
    return False
