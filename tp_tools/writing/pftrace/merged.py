"""Define what differs where the trace is one rank of a merged trace."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec
from msgspec import Struct

from tp_tools.writing.pftrace.own_flows import IN, OUT, encoded_flow, own_flow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tp_tools.writing.pftrace.event_args import EventArgs


class Names(Protocol):
    """The tracks to describe, with names and order of their processes and threads."""

    def in_use(self) -> list[int]:
        """List the tracks to describe, as indices in Trace.tracks."""

    def process(self, tracks: list[int]) -> str:
        """Return the name of the process of these tracks; "" for none."""

    def thread(self, track: int) -> str:
        """Return the name of the thread of a track."""

    def order(self, tracks: list[int]) -> tuple[int, int]:
        """Return a sort key of the process of these tracks."""


class FlowOfSlice(NamedTuple):
    """The end of a flow that a slice carries itself.

    Attributes:
        bind_id: id of the flow.
        is_out: whether the flow begins at the slice; else it ends there.
    """

    bind_id: int
    is_out: bool


class MergedRank(Struct, frozen=True):
    """What differs where the trace is one rank of a merged trace.

    Its columns hold times on the common clock, and the plan the ids of the merged trace.

    Attributes:
        names: its tracks.
        members: members of the header that count for it, in place of those of the file.
        notes: members to add to the args of events, as JSON text, by event.
        flows: flows between ranks, by the event of a slice.
        bind_id: gives the rank's own id for a `bind_id` of the file.
    """

    names: Names
    members: dict[str, msgspec.Raw]
    notes: Mapping[int, bytes]
    flows: Mapping[int, FlowOfSlice]
    bind_id: Callable[[int], int]

    def flow(self, number: int, fields: EventArgs) -> bytes:
        """Encode the flow that a slice carries, as `own_flow` does."""
        if (flow := self.flows.get(number)) is not None:
            return encoded_flow(flow.bind_id, OUT if flow.is_out else IN)
        return own_flow(fields, self.bind_id)
