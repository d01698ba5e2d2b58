"""Look up starts and ends of slices in the trace, since copies of them would double its memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from msgspec import Struct

from tp_tools.columns import blocks, take

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints, Trace


CHEAP_LOOKUPS = 128
"""Number of consecutive times that take as long to look up as one binary search takes."""

MOST_LOOKUPS = 1 << 20
"""Most consecutive times that are looked up at once: they take 8 MB."""


class Times(Protocol):
    """A column of times, one per slice, int64 ns; `[:]` gives all of them."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: slice | Ints, /) -> NDArray[np.int64]: ...


class Viewed(Times, Protocol):
    """A column of times that are looked up: a range of it takes no memory."""

    def view(self, index: slice, /) -> Times:
        """Return the times in a range, without a copy."""
        ...


class Recorded(Struct, frozen=True):
    """The recorded starts or ends of slices, as a column that reads the trace.

    Attributes:
        trace: the trace that holds the times.
        event, closing: int32 (slices,), as in `Slices`.
        at_end: whether the column holds ends; otherwise it holds starts.
    """

    trace: Trace
    event: NDArray[np.int32]
    closing: NDArray[np.int32]
    at_end: bool

    def __len__(self) -> int:
        return len(self.event)

    def __getitem__(self, index: slice | Ints, /) -> NDArray[np.int64]:
        trace, event, closing = self.trace, self.event[index], self.closing[index]
        times: NDArray[np.int64] = take(trace.ts, event)
        if self.at_end:
            for block in blocks(len(event)):
                times[block] += np.maximum(trace.dur[event[block]], 0)
            pairs = np.flatnonzero(closing >= 0)
            times[pairs] = trace.ts[closing[pairs]]
        return times

    def view(self, index: slice) -> Recorded:
        """Return the times in a range, without a copy."""
        return Recorded(self.trace, self.event[index], self.closing[index], self.at_end)


def time_view(times: Times, index: slice) -> Times:
    """Return the times in a range, without a copy."""
    return times[index] if isinstance(times, np.ndarray) else cast("Viewed", times).view(index)


def searched(
    times: Times, at: Ints, cheap_lookups: int = CHEAP_LOOKUPS, most: int = MOST_LOOKUPS
) -> Ints:
    """Return `np.searchsorted(times, at)`, but look up only few of the times.

    Args:
        times: ascending times, ns.
        at: times to search for, ns.
        cheap_lookups: consecutive times that take as long to look up as one binary search.
        most: consecutive times that are looked up at once, at most.

    Returns:
        int array (len(at),): index of the first of `times` that is not below each value.
    """
    if len(at) <= cheap_lookups:
        return _bisected(times, at)
    first, last = _bisected(times, np.array([at.min(), at.max()])).tolist()
    if last - first > min(len(at) * cheap_lookups, most):
        return _bisected(times, at)
    indices: Ints = first + np.searchsorted(times[first:last], at)
    return indices


def _bisected(times: Times, at: Ints) -> Ints:
    """Search for each value with a bisection of its own, all of them step by step together."""
    low, high = np.zeros(len(at), np.int64), np.full(len(at), len(times))
    while len(unsettled := np.flatnonzero(low < high)):
        middle = (low[unsettled] + high[unsettled]) // 2
        is_before = times[middle] < at[unsettled]
        low[unsettled[is_before]] = middle[is_before] + 1
        high[unsettled[~is_before]] = middle[~is_before]
    return low
