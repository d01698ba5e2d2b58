"""What only the text of an event says: its args, and what few events have."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from tp_tools.errors import InputError

if TYPE_CHECKING:
    from tp_tools.files.source import Source
    from tp_tools.trace.model import Batch

EMPTY = msgspec.Raw(b"")
NO_ARGS = b"{}"
"""TraceProcessor v52 aborts on an empty text, and shows nothing for this one."""


class EventArgs(msgspec.Struct, gc=False):
    """What is read of each event on the second pass.

    Attributes:
        args: JSON text, as the others; EMPTY where there is none.
        dur: as recorded, for notes.
        id, id2: of asynchronous events and counters.
        bind_id, flow_in, flow_out: of version 2 arrows, which slices carry themselves.
    """

    args: msgspec.Raw = EMPTY
    dur: msgspec.Raw = EMPTY
    id: msgspec.Raw = EMPTY
    id2: msgspec.Raw = EMPTY
    bind_id: msgspec.Raw = EMPTY
    flow_in: msgspec.Raw = EMPTY
    flow_out: msgspec.Raw = EMPTY


_DECODER = msgspec.json.Decoder(list[EventArgs])


def event_args(text: bytes, span: Batch, source: Source) -> list[EventArgs]:
    """What is read of each event of a run.

    Raises:
        InputError: the file is not what it was when it was read.
    """
    first = text.find(b"{")
    try:
        found = _DECODER.decode(b"[" + text[first:] + b"]") if span.count else []
    except msgspec.DecodeError:
        found = []
    if len(found) != span.count:
        raise InputError(f"{source.name}: changed while it was being read. Try again.")
    return found
