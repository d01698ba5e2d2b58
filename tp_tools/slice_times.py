"""When slices start and end, looked up in the trace: kept, it would take as much memory again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol

import numpy as np

from tp_tools.chrome.piecewise import picked, pieces

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints, Trace


_FEW = 128
"""To look for more than one in so many takes longer than to look up all."""


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
        found: NDArray[np.int64] = picked(trace.ts, event)
        if self.at_end:
            for here in pieces(len(event)):
                found[here] += np.maximum(trace.dur[event[here]], 0)
            pairs = np.flatnonzero(closing >= 0)
            found[pairs] = trace.ts[closing[pairs]]
        return found

    def part(self, here: slice) -> Recorded:
        """Those in a range, as a view."""
        return Recorded(self.trace, self.event[here], self.closing[here], self.at_end)


def view(times: Times, here: slice) -> Times:
    """The times in a range, as a view."""
    return times.part(here) if isinstance(times, Recorded) else times[here]


def searched(times: Times, at: Ints, side: Literal["left", "right"] = "left") -> Ints:
    """`np.searchsorted(times, at, side)`, which looks up few of the times where few are asked for.

    Args:
        times: in order.
        at: what is looked for.
        side: whether to go before or behind equal ones.
    """
    if len(at) > len(times) // _FEW:
        return np.searchsorted(times[:], at, side)
    low, high = np.zeros(len(at), np.int64), np.full(len(at), len(times))
    while len(left := np.flatnonzero(low < high)):
        middle = (low[left] + high[left]) // 2
        found = times[middle]
        is_before = found < at[left] if side == "left" else found <= at[left]
        low[left[is_before]] = middle[is_before] + 1
        high[left[~is_before]] = middle[~is_before]
    return low
