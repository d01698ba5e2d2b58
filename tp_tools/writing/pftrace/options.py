"""What sets one trace apart from others in one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Lanes = Literal["shared", "rows"]


@dataclass(frozen=True)
class PftraceOptions:
    """One trace of a file: a `.pftrace` is the parts of all its traces, one after the other.

    Attributes:
        number: from 0, another for each trace; below 2^24.
        first_place: the place of its first process among all processes of the file; the others
            follow.
        label: stands before the names of its processes, "rank 3".
        lanes: whether moved slices share the row of their stream, or get rows of their own.
        compressed: whether packets are compressed inside the file.
    """

    number: int = 0
    first_place: int = 0
    label: str = ""
    lanes: Lanes = "shared"
    compressed: bool = True

    @property
    def sequence(self) -> int:
        """The id of the packet sequence of its events."""
        return 2 * self.number + 1

    @property
    def track_sequence(self) -> int:
        """That of its tracks: events would take the thread described last on theirs for their own.

        Perfetto adds an arg to some (TrackEventTokenizer::TokenizeThreadDescriptor, v52 to v58).
        """
        return 2 * self.number + 2

    @property
    def first_uuid(self) -> int:
        """From here on, 2^32 track ids are its own."""
        return (self.number << 32) + 1

    @property
    def first_arrow(self) -> int:
        """From here on, 2^32 ids of arrows are its own; those of version 2 arrows are smaller."""
        return (1 << 62) + (self.number << 32)
