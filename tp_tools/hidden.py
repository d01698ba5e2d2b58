"""What Perfetto v51 to v56 would not have shown of a trace: a model of its JSON import.

Times go through a double, ids are misread (see `ids`), and an X event that starts inside a kept
slice of its thread and ends behind that slice's end is dropped. Sources: Perfetto v52.0,
importers/json/json_utils.cc, importers/common/slice_tracker.cc. Checked against v52 in the tests.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools import ids
from tp_tools.chrome.events import UNTIMED, each, is_phase

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints, Trace

_EXACT_IN_DOUBLE = float(1 << 52)


def hidden(trace: Trace, *, misread_ids: bool = True) -> Ints:
    """Numbers of the X events that Perfetto v51 to v56 drops, in the order of the file.

    Args:
        trace: the trace.
        misread_ids: whether ids are misread; without, only times are.
    """
    wanted = is_phase(trace, "X") & (trace.ts >= 0) & (trace.dur >= 0)
    event = np.flatnonzero(wanted & (trace.dur != UNTIMED))
    threads = _threads(trace) if misread_ids else np.arange(len(trace.tracks))
    thread = threads[trace.track[event]]
    ts, dur = as_double(trace.ts[event]), as_double(trace.dur[event])
    order = np.lexsort((event, -dur, ts, thread))
    dropped: list[int] = []
    kept: list[int] = []  # the ends of the slices that are open, innermost last
    current = -1
    for number, on, start, end in each(event[order], thread[order], ts[order], (ts + dur)[order]):
        if on != current:
            current, kept = on, []
        while kept and kept[-1] <= start:
            kept.pop()
        if kept and end > kept[-1]:
            dropped.append(number)
        else:
            kept.append(end)
    return np.sort(np.array(dropped, np.int64))


def as_double(time: Ints) -> Ints:
    """Nanoseconds as Perfetto makes them of decimal microseconds: llround(double(us) * 1000).

    Whole microseconds are exact. Below 2^42 us so is everything.
    """
    whole, fraction = time // 1000, time % 1000
    value = whole.astype(np.float64) + fraction / 1000.0
    product = value * 1000.0
    rounded = np.where(product < _EXACT_IN_DOUBLE, np.floor(product + 0.5), product)
    is_whole = value == np.floor(value)
    result: NDArray[np.int64] = np.where(
        is_whole, np.floor(value).astype(np.int64) * 1000, rounded.astype(np.int64)
    )
    return result


def _threads(trace: Trace) -> Ints:
    """A number per track, equal where Perfetto takes two tracks for one thread."""
    numbers: dict[tuple[int | str, int | str], int] = {}
    return np.array(
        [numbers.setdefault(ids.misread(*track), len(numbers)) for track in trace.tracks], np.int64
    )
