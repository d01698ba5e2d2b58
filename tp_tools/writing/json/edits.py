"""Turn a plan into the edits of each batch of a trace, as JSON text for `apply`."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome.sanitize import encoded
from tp_tools.chrome.timestamps import microseconds
from tp_tools.columns import iterate_rows
from tp_tools.trace.model import UNTIMED
from tp_tools.trace.renaming import FULL_NAME, is_renamed
from tp_tools.trace.tracks import label_in
from tp_tools.writing.json.apply import ArgsEdit, BatchEdits, MemberEdit, NameArgEdit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace import Plan, Trace
    from tp_tools.trace.model import Batch, Ints, Scalar
    from tp_tools.writing.json.apply import Edit

_RECORDED_DUR = b'"tpt_recorded_dur": '
_LEFT_OUT, _SINGLE = -1, -2  # kinds of change: left out; edits of one event only


class PlanEdits:
    """The edits of a plan, batch by batch."""

    def __init__(self, trace: Trace, plan: Plan, keep: NDArray[np.bool_] | None = None) -> None:
        """Prepare the edits that all batches share.

        Args:
            trace: the columns.
            plan: the repairs.
            keep: bool (events,), the events to write; None for all.
        """
        self.trace, self.plan = trace, plan
        self._durationless = frozenset(plan.durationless)
        self._opening = {closing: event for event, closing in plan.closings.items()}
        flows = plan.flows
        edited = chain(
            plan.moves,
            plan.trims,
            self._opening,
            plan.durationless,
            plan.process_names,
            flows.ids,
            flows.ends,
            flows.own_ids,
            trace.points,
        )
        self._is_renamed = is_renamed(trace, plan.short_names)
        named = np.flatnonzero(self._is_renamed)
        self._edited = np.sort(np.concatenate([np.fromiter(edited, np.int64), named]))
        self._left_out = np.array(sorted([*plan.untimed, *flows.left_out]), np.int64)
        self._keep = keep
        written = list(zip(trace.tracks, plan.ids.pids, plan.ids.tids, strict=True))
        self._ids = [tuple(_new_ids(*ids)) for ids in written]
        self._unquoted = [tuple(_all_ids(*ids)) for ids in written]

    def keeps_any(self, batch: Batch) -> bool:
        """Tell whether any event of a batch is written."""
        return not self._is_left_out(slice(batch.first, batch.first + batch.count)).all()

    def _is_left_out(self, here: slice) -> NDArray[np.bool_]:
        """Mark the events of a range that are left out."""
        count = here.stop - here.start
        left_out = np.zeros(count, np.bool_) if self._keep is None else ~self._keep[here]
        left_out[_within(self._left_out, here)] = True
        return left_out

    def of_batch(self, batch: Batch) -> BatchEdits | None:
        """Return the edits of a batch; None if it has none."""
        here = slice(batch.first, batch.first + batch.count)
        track, left_out = self.trace.track[here], self._is_left_out(here)
        quoted = self._is_quoted(here)
        changed = self.plan.ids.changed[track] | quoted
        single = changed & self.plan.ids.is_process_metadata[here]
        single[_within(self._edited, here)] = True
        is_rebased = self._is_rebased(here)
        single |= is_rebased
        places = np.flatnonzero(changed | single | left_out)
        if not len(places):
            return None
        kind = np.where(quoted, track.astype(np.int64) + len(self._ids), track)
        kind[single] = _SINGLE
        kind[left_out] = _LEFT_OUT
        kinds, which = np.unique(kind[places], return_inverse=True)
        ids = self._ids + self._unquoted
        changes = [ids[kind] if kind >= 0 else None for kind in kinds.tolist()]
        is_single = np.flatnonzero(kind[places] == _SINGLE)
        which[is_single] = np.arange(len(is_single)) + len(changes)
        at = places[is_single]
        columns = (at + batch.first, track[at], self.trace.ts[here][at], is_rebased[at])
        for number, code, ts, gets_rebased in iterate_rows(*columns):
            times = self._time(number, ts, is_rebased=gets_rebased)
            others = (*times, *self._flow(number), *self._new_name(number))
            changes.append((*self._track_ids(number, code), *others))
        return BatchEdits(batch.count, places, which, changes)

    def _is_quoted(self, here: slice) -> NDArray[np.bool_]:
        """Mark the events of a range whose pid or tid is a number in quotes."""
        quoted = self.plan.ids.quoted
        return np.zeros(here.stop - here.start, np.bool_) if quoted is None else quoted[here]

    def _is_rebased(self, here: slice) -> NDArray[np.bool_]:
        """Mark the events of a range whose time changes with the base time or the clock."""
        phase, ts, shift = self.trace.phase[here], self.trace.ts[here], self.plan.rebase_ns
        if self.plan.retimed:
            retimed: NDArray[np.bool_] = (ts != UNTIMED) & (phase != ord("M"))
            return retimed
        rebased: NDArray[np.bool_] = ts != UNTIMED
        rebased &= (phase != ord("M")) | (ts >= shift)
        return rebased if shift else np.zeros_like(rebased)

    def _track_ids(self, number: int, track: int) -> Iterator[Edit]:
        """Set pid and tid; args of a slice that moves to a lane keep the tid and the lane."""
        plan = self.plan
        lane = plan.lanes[track, plan.moves[number]] if number in plan.moves else None
        is_of_process = plan.ids.is_process_metadata[number]
        quoted = plan.ids.quoted is not None and plan.ids.quoted[number]
        for edit in self._unquoted[track] if quoted else self._ids[track]:
            if edit.key == "pid" or not (is_of_process or lane):
                yield edit
        if quoted and is_of_process:
            yield MemberEdit("tid", msgspec.json.encode(self.trace.tracks[track][1]))
        if plan.ids.changed[track] and is_of_process and (label := self._label(number, track)):
            yield MemberEdit("args", encoded({"name": label}))
        if lane:
            yield _put_id("tid", self.trace.tracks[track][1], lane.tid)
            if self.trace.phase[number] in b"XB":
                tid = encoded(plan.ids.tids[track])
                yield ArgsEdit(b'"tpt_tid": %b, "tpt_lane": %d' % (tid, lane.number))

    def _label(self, number: int, track: int) -> str | None:
        """Return the new name of the process, if the event is its name."""
        trace = self.trace
        is_name = trace.names[trace.name[number]] == "process_name"
        return label_in(trace.tracks[track][0]) if is_name else None

    def _time(self, number: int, ts: int, *, is_rebased: bool) -> Iterator[Edit]:
        """Set start and duration; args keep a recorded duration that is trimmed or unusable."""
        plan = self.plan
        if number in self.trace.points:
            yield from (MemberEdit("ph", b'"X"', is_there=True), MemberEdit("dur", b"0"))
        if is_rebased:
            yield MemberEdit("ts", microseconds(ts - plan.rebase_ns))
        if plan.retimed and plan.retimed.has_new_dur[number] and number not in plan.trims:
            yield MemberEdit("dur", microseconds(int(self.trace.dur[number])))
        if number in self._durationless:
            yield ArgsEdit(_RECORDED_DUR, dur_behind=True)
            yield MemberEdit("dur", b"0")
        if number in plan.trims:
            if number in plan.closings:
                recorded = int(self.trace.ts[plan.closings[number]]) - ts
                yield ArgsEdit(_RECORDED_DUR + microseconds(recorded))
            else:
                yield ArgsEdit(_RECORDED_DUR, dur_behind=True)
                yield MemberEdit("dur", microseconds(plan.trims[number] - ts))
        if number in self._opening:
            end = plan.trims[self._opening[number]] - plan.rebase_ns
            yield MemberEdit("ts", _closing_time(end))

    def _new_name(self, number: int) -> Iterator[Edit]:
        """Set the new name of a process, or of a kernel; args keep the recorded one."""
        if number in self.plan.process_names:
            yield NameArgEdit(encoded(self.plan.process_names[number]))
        if self._is_renamed[number]:
            name = self.trace.names[self.trace.name[number]]
            yield MemberEdit("name", encoded(self.plan.short_names[name]))
            yield ArgsEdit(b'"%b": %b' % (FULL_NAME.encode(), encoded(name)))

    def _flow(self, number: int) -> Iterator[MemberEdit]:
        """Set the new id of a flow event, or the `bind_id` of a slice."""
        flows = self.plan.flows
        if number in flows.ids:
            yield MemberEdit("id", b"%d" % flows.ids[number])
        if number in flows.own_ids:
            yield MemberEdit("bind_id", b"%d" % flows.own_ids[number])
        if end := flows.ends.get(number):
            yield MemberEdit("bind_id", b"%d" % end.bind_id)
            if end.is_out:
                yield MemberEdit("flow_out", b"true")
            if end.is_in:
                yield MemberEdit("flow_in", b"true")


def _new_ids(recorded: tuple[Scalar, Scalar], pid: Scalar, tid: Scalar) -> Iterator[MemberEdit]:
    """Set the ids of a track that differ from the recorded ones."""
    for key, old, new in zip(("pid", "tid"), recorded, (pid, tid), strict=True):
        if old != new:
            yield _put_id(key, old, new)


def _all_ids(recorded: tuple[Scalar, Scalar], pid: Scalar, tid: Scalar) -> Iterator[MemberEdit]:
    """Set both ids of an event that has a number in quotes as one of them."""
    for key, old, new in zip(("pid", "tid"), recorded, (pid, tid), strict=True):
        if old is not None or new is not None:
            yield _put_id(key, old, new)


def _put_id(key: str, recorded: Scalar, new: Scalar) -> MemberEdit:
    """Set an id; the event has it already unless it was recorded as null or not at all."""
    return MemberEdit(key, encoded(new), is_there=recorded is not None)


def _within(numbers: Ints, here: slice) -> Ints:
    """Return the ascending numbers that lie in a range, counted from its start."""
    first, end = np.searchsorted(numbers, (here.start, here.stop))
    inside: Ints = numbers[first:end] - here.start
    return inside


def _closing_time(time: int) -> bytes:
    """Write ns as microseconds, without decimals where it needs none.

    In a trace of whole microseconds all times then stay exact in Perfetto's doubles.
    """
    return microseconds(time) if time % 1000 else b"%d" % (time // 1000)
