"""Look up starts and ends of thread events as the plan has them, since copies would take memory."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints
    from tp_tools.trace.slice_times import Recorded
    from tp_tools.trace.sparse_column import SparseColumn


NEVER = (1 << 63) - 1
"""End of a slice whose B event has no E event; later than all others, which fit 63 bits."""


class PlannedTimes(Struct, frozen=True):
    """The starts or the ends of thread events, rebased, as a column.

    Attributes:
        recorded: the recorded times.
        rebase_ns: ns subtracted from all of them.
        changed: other times by event, ns, rebased.
    """

    recorded: Recorded
    rebase_ns: int
    changed: SparseColumn | None = None

    def __len__(self) -> int:
        return len(self.recorded)

    def __getitem__(self, index: slice | Ints, /) -> NDArray[np.int64]:
        times = self.recorded[index]
        if self.rebase_ns:
            times -= self.rebase_ns
        if self.changed is not None:
            self.changed.put(self.recorded.event[index], times)
        return times

    def view(self, index: slice, /) -> PlannedTimes:
        """Return the times in a range, without a copy."""
        return PlannedTimes(self.recorded.view(index), self.rebase_ns, self.changed)
