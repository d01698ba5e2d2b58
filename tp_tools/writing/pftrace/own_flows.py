"""Encode the flow that a slice carries itself: version 2 of Chrome's flows.

The slices of one `bind_id` are joined, from those with `flow_out` to those with `flow_in`. Perfetto
reads these members on X, B, b and n events only.
Source: perfetto v52.0, importers/json/json_trace_parser.cc (MaybeAddFlow).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.trace.flow_groups import read_id
from tp_tools.writing.pftrace import wire

if TYPE_CHECKING:
    from collections.abc import Callable

    from tp_tools.writing.pftrace.event_args import EventArgs

PHASES = b"XBbn"
"""Phases of events that may carry a flow themselves."""

IN, OUT = 1, 2
"""LegacyEvent.FlowDirection; both is 3."""


def own_flow(fields: EventArgs, new_id: Callable[[int], int] | None = None) -> bytes:
    """Encode a LegacyEvent with the `bind_id` of an event; return b"" if it carries no flow.

    Args:
        fields: the members of the event.
        new_id: gives the id to write for a recorded one; None keeps it.
    """
    if not len(fields.bind_id):
        return b""
    bind_id = read_id(bytes(fields.bind_id))
    direction = IN * (bytes(fields.flow_in) == b"true")
    direction += OUT * (bytes(fields.flow_out) == b"true")
    if bind_id is None or not direction:
        return b""
    return encoded_flow(bind_id if new_id is None else new_id(bind_id), direction)


def encoded_flow(bind_id: int, direction: int) -> bytes:
    """Encode a LegacyEvent that carries a flow of this id, in, out or both."""
    return wire.message(6, wire.number(8, bind_id) + wire.number(13, direction))
