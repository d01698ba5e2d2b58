"""The collectives of one rank as columns: what matching and the common clock reason about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints

UNKNOWN = -1
"""Stands where a rank's trace does not say a number."""

SYNCHRONISING = frozenset(
    {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "barrier", "dispatch", "combine"}
)
"""Kinds that no rank leaves before the last one has arrived, so that all ends are one moment.

A broadcast's root or a sender may leave as soon as its data is on its way.
"""

TESTABLE = SYNCHRONISING | {"unknown", "send_recv"}
"""Kinds that are taken for synchronising if their ends turn out to fall together.

RCCL has one kernel for all collectives, and NCCL runs all-to-all as sends and receives.
"""

MESSAGES = frozenset({"send", "recv"})
"""Kinds of which each has two ranks only. PyTorch writes the Seq of the next collective on them,
and a Comms Id made from that: neither says which send belongs to which receive."""


@dataclass(frozen=True)
class Collectives:
    """The collectives of one rank, sorted by ts; row i is one kernel (gloo: one annotation).

    Attributes:
        event: number of its event in the rank's file.
        kind: "all_reduce", "all_gather", ...
        group: what its process group is called; "" if the trace does not say.
        description: what the group is for; "" if the trace does not say.
        members: the group's ranks as the trace writes them; "" if it does not.
        size: how many ranks the group has; UNKNOWN if the trace does not say.
        seq: its number within the group; UNKNOWN if the trace does not say.
        comms_id: Kineto's hash of group, sequence and peers as text; "" if there is none.
        stream: number of its stream.
        nbytes: bytes that the rank brings or gets; UNKNOWN if the trace does not say.
        dtype: element type; "" if the trace does not say.
        recognised: "args" or "name".
        ts, end: ns since the epoch, on the rank's own clock.
    """

    event: Ints
    kind: list[str]
    group: list[str]
    description: list[str]
    members: list[str]
    size: Ints
    seq: Ints
    comms_id: list[str]
    stream: Ints
    nbytes: Ints
    dtype: list[str]
    recognised: list[str]
    ts: Ints
    end: Ints

    def __len__(self) -> int:
        return len(self.event)


def none() -> Collectives:
    """The collectives of a rank that has none."""
    ints = np.empty(0, np.int64)
    return Collectives(ints, [], [], [], [], ints, ints, [], ints, ints, [], [], ints, ints)
