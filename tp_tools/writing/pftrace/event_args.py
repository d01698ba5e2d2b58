"""Read from the text of events their args, and the few fields that columns do not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from tp_tools.files import Source
    from tp_tools.trace.model import Batch

EMPTY = msgspec.Raw(b"")
"""Value of a field that an event does not have."""

NO_ARGS = b"{}"
"""Args of an event without any: TraceProcessor v52 aborts on an empty text."""


class EventArgs(msgspec.Struct, gc=False):
    """The fields read of each event on the second pass, as JSON text; EMPTY where absent.

    Attributes:
        args: the args.
        dur: recorded duration, for the note about a trim.
        id, id2: ids of asynchronous events and counters.
        bind_id, flow_in, flow_out: flow of a slice that carries it itself (version 2 flows).
    """

    args: msgspec.Raw = EMPTY
    dur: msgspec.Raw = EMPTY
    id: msgspec.Raw = EMPTY
    id2: msgspec.Raw = EMPTY
    bind_id: msgspec.Raw = EMPTY
    flow_in: msgspec.Raw = EMPTY
    flow_out: msgspec.Raw = EMPTY


_DECODER = msgspec.json.Decoder(list[EventArgs])


def read_event_args(text: bytes, batch: Batch, source: Source) -> list[EventArgs]:
    """Read the fields of each event of a batch.

    Args:
        text: text of the batch.
        batch: the batch, as it was read the first time.
        source: the file, for its name in an error.

    Raises:
        InputError: the file changed since it was read.
    """
    first = text.find(b"{")
    try:
        events = _DECODER.decode(b"[" + text[first:] + b"]") if batch.count else []
    except msgspec.DecodeError:
        events = []
    if len(events) != batch.count:
        raise InputError(f"{source.name}: changed while it was being read. Try again.")
    return events
