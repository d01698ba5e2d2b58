"""Decide which packets to defer to the end of the file, and keep them until then.

TraceProcessor sorts packets by time and leaves those of one time in the order of the file (v52 to
v58: TraceSorter). All ENDs stand first in the file. A BEGIN needs the args of its event, so it is
written when the batch of its event is read. A packet that would then come before another of the
same time that has to be first is deferred to the end.
"""

from __future__ import annotations

from array import array
from tempfile import SpooledTemporaryFile
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.flows import Flows
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents

_MAX_ROUNDS = 64
_GROUP_OFFSET = 1 << 32
_MEMORY_LIMIT = 16 << 20


def defer_order(events: ThreadEvents, batch: Codes, flows: Flows) -> Codes:
    """Decide which packets are deferred, and in which order.

    Args:
        events: thread events, in the order that each track needs.
        batch: int32 (events,), number of the batch in which the args of an event are complete.
        flows: flows between events that start at one time, whose target has no END to carry the
            flow's end; the source has to come before the target.

    Returns:
        int32 (events,): 0 for a packet written with its batch; higher levels are deferred, and
        written in ascending order.
    """
    group = _groups(events)
    level = (_group_maxima(batch, group) > batch).astype(np.int64)
    for _ in range(_MAX_ROUNDS):  # flows in a circle would never settle
        level = _group_maxima(level, group)
        raised = level.copy()
        np.maximum.at(raised, flows.into, level[flows.out] + 1)
        if (raised == level).all():
            break
        level = raised
    return _group_maxima(level, group).astype(np.int32)


def _groups(events: ThreadEvents) -> Ints:
    """Number the groups of neighbouring events that start at one time on one track."""
    changes = np.ones(len(events), np.bool_)
    changes[1:] = (
        (np.diff(events.ts) != 0) | (np.diff(events.lane) != 0) | (np.diff(events.track) != 0)
    )
    return np.cumsum(changes)


def _group_maxima(values: Codes | Ints, group: Ints) -> Ints:
    """Return the highest value so far in each value's group; values are below 2^32."""
    return np.maximum.accumulate(values + group * _GROUP_OFFSET) - group * _GROUP_OFFSET


class DeferredPackets:
    """Keeps deferred packets, in memory while they are few, else on disk.

    Recorded traces have hardly any.
    """

    def __init__(self, memory_limit: int = _MEMORY_LIMIT) -> None:
        """Open the store; more than `memory_limit` bytes are kept on disk."""
        self._file = SpooledTemporaryFile(  # noqa: SIM115  closed by close()
            memory_limit, prefix="tp-tools-"
        )
        self._level, self._index, self._size = array("q"), array("q"), array("q")

    def close(self) -> None:
        """Delete the packets."""
        self._file.close()

    def add(self, level: Codes, index: Ints, packets: list[bytes]) -> None:
        """Keep packets.

        Args:
            level: level of each packet, from `defer_order`.
            index: index of its thread event.
            packets: encoded packets.
        """
        self._level.extend(level.tolist())
        self._index.extend(index.tolist())
        self._size.extend(map(len, packets))
        self._file.writelines(packets)

    def in_order(self) -> Iterator[bytes]:
        """Yield all packets, by level and then by index."""
        size = np.array(self._size, np.int64)
        start = np.cumsum(size) - size
        for i in np.lexsort((np.array(self._index), np.array(self._level))).tolist():
            self._file.seek(int(start[i]))
            yield self._file.read(int(size[i]))
