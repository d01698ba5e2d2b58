"""Count events, streams, steps and kernels from the columns of a trace; no file is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import exact_sum, exact_sums, is_in
from tp_tools.trace.categories import GPU_ANNOTATION, GPU_WORK, KERNEL, has_category
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.tracks import (
    default_name,
    natural_key,
    process_names,
    thread_metadata,
    tracks_of,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from numpy.typing import NDArray

    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints, Scalar


_STEP = re.compile(r"ProfilerStep#(\d{1,18})(?!\d)")
_MERGED_RANK = re.compile(r"(\[(?=[A-Z\d-]*\d)[A-Z\d-]+\]|[Rr]ank[ _]?\d+(?: \([^)]*\))?)")
"""How names of processes of merged traces begin: "[TP01] 1", "rank 9 CPU", "rank 10 (TP2)"."""


class Category(Struct, frozen=True):
    """The events of one category.

    Attributes:
        name: its name; "" for events without one.
        events: number of events of any phase.
        slices: number of X events.
        dur_ns: sum of the durations of the slices.
    """

    name: str
    events: int
    slices: int
    dur_ns: int


class Stream(Struct, frozen=True):
    """A track with work of a GPU.

    Attributes:
        pid: id of its process; in Kineto's traces the number of the device.
        process: name of its process; None if it has none.
        name: name of the track: "stream 7".
        work: number of kernels, copies and memsets.
        busy_ns: time in which at least one of them ran.
    """

    pid: Scalar
    process: str | None
    name: str
    work: int
    busy_ns: int


class Steps(Struct, frozen=True):
    """The ProfilerStep annotations.

    Attributes:
        first, last: lowest and highest step number.
        count: number of steps.
        dur_ns: sum of their durations.
    """

    first: int
    last: int
    count: int
    dur_ns: int


class Kernels(Struct, frozen=True):
    """The kernels of one name, or of one kind.

    Attributes:
        name: the name that they share.
        count: number of kernels.
        dur_ns: sum of their durations.
    """

    name: str
    count: int
    dur_ns: int


class Inventory(Struct, frozen=True):
    """The counts of a trace.

    Attributes:
        events: number of events.
        phases: number of events by phase letter, "" for none; largest number first.
        categories: the categories, most events first.
        start_ns, end_ns: first start and last end, as in the file; None if no event has a time.
        streams: the streams, in the order of their numbers.
        merged: names of the ranks of a merged trace, in order; empty for one rank.
        steps: the ProfilerStep annotations; None if there are none.
        kernels: the kernels by name, most time first.
    """

    events: int
    phases: dict[str, int]
    categories: list[Category]
    start_ns: int | None
    end_ns: int | None
    streams: list[Stream]
    merged: list[str]
    steps: Steps | None
    kernels: list[Kernels]


def inventory(trace: Trace) -> Inventory:
    """Count the contents of a trace."""
    slices = is_phase(trace, "X")
    dur = np.where(slices, np.maximum(trace.dur, 0), 0).astype(np.int64)
    start, end = _span(trace, dur)
    processes = process_names(trace)
    return Inventory(
        events=len(trace),
        phases=_phases(trace),
        categories=_categories(trace, slices, dur),
        start_ns=start,
        end_ns=end,
        streams=sorted(_streams(trace, slices, processes), key=_stream_number),
        merged=_merged_ranks(processes.values()),
        steps=_steps(trace, slices, dur),
        kernels=_kernels(trace, slices, dur),
    )


def busy(ts: Ints, dur: Ints) -> int:
    """Measure the time that slices cover, each moment once.

    Args:
        ts: starts in ns, int64, shape (n,), in any order.
        dur: durations in ns, int64, shape (n,), not negative.

    Returns:
        Time in ns in which at least one of the slices ran.
    """
    if not len(ts):
        return 0
    order = np.argsort(ts, kind="stable")
    start, end = ts[order], np.maximum.accumulate((ts + dur)[order])
    gaps = np.maximum(start[1:] - end[:-1], 0)
    return int(end[-1] - start[0] - gaps.sum())


def _phases(trace: Trace) -> dict[str, int]:
    codes, counts = np.unique(trace.phase, return_counts=True)
    pairs = zip(codes.tolist(), counts.tolist(), strict=True)
    largest_first = sorted(pairs, key=lambda pair: -pair[1])
    return {chr(code) if code else "": count for code, count in largest_first}


def _categories(trace: Trace, slices: NDArray[np.bool_], dur: Ints) -> list[Category]:
    width = len(trace.cats)
    events = np.bincount(trace.cat, minlength=width)
    slice_counts = np.bincount(trace.cat[slices], minlength=width)
    categories = [
        Category(name, int(events[code]), int(slice_counts[code]), total)
        for code, (name, total) in enumerate(
            zip(trace.cats, exact_sums(trace.cat, dur, width), strict=True)
        )
    ]
    return sorted(categories, key=lambda category: -category.events)


def _span(trace: Trace, dur: Ints) -> tuple[int | None, int | None]:
    timed = (trace.ts != UNTIMED) & ~is_phase(trace, "M")
    if not timed.any():
        return None, None
    ts = trace.ts[timed]
    return int(ts.min()), int((ts + dur[timed]).max())


def _streams(
    trace: Trace, slices: NDArray[np.bool_], processes: Mapping[Scalar, str]
) -> Iterator[Stream]:
    work = slices & has_category(trace, GPU_WORK)
    usable = (trace.ts != UNTIMED) & (trace.dur >= 0)
    threads, _ = thread_metadata(trace)
    for track in tracks_of(trace, GPU_WORK):
        on_track = work & (trace.track == track)
        timed = on_track & usable
        pid = trace.tracks[track][0]
        yield Stream(
            pid=pid,
            process=processes.get(pid),
            name=(threads.get(track) or default_name(trace, track)).strip(),
            work=int(on_track.sum()),
            busy_ns=busy(trace.ts[timed], trace.dur[timed]),
        )


def _stream_number(stream: Stream) -> tuple[list[object], list[object]]:
    return natural_key(str(stream.pid)), natural_key(stream.name)


def _merged_ranks(processes: Iterable[str]) -> list[str]:
    ranks = {match[1] for name in processes if (match := _MERGED_RANK.match(name))}
    return sorted(ranks, key=natural_key)


def _steps(trace: Trace, slices: NDArray[np.bool_], dur: Ints) -> Steps | None:
    """Sum the steps of the CPU; annotations of the GPU have the same names but other times."""
    numbers = {code: int(m[1]) for code, name in enumerate(trace.names) if (m := _STEP.match(name))}
    is_step = slices & is_in(trace.name, list(numbers))
    is_step &= ~has_category(trace, {GPU_ANNOTATION})
    if not is_step.any():
        return None
    steps = [numbers[code] for code in trace.name[is_step].tolist()]
    return Steps(min(steps), max(steps), len(steps), exact_sum(dur[is_step]))


def _kernels(trace: Trace, slices: NDArray[np.bool_], dur: Ints) -> list[Kernels]:
    is_kernel = slices & has_category(trace, KERNEL)
    codes, inverse, counts = np.unique(
        trace.name[is_kernel], return_inverse=True, return_counts=True
    )
    times = exact_sums(inverse, dur[is_kernel], len(codes))
    rows = zip(codes.tolist(), counts.tolist(), times, strict=True)
    kernels = [Kernels(trace.names[code], count, time) for code, count, time in rows]
    return sorted(kernels, key=lambda entry: -entry.dur_ns)
