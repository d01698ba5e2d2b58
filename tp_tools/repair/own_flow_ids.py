"""Number anew the `bind_id` of slices where Perfetto confuses it with a flow of `s` and `f`.

Perfetto v52 counts the flows of `s`, `t` and `f` events from 0, one for each id, name and category,
and takes the `bind_id` of a slice for a number of the same kind: a small one is the flow of some
launch, too. That launch then joins a slice of the other flow, or its arrow is dropped.

Source: Perfetto v52.0, importers/common/flow_tracker.cc, GetFlowIdForV1Event.
"""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING

from tp_tools.trace.flow_groups import read_id
from tp_tools.trace.model import is_phase

if TYPE_CHECKING:
    from tp_tools.trace import Trace

_FIRST = 1 << 38
"""First new number; those that tie launches to their work begin at twice that."""


def own_flow_ids(trace: Trace) -> dict[int, int]:
    """Return the new `bind_id` of each event whose number Perfetto also counts.

    Args:
        trace: the trace as recorded.
    """
    numbers = {event: read_id(bytes(text)) for event, text in trace.bind_ids.items()}
    counted = int(is_phase(trace, "stf").sum()) if numbers else 0
    taken = set(numbers.values())
    free = (number for number in count(_FIRST) if number not in taken)
    new = {
        number: next(free)
        for number in dict.fromkeys(numbers.values())
        if number is not None and number <= counted and counted
    }
    return {event: new[number] for event, number in numbers.items() if number in new}
