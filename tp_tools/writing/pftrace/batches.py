"""Make the packets of a trace batch by batch; the text of a batch gives the args."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.columns import group_order, is_in
from tp_tools.processes.worker import TextCall
from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.compression import packed
from tp_tools.writing.pftrace.encoding import BatchRows, encode_batch, encode_end_rows
from tp_tools.writing.pftrace.event_args import (
    NO_ARGS,
    noted_args,
    read_event_args,
    replace_non_objects,
)
from tp_tools.writing.pftrace.event_rows import EventRows
from tp_tools.writing.pftrace.header import ARGS
from tp_tools.writing.pftrace.notes import Notes
from tp_tools.writing.pftrace.other_events import PHASES, OtherEvents
from tp_tools.writing.pftrace.own_flows import PHASES as OWN_FLOWS
from tp_tools.writing.pftrace.own_flows import own_flow
from tp_tools.writing.pftrace.packets import encode_begins, encode_each

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from tp_tools.processes.worker import Call
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Batch, Ints
    from tp_tools.writing.pftrace.compression import Block
    from tp_tools.writing.pftrace.event_args import EventArgs
    from tp_tools.writing.pftrace.layout import Layout
    from tp_tools.writing.pftrace.ordering import DeferredPackets
    from tp_tools.writing.pftrace.thread_events import ThreadEvents

_NAMES = ("process_name", "thread_name")
_ENCODER = msgspec.json.Encoder()


class BatchPackets:
    """Makes the packets of a trace batch by batch.

    Attributes:
        other_events: makes the packets of events that are on no thread.
        metadata: JSON text of metadata events that name no process or thread.
    """

    def __init__(
        self, layout: Layout, deferred: DeferredPackets, name: str, least: int | None
    ) -> None:
        """Take the layout and the store of deferred packets.

        Args:
            layout: what to write.
            deferred: gets the packets that have to come last.
            name: name of the file, for an error.
            least: as of `packed`.
        """
        trace, events = layout.trace, layout.thread_events
        self._trace, self._events, self._level = trace, events, layout.level
        self._deferred, self._name, self._least = deferred, name, least
        self._rows, self._notes = EventRows(layout), Notes(layout)
        self.other_events = OtherEvents(layout)
        self._order, self._edges = group_order(
            len(events), len(trace.batches), layout.batch.__getitem__, trace.scratch.empty
        )
        self._is_written = layout.is_written
        self._named = [code for code, name in enumerate(trace.names) if name in _NAMES]
        self._merged = layout.merged
        self._in_pair = _in_pairs(trace, events)
        self._args_of_pairs: dict[int, bytes] = {}
        self._flows_of_pairs: dict[int, bytes] = {}
        self.metadata: list[bytes] = []

    def ends(self) -> Iterator[Call[Block]]:
        """Yield calls that make all ENDs."""
        for ends in self._rows.ends():
            yield partial(encode_end_rows, ends, self._rows.shape, self._least)

    def begins(self, texts: Iterable[tuple[Batch, bytes]]) -> Iterator[Call[Block]]:
        """Yield calls that make the packets of each batch, without deferred ones.

        What depends on other batches is made here, in the order of the file, and the call only
        compresses it: pairs, events on no thread, deferred packets, a rank that is merged.

        Args:
            texts: the batches and their text, in the order of the file.

        Raises:
            InputError: the file changed since it was read.
        """
        for number, (batch, text) in enumerate(texts):
            index = self._order[self._edges[number] : self._edges[number + 1]]
            index = index[np.argsort(self._events.ts[index], kind="stable")]
            if self._depends_on_others(batch, index):
                packets = b"".join(self._packets(index, batch, text))
                yield TextCall(partial(packed, least=self._least), packets)
            else:
                call = partial(
                    encode_batch,
                    rows=self._batch_rows(index, batch, text),
                    shape=self._rows.shape,
                    name=self._name,
                    least=self._least,
                )
                yield TextCall(call, text)

    def _depends_on_others(self, batch: Batch, index: Ints) -> bool:
        """Tell whether the packets of a batch depend on other batches, or these on it."""
        events = slice(batch.first, batch.first + batch.count)
        return (
            self._merged is not None
            or bool(self._in_pair[events].any())
            or bool(self._level[index].any())
            or bool(self._is_other(events).any())
        )

    def _batch_rows(self, index: Ints, batch: Batch, text: bytes) -> BatchRows:
        """Return what the text of a batch does not tell of the thread events to write."""
        event = self._events.event[index]
        noted = np.flatnonzero(self._notes.are_about(event)).tolist()
        may_join: list[int] = []
        if b'"bind_id"' in text:
            may_join = np.flatnonzero(is_in(self._trace.phase[event], OWN_FLOWS)).tolist()
        return BatchRows(
            count=batch.count,
            begins=self._rows.begins(index),
            places=event - batch.first,
            notes={row: self._notes.of(int(event[row])) for row in noted},
            may_join=may_join,
        )

    def _packets(self, index: Ints, batch: Batch, text: bytes) -> Iterator[bytes]:
        """Yield the packets of one batch, without deferred ones.

        Args:
            index: indices of the thread events to write, by time.
            batch: the batch.
            text: its text.
        """
        events = slice(batch.first, batch.first + batch.count)
        event_args = read_event_args(text, batch.count, self._name)
        in_pair = np.flatnonzero(self._in_pair[events]).tolist()
        for i in in_pair:
            self._args_of_pairs[batch.first + i] = self._args(batch.first + i, event_args[i])
            if self._trace.phase[batch.first + i] == ord("B") and (
                flow := self._flow(batch.first + i, event_args[i])
            ):
                self._flows_of_pairs[batch.first + i] = flow
        if len(index):
            yield self._begins(index, batch, event_args)
        for i in np.flatnonzero(self._is_other(events)).tolist():
            if self._trace.phase[batch.first + i] == ord("M"):
                self.metadata.append(self._metadata_text(batch.first + i, event_args[i]))
            else:
                yield self.other_events.packets(batch.first + i, event_args[i])

    def _begins(self, index: Ints, batch: Batch, event_args: list[EventArgs]) -> bytes:
        """Return BEGINs and INSTANTs; store those that are deferred.

        Args:
            index: indices of the thread events to write.
            batch: the batch.
            event_args: fields of each event of the batch.
        """
        event = self._events.event[index]
        pairs = self._events.closing[index] >= 0
        # the B event of a pair may be of an earlier batch: index 0 only stands in for it
        in_batch = np.where(pairs, 0, event - batch.first).tolist()
        args: list[bytes | msgspec.Raw] = [event_args[i].args for i in in_batch]
        may_join = np.flatnonzero(~pairs & is_in(self._trace.phase[event], OWN_FLOWS)).tolist()
        flows = ((i, self._flow(int(event[i]), event_args[in_batch[i]])) for i in may_join)
        fields = {i: flow for i, flow in flows if flow}
        for i in np.flatnonzero(self._notes.are_about(event) & ~pairs).tolist():
            args[i] = self._args(int(event[i]), event_args[in_batch[i]])
        for i in np.flatnonzero(pairs).tolist():
            args[i] = self._args_of_pairs.pop(int(event[i]))
            at_end = self._args_of_pairs.pop(int(self._events.closing[index[i]]))
            flow = self._flows_of_pairs.pop(int(event[i]), b"")
            if at_end != NO_ARGS:
                flow += wire.message(4, wire.number(1, ARGS) + wire.message(9, at_end))
            if flow:
                fields[i] = flow
        replace_non_objects(args)
        begins, is_deferred = self._rows.begins(index), self._level[index] > 0
        if not is_deferred.any():
            return encode_begins(self._rows.shape, begins, args, fields)
        packets = encode_each(self._rows.shape, begins, args, fields)
        kept = np.flatnonzero(is_deferred)
        self._deferred.add(
            self._level[index[kept]], index[kept], [packets[i] for i in kept.tolist()]
        )
        return b"".join(packets[i] for i in np.flatnonzero(~is_deferred).tolist())

    def _is_other(self, events: slice) -> NDArray[np.bool_]:
        """Mark the events that are on no thread, and metadata that names nothing."""
        trace, phase = self._trace, self._trace.phase[events]
        on_threads = is_in(phase, b"iIR") & ~is_in(trace.bound[events], b"pg")
        is_metadata = (phase == ord("M")) & ~is_in(trace.name[events], self._named)
        is_other: NDArray[np.bool_] = is_in(phase, PHASES.encode()) & ~on_threads
        is_other |= is_metadata
        is_other &= self._is_written[events]
        return is_other

    def _args(self, number: int, fields: EventArgs) -> bytes:
        """Return the args of an event, with notes about its changes."""
        return noted_args(fields, self._notes.of(number))

    def _flow(self, number: int, fields: EventArgs) -> bytes:
        """Encode the flow that an event carries itself; b"" for none."""
        return own_flow(fields) if self._merged is None else self._merged.flow(number, fields)

    def _metadata_text(self, number: int, fields: EventArgs) -> bytes:
        """Return a metadata event as JSON text."""
        trace = self._trace
        pid, tid = trace.tracks[trace.track[number]]
        event = {"name": trace.names[trace.name[number]], "pid": pid, "tid": tid}
        if len(fields.args):
            event["args"] = fields.args
        return _ENCODER.encode(event)


def _in_pairs(trace: Trace, events: ThreadEvents) -> NDArray[np.bool_]:
    """Mark the B and E events of pairs: bool (events,); empty if there are no pairs."""
    pairs = np.flatnonzero(events.closing >= 0)
    in_pair = np.zeros(len(trace) if len(pairs) else 0, np.bool_)
    in_pair[events.event[pairs]] = True
    in_pair[events.closing[pairs]] = True
    return in_pair
