"""Define the collectives of one rank as columns, for matching and for the common clock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from msgspec import Struct

if TYPE_CHECKING:
    from tp_tools.trace.model import Ints

UNKNOWN = -1
"""Value of a number that the trace of a rank does not give."""

SYNCHRONISING = frozenset(
    {"all_reduce", "all_gather", "reduce_scatter", "all_to_all", "barrier", "dispatch", "combine"}
)
"""Kinds that no rank leaves before the last one has arrived, so that all ranks end at one moment.

The root of a broadcast, or a sender, may leave as soon as its data is on its way.
"""

TESTABLE = SYNCHRONISING | {"unknown", "send_recv"}
"""Kinds that count as synchronising if the ends of their ranks prove to fall together.

RCCL has one kernel for all collectives, and NCCL runs all-to-all as sends and receives.
"""

MESSAGES = frozenset({"send", "recv"})
"""Kinds that join two ranks only.

PyTorch writes on them the Seq of the next collective, and a Comms Id made from that, so neither
tells which send belongs to which receive.
"""


class Collectives(Struct, frozen=True):
    """The collectives of one rank, sorted by ts; row i is one kernel (gloo: one annotation).

    Text that the trace does not give is "", a number that it does not give is UNKNOWN.

    Columns:
        event: int, number of the event in the rank's file.
        kind: text, "all_reduce", "all_gather" and so on.
        group: text, name of the process group.
        description: text, description of the process group, for example "DATA_PARALLEL".
        members: text, ranks of the group as the trace writes them.
        size: int, number of ranks of the group.
        seq: int, sequence number within the group (Seq).
        comms_id: text, Kineto's hash of group, sequence and peers (Comms Id).
        stream: int, number of the stream.
        nbytes: int, bytes that the rank contributes or receives.
        dtype: text, element type.
        recognised: text, "args", "annotation" (around the launch) or "name": how it was
            recognised as a collective.
        ts, end: int64, ns since the epoch, on the rank's own clock.
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
    """Return the columns of a rank without collectives."""
    ints = np.empty(0, np.int64)
    return Collectives(ints, [], [], [], [], ints, ints, [], ints, ints, [], [], ints, ints)
