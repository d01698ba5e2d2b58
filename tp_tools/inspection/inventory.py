"""What is in a trace, counted. Pure: from its columns and the text around them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from tp_tools.columns import is_in
from tp_tools.trace.categories import GPU_ANNOTATION, GPU_WORK, KERNEL, has_category
from tp_tools.trace.model import UNTIMED, is_phase
from tp_tools.trace.tracks import default_name, process_names, thread_metadata, tracks_of
from tp_tools.trace.tracks import natural_key as in_order

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints, Scalar, Trace


_STEP = re.compile(r"ProfilerStep#(\d+)")
_MERGED = re.compile(r"(\[(?=[A-Z\d-]*\d)[A-Z\d-]+\]|[Rr]ank[ _]?\d+(?: \([^)]*\))?)")


@dataclass(frozen=True)
class Category:
    """The events of one category.

    Attributes:
        name: its name, "" for events that have none.
        events: of any phase.
        slices: X events among them.
        dur_ns: of these, summed.
    """

    name: str
    events: int
    slices: int
    dur_ns: int


@dataclass(frozen=True)
class Stream:
    """A row on which a GPU worked.

    Attributes:
        pid: of its process; Kineto's is the number of the device.
        process: what that is called, None if nothing.
        name: "stream 7".
        work: how many kernels, copies and memsets.
        busy_ns: in which at least one of them ran.
    """

    pid: Scalar
    process: str | None
    name: str
    work: int
    busy_ns: int


@dataclass(frozen=True)
class Steps:
    """The ProfilerStep annotations.

    Attributes:
        first, last: their lowest and highest number.
        count: how many there are.
        dur_ns: of all, summed.
    """

    first: int
    last: int
    count: int
    dur_ns: int


@dataclass(frozen=True)
class Kernels:
    """Kernels of one name.

    Attributes:
        name: of each.
        count: how many.
        dur_ns: of all, summed.
    """

    name: str
    count: int
    dur_ns: int


@dataclass(frozen=True)
class Inventory:
    """What is in a trace.

    Attributes:
        events: how many there are.
        phases: how many of each phase, by its letter, "" for none.
        categories: most events first.
        start_ns, end_ns: of the first and last event, as in the file; None if none has a time.
        streams: in the order of their numbers.
        merged: what ranks are called in the names of processes, in order; empty for one rank.
        steps: None if there are none.
        kernels: by name, most time first.
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
    """Counts everything once."""
    slices = is_phase(trace, "X")
    dur = np.where(slices, np.maximum(trace.dur, 0), 0).astype(np.int64)
    start, end = _span(trace, dur)
    names = process_names(trace)
    return Inventory(
        events=len(trace),
        phases=_phases(trace),
        categories=_categories(trace, slices, dur),
        start_ns=start,
        end_ns=end,
        streams=sorted(_streams(trace, slices, names), key=_by_number),
        merged=_merged(names),
        steps=_steps(trace, slices, dur),
        kernels=_kernels(trace, slices, dur),
    )


def busy(ts: Ints, dur: Ints) -> int:
    """Ns in which at least one of these slices ran."""
    if not len(ts):
        return 0
    order = np.argsort(ts, kind="stable")
    start, end = ts[order], np.maximum.accumulate((ts + dur)[order])
    gaps = np.maximum(start[1:] - end[:-1], 0)
    return int(end[-1] - start[0] - gaps.sum())


def _phases(trace: Trace) -> dict[str, int]:
    codes, counts = np.unique(trace.phase, return_counts=True)
    pairs = zip(codes.tolist(), counts.tolist(), strict=True)
    return {chr(code) if code else "": count for code, count in sorted(pairs, key=_most)}


def _most(pair: tuple[int, int]) -> int:
    return -pair[1]


def _categories(trace: Trace, slices: NDArray[np.bool_], dur: Ints) -> list[Category]:
    width = len(trace.cats)
    events = np.bincount(trace.cat, minlength=width)
    complete = np.bincount(trace.cat[slices], minlength=width)
    found = [
        Category(name, int(events[code]), int(complete[code]), total)
        for code, (name, total) in enumerate(
            zip(trace.cats, _sums(trace.cat, dur, width), strict=True)
        )
    ]
    return sorted(found, key=lambda category: -category.events)


def _sums(codes: NDArray[np.signedinteger], values: Ints, width: int) -> list[int]:
    """The sum of the values of each code, exactly: bincount's weights are doubles."""
    sums = np.zeros(width, np.int64)
    np.add.at(sums, codes, values)
    return [int(total) for total in sums]


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
        here = work & (trace.track == track)
        timed = here & usable
        pid = trace.tracks[track][0]
        yield Stream(
            pid=pid,
            process=processes.get(pid),
            name=(threads.get(track) or default_name(trace, track)).strip(),
            work=int(here.sum()),
            busy_ns=busy(trace.ts[timed], trace.dur[timed]),
        )


def _by_number(stream: Stream) -> tuple[list[object], list[object]]:
    return in_order(str(stream.pid)), in_order(stream.name)


def _merged(processes: Mapping[Scalar, str]) -> list[str]:
    found = {match[1] for name in processes.values() if (match := _MERGED.match(name))}
    return sorted(found, key=in_order)


def _steps(trace: Trace, slices: NDArray[np.bool_], dur: Ints) -> Steps | None:
    """Those of the CPU; the GPU's spans of the same name lie within other times."""
    numbers = {code: int(m[1]) for code, name in enumerate(trace.names) if (m := _STEP.match(name))}
    marks = slices & is_in(trace.name, list(numbers))
    marks &= ~has_category(trace, {GPU_ANNOTATION})
    if not marks.any():
        return None
    found = [numbers[code] for code in trace.name[marks].tolist()]
    return Steps(min(found), max(found), len(found), int(dur[marks].sum()))


def _kernels(trace: Trace, slices: NDArray[np.bool_], dur: Ints) -> list[Kernels]:
    kernel = slices & has_category(trace, KERNEL)
    codes, inverse, counts = np.unique(trace.name[kernel], return_inverse=True, return_counts=True)
    times = _sums(inverse, dur[kernel], len(codes))
    rows = zip(codes.tolist(), counts.tolist(), times, strict=True)
    found = [Kernels(trace.names[code], count, time) for code, count, time in rows]
    return sorted(found, key=lambda kernels: -kernels.dur_ns)
