"""Encode the fields of a TrackEvent that say which flows begin or end there."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

from tp_tools.columns import blocks, take
from tp_tools.writing.pftrace import wire

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tp_tools.columns import Empty
    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.thread_events import Codes

_FLOW, _LAST_OF_FLOW = 47, 48  # flow_ids, terminating_flow_ids
_FLOW_BYTES = 10


class FlowFields(Struct, frozen=True):
    """The flow fields of thread events, sorted by these.

    Columns:
        row: int32, the thread event.
        flow: int32, number of the flow.
        is_last: bool, whether the field is _LAST_OF_FLOW; else it is _FLOW.

    Attributes:
        first: id of flow 0.
    """

    row: Codes
    flow: Codes
    is_last: NDArray[np.bool_]
    first: int

    def of(self, index: Ints) -> FlowsOfRows | None:
        """Return the fields of each of these thread events; None if none has any."""
        start = np.searchsorted(self.row, index)
        count = np.searchsorted(self.row, index, "right") - start
        stop = np.cumsum(count)
        if not len(index) or not stop[-1]:
            return None
        fields = np.repeat(start - (stop - count), count) + np.arange(stop[-1])
        ids = self.first + self.flow[fields].astype(np.int64)
        return FlowsOfRows(stop, ids, self.is_last[fields])


class FlowsOfRows(Struct, frozen=True):
    """The flow fields of some rows; needs no columns of the trace.

    Attributes:
        stop: int64 (rows,), index behind the last field of each row.
        ids: int64 (fields,), ids of flows.
        is_last: bool (fields,), as in FlowFields.
    """

    stop: Ints
    ids: Ints
    is_last: NDArray[np.bool_]

    def encoded(self) -> list[bytes]:
        """Return the encoded fields of each row."""
        tags = np.array([[*wire.tag(_FLOW, 1)], [*wire.tag(_LAST_OF_FLOW, 1)]], np.uint8)
        ids = wire.fixed64_column(self.ids)
        data = wire.rows(len(ids), tags[self.is_last.astype(np.intp)], ids).tobytes()
        edges = [0, *(self.stop * _FLOW_BYTES).tolist()]
        return [data[a:b] for a, b in pairwise(edges)]


def flow_fields(out: Codes, into: Codes, late: Codes, first: int, empty: Empty) -> FlowFields:
    """Sort flow fields by their thread events.

    Args:
        out: int32 (flows,), where flow i starts; without any, fields are those of ends alone.
        into: int32 (n,), where flows end.
        late: int32 (n,), the number of each of these flows.
        first: id of flow 0.
        empty: makes columns.
    """
    count = len(out)
    row, flow = (empty(count + len(into), np.int32) for _ in range(2))
    row[:count], row[count:], flow[count:] = out, into, late
    for block in blocks(count):
        flow[block] = np.arange(block.start, block.stop)
    order = np.argsort(row, kind="stable").astype(np.int32)
    is_last = empty(len(row), np.bool_)
    is_last[:] = order >= count
    return FlowFields(take(row, order, empty), take(flow, order, empty), is_last, first)
