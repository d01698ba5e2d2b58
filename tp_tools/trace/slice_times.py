"""When slices start and end, looked up in the trace: kept, it would take as much memory again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from tp_tools.columns import blocks, take

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints, Trace


_FEW = 128
"""To look up so many times that follow each other takes as long as to search for one."""


class Times(Protocol):
    """A time of each slice, ns; `[:]` gives all of them."""

    def __len__(self) -> int: ...
    def __getitem__(self, index: slice | Ints, /) -> NDArray[np.int64]: ...


@dataclass(frozen=True)
class Recorded:
    """When recorded slices start or end.

    Attributes:
        trace: where it is looked up.
        event, closing: as in `Slices`.
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
        found: NDArray[np.int64] = take(trace.ts, event)
        if self.at_end:
            for here in blocks(len(event)):
                found[here] += np.maximum(trace.dur[event[here]], 0)
            pairs = np.flatnonzero(closing >= 0)
            found[pairs] = trace.ts[closing[pairs]]
        return found

    def part(self, here: slice) -> Recorded:
        """Those in a range, as a view."""
        return Recorded(self.trace, self.event[here], self.closing[here], self.at_end)


def time_view(times: Times, here: slice) -> Times:
    """The times in a range, as a view."""
    return times.part(here) if isinstance(times, Recorded) else times[here]


def searched(times: Times, at: Ints) -> Ints:
    """`np.searchsorted(times, at)`, which looks up few of the times.

    Args:
        times: in order.
        at: what is looked for.
    """
    if len(at) <= _FEW:
        return _bisected(times, at)
    first, last = _bisected(times, np.array([at.min(), at.max()])).tolist()
    if last - first > len(at) * _FEW:
        return _bisected(times, at)
    found: Ints = first + np.searchsorted(times[first:last], at)
    return found


def _bisected(times: Times, at: Ints) -> Ints:
    """The same, each by a search of its own."""
    low, high = np.zeros(len(at), np.int64), np.full(len(at), len(times))
    while len(left := np.flatnonzero(low < high)):
        middle = (low[left] + high[left]) // 2
        is_before = times[middle] < at[left]
        low[left[is_before]] = middle[is_before] + 1
        high[left[~is_before]] = middle[~is_before]
    return low
