"""Name a place in a trace: a slice by its id, or a time."""

from __future__ import annotations

import json

from msgspec import Struct

AROUND_NS = 1_000_000
"""ns that are shown on each side of a time."""


class Place(Struct, frozen=True):
    """A place that the timeline shows first.

    Attributes:
        slice_id: id of a slice, as queries have it; None for a time.
        time_ns: ns after the start of the trace; None for a slice.
    """

    slice_id: int | None = None
    time_ns: int | None = None

    def json(self) -> str:
        """Return what the script in the page reads."""
        if self.slice_id is not None:
            return json.dumps({"slice": self.slice_id})
        return json.dumps({"time": self.time_ns, "around": AROUND_NS})
