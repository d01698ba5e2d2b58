"""Tell whether base times explain the ends of collectives, so that no clock needs a change.

The ranks of one collective do not leave it at one moment: what a rank waits for goes through
buffers, and the last piece of it reaches one rank later than another. Over NVLink that is a few
microseconds, over PCIe a tenth of the transfer: on two GPUs of one machine, on one clock, ends of
collectives of 3.3 ms lie 73 to 387 us apart, the same rank last each time. A clock fitted to these
ends would be off by as much. So ends change a clock only where they lie further apart than a
transfer explains, or so close to each other that the change is one of microseconds.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.alignment.connected import LEAST
from tp_tools.formatting import span

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints

_CLOCK_ERROR_NS = 50_000
"""Ends that lie less apart may change a clock, as GPU times of one machine differ by this much."""

_EXIT_SHARE = 0.125
"""Largest share of a transfer by which ranks leave a collective apart."""

_EXIT_SHARE_OF_ONE_MACHINE = 0.5
"""The same on one machine, whose GPU times differ by less than such spreads: its own buffers are
the likelier cause, whether the delay grows with the transfer or is a fixed one."""

_SHORTEST_SHARE = 4
"""Clocks are fitted to the shortest 1/4 of the collectives, and to at least LEAST of them."""


class EndSpreads(Struct, frozen=True):
    """How far apart the ends of collectives lie on base times.

    Columns:
        apart: int64 (collectives,), ns from the first rank's end to the last one's.
        length: int64 (collectives,), duration on the rank that arrived last, ns: its transfer.
    """

    apart: Ints
    length: Ints

    def is_explained(self, *, one_machine: bool = False) -> bool:
        """Tell whether transfers explain all that lies between the ends.

        Args:
            one_machine: whether all ranks are known to be on one machine.
        """
        most = _EXIT_SHARE_OF_ONE_MACHINE if one_machine else _EXIT_SHARE
        count = max(len(self.length) // _SHORTEST_SHARE, LEAST)
        shortest = np.argsort(self.length, kind="stable")[:count]
        apart, length = self.apart[shortest], self.length[shortest]
        if not len(apart) or np.median(apart) <= _CLOCK_ERROR_NS:
            return False
        return bool(np.median(apart / np.maximum(length, 1)) <= most)

    def is_large(self) -> bool:
        """Tell whether the ends lie further apart than the errors of GPU times."""
        return bool(len(self.apart)) and bool(np.median(self.apart) > _CLOCK_ERROR_NS)

    def __str__(self) -> str:
        return (
            f"ends of one collective lie {span(int(self.apart.min()))} to "
            f"{span(int(self.apart.max()))} apart on them, as transfers of "
            f"{span(int(np.median(self.length)))} explain"
        )


def end_spreads(collective: Ints, begin: Ints, end: Ints) -> EndSpreads:
    """Measure how far apart the ends of each collective lie.

    Args:
        collective: int64 (n,), number of the collective of each row, from 0 without gaps.
        begin: int64 (n,), ns on one clock.
        end: int64 (n,), ns on one clock.
    """
    count = int(collective.max(initial=-1)) + 1
    start = int(end.min()) if len(end) else 0
    first = np.full(count, np.iinfo(np.int64).max)
    last = np.full(count, np.iinfo(np.int64).min)
    length = first.copy()
    np.minimum.at(first, collective, end - start)
    np.maximum.at(last, collective, end - start)
    np.minimum.at(length, collective, end - begin)
    return EndSpreads(last - first, length)
