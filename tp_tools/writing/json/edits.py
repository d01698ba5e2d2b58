"""A plan as edits of each run of a trace, in JSON text: what `edited` does."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from tp_tools.chrome.sanitize import encoded
from tp_tools.chrome.timestamps import microseconds
from tp_tools.columns import iterate_rows
from tp_tools.trace.model import UNTIMED
from tp_tools.trace.tracks import label_in
from tp_tools.writing.json.apply import ArgsEdit, BatchEdits, MemberEdit

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from tp_tools.trace.model import Batch, Ints, Scalar, Trace
    from tp_tools.trace.plan import Plan

_RECORDED_DUR = b'"tpt_recorded_dur": '
_LEFT_OUT, _ALONE = -1, -2  # events that no other one of their track is like


class PlanEdits:
    """The edits that a plan calls for, run by run."""

    def __init__(self, trace: Trace, plan: Plan, keep: NDArray[np.bool_] | None = None) -> None:
        """Args: keep: which events are wanted, one flag per event; None is all of them."""
        self.trace, self.plan = trace, plan
        self._durationless = frozenset(plan.durationless)
        self._opening = {closing: event for event, closing in plan.closings.items()}
        flows = plan.flows
        edited = chain(
            plan.moves, plan.trims, self._opening, plan.durationless, flows.ids, flows.ends
        )
        self._edited = np.sort(np.fromiter(edited, np.int64))
        self._left_out = np.array(sorted([*plan.untimed, *flows.left_out]), np.int64)
        self._keep = keep
        written = list(zip(trace.tracks, plan.ids.pids, plan.ids.tids, strict=True))
        self._ids = [tuple(_new_ids(*ids)) for ids in written]
        self._unquoted = [tuple(_all_ids(*ids)) for ids in written]

    def keeps_any(self, span: Batch) -> bool:
        """Whether any event of a run is written."""
        return not self._is_left_out(slice(span.first, span.first + span.count)).all()

    def _is_left_out(self, here: slice) -> NDArray[np.bool_]:
        count = here.stop - here.start
        found = np.zeros(count, np.bool_) if self._keep is None else ~self._keep[here]
        found[_within(self._left_out, here)] = True
        return found

    def of_run(self, span: Batch) -> BatchEdits | None:
        """What changes in a run; None if nothing does."""
        here = slice(span.first, span.first + span.count)
        track, left_out = self.trace.track[here], self._is_left_out(here)
        quoted = self._is_quoted(here)
        changed = self.plan.ids.changed[track] | quoted
        alone = changed & self.plan.ids.is_process_metadata[here]
        alone[_within(self._edited, here)] = True
        is_rebased = self._is_rebased(here)
        alone |= is_rebased
        places = np.flatnonzero(changed | alone | left_out)
        if not len(places):
            return None
        kind = np.where(quoted, track.astype(np.int64) + len(self._ids), track)
        kind[alone] = _ALONE
        kind[left_out] = _LEFT_OUT
        kinds, which = np.unique(kind[places], return_inverse=True)
        ids = self._ids + self._unquoted
        changes = [ids[kind] if kind >= 0 else None for kind in kinds.tolist()]
        own = np.flatnonzero(kind[places] == _ALONE)
        which[own] = np.arange(len(own)) + len(changes)
        where = places[own]
        columns = (where + span.first, track[where], self.trace.ts[here][where], is_rebased[where])
        for number, its_track, ts, gets_rebased in iterate_rows(*columns):
            times = self._time(number, ts, is_rebased=gets_rebased)
            changes.append((*self._place(number, its_track), *times, *self._flow(number)))
        return BatchEdits(span.count, places, which, changes)

    def _is_quoted(self, here: slice) -> NDArray[np.bool_]:
        """Which events have a number in quotes as pid or tid."""
        quoted = self.plan.ids.quoted
        return np.zeros(here.stop - here.start, np.bool_) if quoted is None else quoted[here]

    def _is_rebased(self, here: slice) -> NDArray[np.bool_]:
        """Which events get another time, since all times are counted from another one."""
        phase, ts, shift = self.trace.phase[here], self.trace.ts[here], self.plan.rebase_ns
        found: NDArray[np.bool_] = ts != UNTIMED
        found &= (phase != ord("M")) | (ts >= shift)
        return found if shift else np.zeros_like(found)

    def _place(self, number: int, track: int) -> Iterator[MemberEdit | ArgsEdit]:
        """Pid and tid; a slice that moves keeps its row's tid and its lane in args."""
        plan = self.plan
        lane = plan.lanes[track, plan.moves[number]] if number in plan.moves else None
        is_of_process = plan.ids.is_process_metadata[number]
        quoted = plan.ids.quoted is not None and plan.ids.quoted[number]
        for put in self._unquoted[track] if quoted else self._ids[track]:
            if put.key == "pid" or not (is_of_process or lane):
                yield put
        if quoted and is_of_process:
            yield MemberEdit("tid", msgspec.json.encode(self.trace.tracks[track][1]))
        if plan.ids.changed[track] and is_of_process and (label := self._label(number, track)):
            yield MemberEdit("args", encoded({"name": label}))
        if lane:
            yield _put_id("tid", self.trace.tracks[track][1], lane.tid)
            if self.trace.phase[number] in b"XB":
                row = encoded(plan.ids.tids[track])
                yield ArgsEdit(b'"tpt_tid": %b, "tpt_lane": %d' % (row, lane.number))

    def _label(self, number: int, track: int) -> str | None:
        """What the process is called instead, if the event says its name."""
        trace = self.trace
        is_name = trace.names[trace.name[number]] == "process_name"
        return label_in(trace.tracks[track][0]) if is_name else None

    def _time(self, number: int, ts: int, *, is_rebased: bool) -> Iterator[MemberEdit | ArgsEdit]:
        """Start and duration; a recorded duration that is trimmed or unusable stays in args."""
        plan = self.plan
        if is_rebased:
            yield MemberEdit("ts", microseconds(ts - plan.rebase_ns))
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

    def _flow(self, number: int) -> Iterator[MemberEdit]:
        """The new id of a flow event; what ties a slice to others."""
        flows = self.plan.flows
        if number in flows.ids:
            yield MemberEdit("id", b"%d" % flows.ids[number])
        if end := flows.ends.get(number):
            yield MemberEdit("bind_id", b"%d" % end.bind_id)
            if end.is_out:
                yield MemberEdit("flow_out", b"true")
            if end.is_in:
                yield MemberEdit("flow_in", b"true")


def _new_ids(recorded: tuple[Scalar, Scalar], pid: Scalar, tid: Scalar) -> Iterator[MemberEdit]:
    """The ids of a track that are written otherwise than recorded."""
    for key, old, new in zip(("pid", "tid"), recorded, (pid, tid), strict=True):
        if old != new:
            yield _put_id(key, old, new)


def _all_ids(recorded: tuple[Scalar, Scalar], pid: Scalar, tid: Scalar) -> Iterator[MemberEdit]:
    """The ids of an event that has a number in quotes for one."""
    for key, old, new in zip(("pid", "tid"), recorded, (pid, tid), strict=True):
        if old is not None or new is not None:
            yield _put_id(key, old, new)


def _put_id(key: str, recorded: Scalar, new: Scalar) -> MemberEdit:
    return MemberEdit(key, encoded(new), is_there=recorded is not None)


def _within(numbers: Ints, here: slice) -> Ints:
    """Those of some ascending numbers that lie in a range, counted from its start."""
    first, behind = np.searchsorted(numbers, (here.start, here.stop))
    found: Ints = numbers[first:behind] - here.start
    return found


def _closing_time(time: int) -> bytes:
    """Without decimals where it needs none: in a trace of whole microseconds all stay exact."""
    return microseconds(time) if time % 1000 else b"%d" % (time // 1000)
