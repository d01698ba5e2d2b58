"""Read from the text of events their args, and the few fields that columns do not hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.errors import InputError
from tp_tools.writing.json.apply import noted

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.writing.json.apply import ArgsEdit

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
_OPEN = ord("{")


def read_event_args(text: bytes, count: int, name: str) -> list[EventArgs]:
    """Read the fields of each event of a batch.

    Args:
        text: text of the batch.
        count: number of its events when it was read the first time.
        name: name of the file, for an error.

    Raises:
        InputError: the file changed since it was read.
    """
    first = text.find(b"{")
    try:
        events = _DECODER.decode(b"[" + text[first:] + b"]") if count else []
    except msgspec.DecodeError:
        events = []
    if len(events) != count:
        raise InputError(f"{name}: changed while it was being read. Try again.")
    return events


def noted_args(fields: EventArgs, notes: Iterable[ArgsEdit]) -> bytes:
    """Return the args of an event, with notes about its changes."""
    args = bytes(fields.args)
    for note in notes:
        dur = bytes(fields.dur or b"null") if note.dur_behind else b""
        args = noted(args or NO_ARGS, note.members + dur)
    return args if args.startswith(b"{") else NO_ARGS


def replace_non_objects(args: list[bytes | msgspec.Raw]) -> None:
    """Replace args that are no JSON object by NO_ARGS, in place: Perfetto shows no others."""
    size = np.fromiter(map(len, args), np.int64, len(args))
    text = np.frombuffer(b"".join(args) + b" ", np.uint8)
    start = np.cumsum(size) - size
    for i in np.flatnonzero((size == 0) | (text[start] != _OPEN)).tolist():
        args[i] = NO_ARGS
