"""Number the `bind_id` of a rank's flows anew, so that no other rank has them."""

from __future__ import annotations

_BITS = 40
"""Bits of the number of a `bind_id` in its rank; the rank is in those above."""


class BindIds:
    """The `bind_id` of one rank: recorded ones, and those that its repair gave."""

    def __init__(self, rank: int) -> None:
        """Take the number of the rank."""
        self._first = (rank + 1) << _BITS
        self._own: dict[int, int] = {}

    def of(self, recorded: int) -> int:
        """Return the id in the merged trace of an id in the rank's."""
        return self._first + self._own.setdefault(recorded, len(self._own))
