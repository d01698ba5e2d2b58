"""Define the options by which one trace of a `.pftrace` differs from the others."""

from __future__ import annotations

from typing import Literal

from msgspec import Struct

Lanes = Literal["shared", "rows"]


class PftraceOptions(Struct, frozen=True):
    """Options of one trace; a `.pftrace` can hold several, one after the other.

    Attributes:
        number: number of the trace in the file, from 0, below 2^24; it must be unique.
        first_place: rank of the trace's first process in the order of all processes of the file;
            the trace's other processes follow.
        label: text put before the names of its processes, "rank 3".
        lanes: "shared" to show moved slices in the row of their stream, "rows" to show them in
            rows of their own.
        compressed: whether to compress packets inside the file.
    """

    number: int = 0
    first_place: int = 0
    label: str = ""
    lanes: Lanes = "shared"
    compressed: bool = True

    @property
    def sequence(self) -> int:
        """Return the id of the packet sequence of the trace's events."""
        return 2 * self.number + 1

    @property
    def track_sequence(self) -> int:
        """Return the id of the packet sequence of the trace's track descriptors.

        Events on the same sequence as a thread's descriptor would be given that thread, and
        Perfetto adds an arg to some (TrackEventTokenizer::TokenizeThreadDescriptor, v52 to v58).
        """
        return 2 * self.number + 2

    @property
    def first_uuid(self) -> int:
        """Return the first of the 2^32 track ids reserved for the trace."""
        return (self.number << 32) + 1

    @property
    def first_flow(self) -> int:
        """Return the first of the 2^32 flow ids reserved for the trace.

        Flows that slices carry themselves (`bind_id`) have smaller ids.
        """
        return (1 << 62) + (self.number << 32)
