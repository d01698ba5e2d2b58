"""Say in the args of events what of them has changed, as a repaired JSON trace does."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome.timestamps import microseconds
from tp_tools.columns import is_in
from tp_tools.trace.categories import KERNEL
from tp_tools.trace.model import UNTIMED
from tp_tools.trace.renaming import FULL_NAME
from tp_tools.trace.sparse_column import SparseColumn
from tp_tools.writing.json.apply import ArgsEdit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace.model import Ints
    from tp_tools.writing.pftrace.layout import Layout

_ENCODER = msgspec.json.Encoder()


class Notes:
    """The notes about the events of a trace."""

    def __init__(self, layout: Layout) -> None:
        """Take the plan, and the notes of a merge."""
        trace, plan = layout.trace, layout.plan
        self._trace, self._plan, self._merged = trace, plan, layout.merged
        self._pids = layout.tracks.pids
        self._durationless = frozenset(plan.durationless)
        self._added = {} if layout.merged is None else layout.merged.notes
        edited = [*plan.moves, *plan.trims, *plan.durationless, *self._added]
        self._noted = SparseColumn.of(dict.fromkeys(edited, 1))
        recorded = {short: name for name, short in plan.short_names.items()}
        self._full_names = [recorded.get(name, "") for name in trace.names]
        self._has_short_name = np.array([*map(bool, self._full_names), False], np.bool_)
        self._renames = bool(self._has_short_name.any())
        self._kernels = [code for code, cat in enumerate(trace.cats) if cat in KERNEL]

    def are_about(self, event: Ints) -> NDArray[np.bool_]:
        """Mark the events, given by their numbers, that have notes."""
        is_noted = self._noted.has(event)
        if self._renames:
            is_noted |= self._is_renamed(event)
        return is_noted

    def of(self, number: int) -> list[ArgsEdit]:
        """List the notes about an event."""
        return [*self._about(number)]

    def _about(self, number: int) -> Iterator[ArgsEdit]:
        plan, trace = self._plan, self._trace
        if number in plan.moves and trace.phase[number] in b"XB":
            yield ArgsEdit(self._move(number))
        if number in self._durationless:
            yield ArgsEdit(b'"tpt_recorded_dur": ', dur_behind=True)
        if number in plan.trims:
            yield self._trim(number)
        if self._renames and self._is_renamed(np.array([number]))[0]:
            name = _ENCODER.encode(self._full_names[trace.name[number]])
            yield ArgsEdit(b'"%b": %b' % (FULL_NAME.encode(), name))
        if number in self._added:
            yield ArgsEdit(self._added[number])

    def _move(self, number: int) -> bytes:
        """Return members that say which track a slice was moved off.

        The pid is added if it is written as another.
        """
        track = int(self._trace.track[number])
        pid, tid = self._plan.ids.pids[track], self._plan.ids.tids[track]
        notes = {"tpt_tid": tid, "tpt_lane": self._plan.moves[number]}
        if self._pids[track] != pid:
            notes["tpt_pid"] = pid
        return _ENCODER.encode(notes)[1:-1]

    def _trim(self, number: int) -> ArgsEdit:
        """Say the recorded duration, as the text has it if it is on the clock of the trace."""
        trace, closing = self._trace, self._plan.closings.get(number)
        if closing is None and self._merged is None:
            return ArgsEdit(b'"tpt_recorded_dur": ', dur_behind=True)
        ts = trace.ts[number]
        recorded = trace.dur[number] if closing is None else trace.ts[closing] - ts
        return ArgsEdit(b'"tpt_recorded_dur": ' + microseconds(int(recorded)))

    def _is_renamed(self, event: Ints) -> NDArray[np.bool_]:
        """Mark the kernels that are written with a short name."""
        trace = self._trace
        is_kernel: NDArray[np.bool_] = is_in(trace.cat[event], self._kernels)
        is_kernel &= (trace.phase[event] == ord("X")) & (trace.ts[event] != UNTIMED)
        return is_kernel & self._has_short_name[trace.name[event]]
