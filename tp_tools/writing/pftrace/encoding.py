"""Encode the events of one batch, in any process: it needs no columns of the trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.writing.pftrace.compression import packed
from tp_tools.writing.pftrace.event_args import noted_args, read_event_args, replace_non_objects
from tp_tools.writing.pftrace.own_flows import own_flow
from tp_tools.writing.pftrace.packets import Begins, Ends, Shape, encode_begins, encode_ends

if TYPE_CHECKING:
    import msgspec

    from tp_tools.trace.model import Ints
    from tp_tools.writing.json.apply import ArgsEdit
    from tp_tools.writing.pftrace.compression import Block


class BatchRows(Struct, frozen=True):
    """What columns and plan tell of the BEGINs and INSTANTs of a batch.

    Attributes:
        count: number of events of the batch.
        begins: the packets to make, n of them.
        places: int (n,), the event of each, counted from the first of the batch.
        notes: what the args say of changes, by row.
        may_join: rows whose events may carry a flow themselves.
    """

    count: int
    begins: Begins
    places: Ints
    notes: dict[int, list[ArgsEdit]]
    may_join: list[int]


def encode_batch(
    text: bytes, *, rows: BatchRows, shape: Shape, name: str, least: int | None
) -> Block:
    """Make the packets of a batch.

    Args:
        text: text of the batch.
        rows: what it does not tell.
        shape: sizes of fields.
        name: name of the file, for an error.
        least: as of `packed`.

    Raises:
        InputError: the file changed since it was read.
    """
    event_args = read_event_args(text, rows.count, name)
    if not len(rows.places):
        return b""
    own = [event_args[i] for i in rows.places.tolist()]
    args: list[bytes | msgspec.Raw] = [event.args for event in own]
    for row, notes in rows.notes.items():
        args[row] = noted_args(own[row], notes)
    replace_non_objects(args)
    flows = {row: flow for row in rows.may_join if (flow := own_flow(own[row]))}
    return packed(encode_begins(shape, rows.begins, args, flows), least)


def encode_end_rows(ends: Ends, shape: Shape, least: int | None) -> Block:
    """Make the packets of some ENDs; `least` as of `packed`."""
    return packed(encode_ends(shape, ends), least)
