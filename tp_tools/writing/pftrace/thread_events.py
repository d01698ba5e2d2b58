"""Define the table of the slices and instants of threads, as they will be written."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints
    from tp_tools.trace.slice_times import Times

Codes: TypeAlias = "NDArray[np.int32]"
"""Column of event numbers or indices, int32, since these take most of the memory of writing."""


class Place(NamedTuple):
    """The rows of ThreadEvents on one lane of a track.

    Attributes:
        start, stop: the rows.
        track: index in Trace.tracks.
        lane: lane of the track, from 1; plus DEEPER for slices nested too deep.
    """

    start: int
    stop: int
    track: int
    lane: int

    @property
    def rows(self) -> slice:
        """Return the rows as an index."""
        return slice(self.start, self.stop)


class ThreadEvents(Struct, frozen=True):
    """A table of slices and instants, sorted by track, lane, ts, longest first, event number.

    Columns:
        event: int32, number of the event in the file; of a pair the B event.
        closing: int32, number of the E event of a pair; -1 for other events.
        ts, end: int64 ns, rebased; equal for an instant; `end` may be NEVER.

    Attributes:
        places: the rows of each track and lane, in order.
        phase: uint8 (events of the trace,), as in Trace.
    """

    event: Codes
    closing: Codes
    ts: Times
    end: Times
    places: list[Place]
    phase: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.event)

    def is_complete(self, index: slice | Ints) -> NDArray[np.bool_]:
        """Tell which rows are X events, which Perfetto sorts by their duration."""
        complete: NDArray[np.bool_] = self.phase[self.event[index]] == ord("X")
        return complete

    def place_of(self, index: Ints) -> Ints:
        """Return the number in `places` of each of these rows."""
        starts = np.array([place.start for place in self.places], np.int64)
        return np.searchsorted(starts, index, "right") - 1
