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

from tp_tools.columns import blocks, distinct, indices_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.columns import Column
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.flows import Flows
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents

_MAX_ROUNDS = 64
_GROUP_OFFSET = 1 << 32
_MEMORY_LIMIT = 16 << 20


def defer_order(events: ThreadEvents, batch: Column, flows: Flows) -> NDArray[np.int8]:
    """Decide which packets are deferred, and in which order.

    Args:
        events: thread events, in the order that each track needs.
        batch: int (events,), number of the batch in which the args of an event are complete.
        flows: flows between events that start at one time, whose target has no END to carry the
            flow's end; the source has to come before the target.

    Returns:
        int8 (events,): 0 for a packet written with its batch; higher levels are deferred, and
        written in ascending order.
    """
    level = np.zeros(len(events), np.int8)
    group = np.zeros(len(events) if len(flows) else 0, np.int32)
    latest, late, count = _Maxima(), _Maxima(), 0
    for block, starts in _group_starts(events):
        here = batch[block]
        is_late = latest.of(here, starts) > here
        if is_late.any() or late.last:
            level[block] = late.of(is_late.astype(np.int64), starts)
        if len(flows):
            group[block] = count + np.cumsum(starts)
            count = int(group[block][-1])
    if len(flows):
        _raise_targets(level, group, flows)
    return level


def _group_starts(events: ThreadEvents) -> Iterator[tuple[slice, NDArray[np.bool_]]]:
    """Mark, block by block, where groups of events begin that start at one time on one track."""
    places = np.array([place.start for place in events.places], np.int64)
    before = 0
    for block in blocks(len(events)):
        ts = events.ts[block]
        starts = np.ones(len(ts), np.bool_)
        starts[1:] = ts[1:] != ts[:-1]
        starts[0] = block.start == 0 or int(ts[0]) != before
        here = places[np.searchsorted(places, block.start) : np.searchsorted(places, block.stop)]
        starts[here - block.start] = True
        before = int(ts[-1])
        yield block, starts


class _Maxima:
    """Finds the highest value so far in the group of each row; values are below 2^32.

    Attributes:
        last: that of the last row.
    """

    def __init__(self) -> None:
        self.last = 0

    def of(self, values: Ints, starts: NDArray[np.bool_]) -> Ints:
        """Return the highest values of the next rows; `starts` marks where groups begin."""
        values = np.concatenate([[self.last], values])
        group = np.concatenate([[0], np.cumsum(starts)]) * _GROUP_OFFSET
        highest: Ints = np.maximum.accumulate(values + group) - group
        self.last = int(highest[-1])
        return highest[1:]


def _raise_targets(level: NDArray[np.int8], group: Codes, flows: Flows) -> None:
    """Raise the levels of groups until each target of a flow comes after its source, in place."""
    touched = distinct(group[np.concatenate([flows.out, flows.into])])
    rows = indices_of(group, touched)
    out, into = np.searchsorted(rows, flows.out), np.searchsorted(rows, flows.into)
    starts = np.diff(group[rows], prepend=-1) != 0
    found = level[rows].astype(np.int64)
    for _ in range(_MAX_ROUNDS):  # flows in a circle would never settle
        found = _Maxima().of(found, starts)
        raised = found.copy()
        np.maximum.at(raised, into, found[out] + 1)
        if (raised == found).all():
            break
        found = raised
    level[rows] = _Maxima().of(found, starts)


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

    def add(self, level: Ints, index: Ints, packets: list[bytes]) -> None:
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
