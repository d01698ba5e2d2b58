"""The packets of one run of events, whose text gives the args."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome.timestamps import microseconds
from tp_tools.columns import is_in
from tp_tools.trace.model import is_phase
from tp_tools.writing.json.apply import noted
from tp_tools.writing.pftrace import wire
from tp_tools.writing.pftrace.event_args import NO_ARGS, event_args
from tp_tools.writing.pftrace.flows import identifier
from tp_tools.writing.pftrace.header import ARGS
from tp_tools.writing.pftrace.other_events import PHASES, OtherEvents

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.files.source import Source
    from tp_tools.trace.model import Batch, Ints, Trace
    from tp_tools.writing.pftrace.deferred import DeferredPackets
    from tp_tools.writing.pftrace.event_args import EventArgs
    from tp_tools.writing.pftrace.layout import Layout
    from tp_tools.writing.pftrace.packets import Packets

_NAMES = ("process_name", "thread_name")
_ENCODER = msgspec.json.Encoder()
_IN, _OUT = 1, 2  # LegacyEvent.FlowDirection; both is 3
_OPEN = ord("{")


class BatchPackets:
    """Makes the packets of a trace run by run.

    Attributes:
        loose: makes those of events that are on no thread's row.
        metadata: JSON text of metadata events that are no name of a process or thread.
    """

    def __init__(self, shot: Layout, packets: Packets, late: DeferredPackets) -> None:
        """Takes what is to be written, what makes packets of it, and who keeps those that wait."""
        trace, plan, found = shot.trace, shot.plan, shot.found
        self._trace, self._plan, self._found, self._level = trace, plan, found, shot.level
        self._packets, self._late = packets, late
        self.loose = OtherEvents(shot)
        self._order = np.lexsort((found.ts, shot.run))
        self._edges = np.searchsorted(shot.run[self._order], np.arange(len(trace.batches) + 1))
        self._pids = shot.tracks.pids
        self._durationless = frozenset(plan.durationless)
        self._is_loose = _is_loose(trace) & shot.is_wanted
        self._is_noted = np.zeros(len(trace), np.bool_)
        self._is_noted[[*plan.moves, *plan.trims, *plan.durationless]] = True
        pairs = found.closing >= 0
        self._in_pair = np.zeros(len(trace), np.bool_)
        self._in_pair[np.concatenate([found.event[pairs], found.closing[pairs]])] = True
        self._held: dict[int, bytes] = {}
        self.metadata: list[bytes] = []

    def packets(self, number: int, span: Batch, text: bytes, source: Source) -> Iterator[bytes]:
        """The packets of one run, but for those that wait.

        Raises:
            InputError: the file is not what it was when it was read.
        """
        here = slice(span.first, span.first + span.count)
        read = event_args(text, span, source)
        for i in np.flatnonzero(self._in_pair[here]).tolist():
            self._held[span.first + i] = self._args(span.first + i, read[i])
        index = self._order[self._edges[number] : self._edges[number + 1]]
        if len(index):
            has_arrows = b'"bind_id"' in text
            yield self._starts(index, span, read, has_arrows=has_arrows)
        for i in np.flatnonzero(self._is_loose[here]).tolist():
            if self._trace.phase[span.first + i] == ord("M"):
                self.metadata.append(self._metadatum(span.first + i, read[i]))
            else:
                yield self.loose.packets(span.first + i, read[i])

    def _starts(
        self, index: Ints, span: Batch, read: list[EventArgs], *, has_arrows: bool
    ) -> bytes:
        """BEGINs and INSTANTs; those that have to wait are put aside."""
        event = self._found.event[index]
        pairs = self._found.closing[index] >= 0
        place = np.where(pairs, 0, event - span.first).tolist()
        args: list[bytes | msgspec.Raw] = [read[i].args for i in place]
        tails = _arrows_of_version_2(place, read) if has_arrows else {}
        for i in np.flatnonzero(self._is_noted[event] & ~pairs).tolist():
            args[i] = self._args(int(event[i]), read[place[i]])
        for i in np.flatnonzero(pairs).tolist():
            args[i] = self._held.pop(int(event[i]))
            at_end = self._held.pop(int(self._found.closing[index[i]]))
            if at_end != NO_ARGS:
                tails[i] = wire.message(4, wire.number(1, ARGS) + wire.message(9, at_end))
        _only_objects(args)
        waits = self._level[index] > 0
        if not waits.any():
            return self._packets.begins(index, args, tails)
        packets = self._packets.begin_each(index, args, tails)
        late = np.flatnonzero(waits)
        self._late.add(self._level[index[late]], index[late], [packets[i] for i in late.tolist()])
        return b"".join(packets[i] for i in np.flatnonzero(~waits).tolist())

    def _args(self, number: int, rest: EventArgs) -> bytes:
        """An event's args, with notes about what was changed."""
        args, plan = bytes(rest.args), self._plan
        if not args.startswith(b"{") and not self._is_noted[number]:
            return NO_ARGS
        if number in plan.moves and self._trace.phase[number] in b"XB":
            args = noted(args or NO_ARGS, self._place(number))
        if number in self._durationless:
            args = noted(args or NO_ARGS, b'"tpt_recorded_dur": ' + bytes(rest.dur or b"null"))
        if number in plan.trims:
            ts, closing = int(self._trace.ts[number]), plan.closings.get(number)
            recorded = rest.dur if closing is None else microseconds(self._trace.ts[closing] - ts)
            args = noted(args or NO_ARGS, b'"tpt_recorded_dur": ' + bytes(recorded))
        return args or NO_ARGS

    def _place(self, number: int) -> bytes:
        """Where a moved slice comes from, as in a repaired JSON trace; the pid if it is another."""
        row = int(self._trace.track[number])
        pid, tid = self._plan.ids.pids[row], self._plan.ids.tids[row]
        notes = {"tpt_tid": tid, "tpt_lane": self._plan.moves[number]}
        if self._pids[row] != pid:
            notes["tpt_pid"] = pid
        return _ENCODER.encode(notes)[1:-1]

    def _metadatum(self, number: int, rest: EventArgs) -> bytes:
        trace = self._trace
        pid, tid = trace.tracks[trace.track[number]]
        event = {"name": trace.names[trace.name[number]], "pid": pid, "tid": tid}
        if len(rest.args):
            event["args"] = rest.args
        return _ENCODER.encode(event)


def _is_loose(trace: Trace) -> NDArray[np.bool_]:
    """Events that are on no thread's row: see loose.py; and metadata that names nothing."""
    bound = is_in(trace.bound, b"pg")
    on_rows = is_phase(trace, "iIR") & ~bound
    names = [code for code, name in enumerate(trace.names) if name in _NAMES]
    is_metadata = is_phase(trace, "M") & ~is_in(trace.name, names)
    loose: NDArray[np.bool_] = (is_phase(trace, PHASES) & ~on_rows) | is_metadata
    return loose


def _only_objects(args: list[bytes | msgspec.Raw]) -> None:
    """Replaces what is no object: Perfetto shows no other args."""
    size = np.fromiter(map(len, args), np.int64, len(args))
    text = np.frombuffer(b"".join(args) + b" ", np.uint8)
    start = np.cumsum(size) - size
    for i in np.flatnonzero((size == 0) | (text[start] != _OPEN)).tolist():
        args[i] = NO_ARGS


def _arrows_of_version_2(place: list[int], read: list[EventArgs]) -> dict[int, bytes]:
    """A LegacyEvent with `bind_id`, by position, for slices that say they are joined to others."""
    tails = {}
    for position, i in enumerate(place):
        if len(read[i].bind_id):
            bind_id = identifier(msgspec.json.decode(read[i].bind_id))
            direction = _IN * (bytes(read[i].flow_in) == b"true")
            direction += _OUT * (bytes(read[i].flow_out) == b"true")
            if bind_id is not None and direction:
                event = wire.number(8, bind_id) + wire.number(13, direction)
                tails[position] = wire.message(6, event)
    return tails
