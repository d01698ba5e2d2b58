"""Make the packets of one batch of events, whose text gives the args."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome.timestamps import microseconds
from tp_tools.columns import group_order, is_in
from tp_tools.trace.categories import KERNEL
from tp_tools.trace.model import UNTIMED
from tp_tools.trace.renaming import FULL_NAME
from tp_tools.trace.sparse_column import SparseColumn
from tp_tools.writing.json.apply import noted
from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.event_args import NO_ARGS, read_event_args
from tp_tools.writing.pftrace.header import ARGS
from tp_tools.writing.pftrace.other_events import PHASES, OtherEvents
from tp_tools.writing.pftrace.own_flows import PHASES as OWN_FLOWS
from tp_tools.writing.pftrace.own_flows import own_flow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.files import Source
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Batch, Ints
    from tp_tools.writing.pftrace.event_args import EventArgs
    from tp_tools.writing.pftrace.layout import Layout
    from tp_tools.writing.pftrace.ordering import DeferredPackets
    from tp_tools.writing.pftrace.packets import Packets
    from tp_tools.writing.pftrace.thread_events import Codes, ThreadEvents

_NAMES = ("process_name", "thread_name")
_ENCODER = msgspec.json.Encoder()
_OPEN = ord("{")


class BatchPackets:
    """Makes the packets of a trace batch by batch.

    Attributes:
        other_events: makes the packets of events that are on no thread.
        metadata: JSON text of metadata events that name no process or thread.
    """

    def __init__(self, layout: Layout, packets: Packets, deferred: DeferredPackets) -> None:
        """Take the layout, the maker of packets of thread events, and the store of deferred ones.

        The batches must then be given in the order of the file.
        """
        trace, plan, events = layout.trace, layout.plan, layout.thread_events
        self._trace, self._plan, self._events, self._level = trace, plan, events, layout.level
        self._packets, self._deferred = packets, deferred
        self.other_events = OtherEvents(layout)
        self._order, self._edges = group_order(
            len(events), len(trace.batches), layout.batch.__getitem__, trace.scratch.empty
        )
        self._pids = layout.tracks.pids
        self._durationless = frozenset(plan.durationless)
        self._is_written = layout.is_written
        self._named = [code for code, name in enumerate(trace.names) if name in _NAMES]
        self._merged = layout.merged
        self._notes = {} if layout.merged is None else layout.merged.notes
        self._has_flows = layout.merged is not None and bool(layout.merged.flows)
        edited = [*plan.moves, *plan.trims, *plan.durationless, *self._notes]
        noted = dict.fromkeys(edited, 1)
        self._noted = SparseColumn.of(noted)
        recorded = {short: name for name, short in plan.short_names.items()}
        self._full_names = [recorded.get(name, "") for name in trace.names]
        self._has_short_name = np.array([*map(bool, self._full_names), False], np.bool_)
        self._renames = bool(self._has_short_name.any())
        self._kernels = [code for code, cat in enumerate(trace.cats) if cat in KERNEL]
        self._in_pair = _in_pairs(trace, events)
        self._args_of_pairs: dict[int, bytes] = {}
        self._flows_of_pairs: dict[int, bytes] = {}
        self.metadata: list[bytes] = []

    def packets(self, number: int, batch: Batch, text: bytes, source: Source) -> Iterator[bytes]:
        """Yield the packets of one batch, without deferred ones.

        Args:
            number: number of the batch in the trace.
            batch: the batch.
            text: its text.
            source: the file, for its name in an error.

        Raises:
            InputError: the file changed since it was read.
        """
        events = slice(batch.first, batch.first + batch.count)
        event_args = read_event_args(text, batch, source)
        in_pair = np.flatnonzero(self._in_pair[events]).tolist() if len(self._in_pair) else ()
        for i in in_pair:
            self._args_of_pairs[batch.first + i] = self._args(batch.first + i, event_args[i])
            if self._trace.phase[batch.first + i] == ord("B") and (
                flow := self._flow(batch.first + i, event_args[i])
            ):
                self._flows_of_pairs[batch.first + i] = flow
        index = self._order[self._edges[number] : self._edges[number + 1]]
        if len(index):
            index = index[np.argsort(self._events.ts[index], kind="stable")]
            has_bind_ids = b'"bind_id"' in text or self._has_flows
            yield self._begins(index, batch, event_args, has_bind_ids=has_bind_ids)
        for i in np.flatnonzero(self._is_other(events)).tolist():
            if self._trace.phase[batch.first + i] == ord("M"):
                self.metadata.append(self._metadata_text(batch.first + i, event_args[i]))
            else:
                yield self.other_events.packets(batch.first + i, event_args[i])

    def _begins(
        self, index: Ints, batch: Batch, event_args: list[EventArgs], *, has_bind_ids: bool
    ) -> bytes:
        """Return BEGINs and INSTANTs; store those that are deferred.

        Args:
            index: indices of the thread events to write.
            batch: the batch.
            event_args: fields of each event of the batch.
            has_bind_ids: whether some event may carry a version 2 flow.
        """
        event = self._events.event[index]
        pairs = self._events.closing[index] >= 0
        # the B event of a pair may be of an earlier batch: index 0 only stands in for it
        in_batch = np.where(pairs, 0, event - batch.first).tolist()
        args: list[bytes | msgspec.Raw] = [event_args[i].args for i in in_batch]
        fields: dict[int, bytes] = {}
        if has_bind_ids:
            alone = np.flatnonzero(~pairs & is_in(self._trace.phase[event], OWN_FLOWS)).tolist()
            flows = ((i, self._flow(int(event[i]), event_args[in_batch[i]])) for i in alone)
            fields = {i: flow for i, flow in flows if flow}
        for i in np.flatnonzero(self._is_noted(event) & ~pairs).tolist():
            args[i] = self._args(int(event[i]), event_args[in_batch[i]])
        for i in np.flatnonzero(pairs).tolist():
            args[i] = self._args_of_pairs.pop(int(event[i]))
            at_end = self._args_of_pairs.pop(int(self._events.closing[index[i]]))
            flow = self._flows_of_pairs.pop(int(event[i]), b"")
            if at_end != NO_ARGS:
                flow += wire.message(4, wire.number(1, ARGS) + wire.message(9, at_end))
            if flow:
                fields[i] = flow
        _replace_non_objects(args)
        is_deferred = self._level[index] > 0
        if not is_deferred.any():
            return self._packets.begins(index, args, fields)
        packets = self._packets.begin_each(index, args, fields)
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

    def _is_noted(self, event: Codes) -> NDArray[np.bool_]:
        """Mark the events whose args say what of them has changed."""
        is_noted = self._noted.has(event)
        if self._renames:
            is_noted |= self._is_renamed(event)
        return is_noted

    def _is_renamed(self, event: Ints) -> NDArray[np.bool_]:
        """Mark the kernels that are written with a short name."""
        trace = self._trace
        is_kernel: NDArray[np.bool_] = is_in(trace.cat[event], self._kernels)
        is_kernel &= (trace.phase[event] == ord("X")) & (trace.ts[event] != UNTIMED)
        return is_kernel & self._has_short_name[trace.name[event]]

    def _args(self, number: int, fields: EventArgs) -> bytes:
        """Return the args of an event, with notes about its changes."""
        args, plan = bytes(fields.args), self._plan
        is_renamed = self._renames and bool(self._is_renamed(np.array([number]))[0])
        edits = (plan.moves, plan.trims, self._durationless, self._notes)
        is_noted = any(number in edit for edit in edits)
        if not args.startswith(b"{") and not (is_noted or is_renamed):
            return NO_ARGS
        if number in plan.moves and self._trace.phase[number] in b"XB":
            args = noted(args or NO_ARGS, self._move_note(number))
        if number in self._durationless:
            args = noted(args or NO_ARGS, b'"tpt_recorded_dur": ' + bytes(fields.dur or b"null"))
        if number in plan.trims:
            ts, closing = int(self._trace.ts[number]), plan.closings.get(number)
            recorded: bytes = fields.dur
            if closing is not None:
                recorded = microseconds(self._trace.ts[closing] - ts)
            elif self._merged is not None:
                recorded = microseconds(self._trace.dur[number])  # on the common clock
            args = noted(args or NO_ARGS, b'"tpt_recorded_dur": ' + bytes(recorded))
        if is_renamed:
            name = _ENCODER.encode(self._full_names[self._trace.name[number]])
            args = noted(args or NO_ARGS, b'"%b": %b' % (FULL_NAME.encode(), name))
        if number in self._notes:
            args = noted(args or NO_ARGS, self._notes[number])
        return args or NO_ARGS

    def _flow(self, number: int, fields: EventArgs) -> bytes:
        """Encode the flow that an event carries itself; b"" for none."""
        return own_flow(fields) if self._merged is None else self._merged.flow(number, fields)

    def _move_note(self, number: int) -> bytes:
        """Return members that say which track a slice was moved off, as in a repaired JSON trace.

        The pid is added if it is written as another.
        """
        track = int(self._trace.track[number])
        pid, tid = self._plan.ids.pids[track], self._plan.ids.tids[track]
        notes = {"tpt_tid": tid, "tpt_lane": self._plan.moves[number]}
        if self._pids[track] != pid:
            notes["tpt_pid"] = pid
        return _ENCODER.encode(notes)[1:-1]

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


def _replace_non_objects(args: list[bytes | msgspec.Raw]) -> None:
    """Replace args that are no JSON object by NO_ARGS, in place: Perfetto shows no others."""
    size = np.fromiter(map(len, args), np.int64, len(args))
    text = np.frombuffer(b"".join(args) + b" ", np.uint8)
    start = np.cumsum(size) - size
    for i in np.flatnonzero((size == 0) | (text[start] != _OPEN)).tolist():
        args[i] = NO_ARGS
