"""A plan carried out on Chrome JSON: events that it names are rewritten, all other bytes copied."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np

from tp_tools.chrome import reread
from tp_tools.chrome.events import UNTIMED, is_phase
from tp_tools.chrome.numbers import microseconds
from tp_tools.chrome.piecewise import picked
from tp_tools.errors import InputError
from tp_tools.lanes import label_in

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from numpy.typing import NDArray

    from tp_tools.chrome.events import Ints, Scalar, Span, Trace
    from tp_tools.chrome.source import Source
    from tp_tools.plan import Plan

Fields: TypeAlias = "dict[str, msgspec.Raw]"
_Change: TypeAlias = "tuple[int, int, bytes]"
"""What stands between two places of a text, and what goes there."""

BASE_KEY = "baseTimeNanoseconds"
_BASE = re.compile(rb'"baseTimeNanoseconds"\s*:\s*(-?\d+)')
_ID_KEYS = [
    (key, re.compile(key + rb'\s*:\s*("[^"\\]*"|-?\d[\d.eE+-]*)(?=\s*[,}])'))
    for key in (b'"pid"', b'"tid"')
]
"""A key that stands once in an event is the event's own: it has one, and no string holds it."""
_FIELDS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_ENCODER = msgspec.json.Encoder()


def rewrite(
    source: Source,
    trace: Trace,
    plan: Plan,
    seen: Callable[[int], None] = lambda _: None,
    keep: NDArray[np.bool_] | None = None,
) -> Iterator[bytes]:
    """The repaired trace as Chrome JSON, block by block.

    Args:
        source: the file that `trace` was read from; it is read again.
        trace: its columns.
        plan: what to change.
        seen: told bytes read from disk, as they are.
        keep: which events are wanted, one flag per event; None is all of them.

    Raises:
        InputError: the file changed meanwhile, or its base time cannot be moved.
    """
    head, tail = rebased(trace.head.text, trace.tail.text, plan.rebase_ns)
    yield head
    editor = _Editor(trace, plan, keep)
    wrote_any = False
    for span, text in reread.runs(source, trace, seen):
        here = slice(span.first, span.first + span.count)
        if span.count and editor.left_out[here].all():
            continue
        out = text
        if editor.touched[here].any():
            out = b"".join(_edited(editor, span, text, reread.places(text, span, source)))
        out = out if wrote_any else _without_comma(out)
        wrote_any = wrote_any or b"{" in out
        yield out
    added = b",\n".join(_metadata(plan))
    if added:
        yield (b",\n" if wrote_any else b"") + added
    yield tail


def _without_comma(text: bytes) -> bytes:
    """A run's text without a comma before its first event: what stood there was left out."""
    return text.replace(b",", b"", text.count(b",", 0, text.find(b"{")))


def _edited(editor: _Editor, span: Span, text: bytes, places: tuple[Ints, Ints]) -> Iterator[bytes]:
    """The run's text with its touched events rewritten, and some left out with their commas."""
    starts, stops = places
    touched = np.flatnonzero(editor.touched[span.first : span.first + span.count])
    before = np.where(touched > 0, stops[touched - 1], 0)
    copied = 0
    for number, start, stop, behind in zip(
        (touched + span.first).tolist(),
        starts[touched].tolist(),
        stops[touched].tolist(),
        before.tolist(),
        strict=True,
    ):
        if editor.left_out[number]:
            yield text[copied : max(copied, behind)]
        elif (changed := editor.changed_ids(number, text, start, stop)) is not None:
            for at, end, value in changed:
                yield text[copied:at]
                yield value
                copied = end
            continue
        else:
            yield text[copied:start]
            yield editor.rewritten(number, text[start:stop])
        copied = stop
    yield text[copied:]


class _Editor:
    """Rewrites single events as the plan says."""

    def __init__(self, trace: Trace, plan: Plan, keep: NDArray[np.bool_] | None) -> None:
        self.trace = trace
        self.plan = plan
        self.durationless = frozenset(plan.durationless)
        self.opening = {closing: event for event, closing in plan.closings.items()}
        self.left_out = np.zeros(len(trace), np.bool_) if keep is None else ~keep
        self.left_out[plan.untimed] = True
        self.more_than_ids = self._more_than_ids()
        self.new_ids = [
            [
                (key, member, _ENCODER.encode(new))
                for (key, member), old, new in zip(_ID_KEYS, recorded, written, strict=True)
                if old != new
            ]
            for recorded, *written in zip(trace.tracks, plan.ids.pids, plan.ids.tids, strict=True)
        ]
        self.touched = picked(plan.ids.changed, trace.track)
        self.touched |= self.more_than_ids
        self.touched |= self.left_out

    def _more_than_ids(self) -> NDArray[np.bool_]:
        """Events of which something else than the pid and the tid is rewritten."""
        plan, trace = self.plan, self.trace
        touched = picked(plan.ids.changed, trace.track)
        touched &= plan.ids.is_process_metadata
        touched[[*plan.moves, *plan.trims, *self.opening, *plan.durationless]] = True
        if plan.rebase_ns:
            touched |= (trace.ts != UNTIMED) & (
                ~is_phase(trace, "M") | (trace.ts >= plan.rebase_ns)
            )
        return touched

    def changed_ids(self, number: int, text: bytes, start: int, stop: int) -> list[_Change] | None:
        """The ids in an event's text that change; None if more does, or they are not told for sure.

        Args:
            number: of the event.
            text: of the run.
            start: where the event begins in it.
            stop: where it ends.
        """
        if self.more_than_ids[number]:
            return None
        found = []
        for key, member, value in self.new_ids[self.trace.track[number]]:
            match = member.search(text, start, stop)
            if match is None or text.count(key, start, stop) != 1:
                return None
            found.append((*match.span(1), value))
        found.sort()
        return found

    def rewritten(self, number: int, event: bytes) -> bytes:
        fields = _FIELDS.decode(event)
        self._place(number, fields)
        self._time(number, fields)
        return _ENCODER.encode(fields)

    def _place(self, number: int, fields: Fields) -> None:
        """Pid and tid; a slice that moves keeps its row's tid and its lane in args."""
        plan, track = self.plan, int(self.trace.track[number])
        if plan.ids.changed[track]:
            fields["pid"] = _json(plan.ids.pids[track])
            if not plan.ids.is_process_metadata[number]:
                fields["tid"] = _json(plan.ids.tids[track])
            elif label := self._label(number):
                fields["args"] = _json({"name": label})
        if number in plan.moves:
            lane = plan.lanes[track, plan.moves[number]]
            fields["tid"] = _json(lane.tid)
            if self.trace.phase[number] in b"XB":
                row = _json(plan.ids.tids[track])
                _note(fields, b'"tpt_tid": %b, "tpt_lane": %d' % (row, lane.number))

    def _label(self, number: int) -> str | None:
        """What the process is called instead, if the event says its name."""
        trace = self.trace
        is_name = trace.names[trace.name[number]] == "process_name"
        return label_in(trace.tracks[trace.track[number]][0]) if is_name else None

    def _time(self, number: int, fields: Fields) -> None:
        """Start and duration; a recorded duration that is trimmed or unusable stays in args."""
        plan, trace = self.plan, self.trace
        rebased = plan.rebase_ns and (
            trace.phase[number] != ord("M") or trace.ts[number] >= plan.rebase_ns
        )
        if rebased and trace.ts[number] != UNTIMED:
            fields["ts"] = _time(int(trace.ts[number]) - plan.rebase_ns)
        if number in self.durationless:
            _note(fields, b'"tpt_recorded_dur": ' + bytes(fields.get("dur", b"null")))
            fields["dur"] = msgspec.Raw(b"0")
        if number in plan.trims:
            self._trim(number, fields)
        if number in self.opening:
            fields["ts"] = _closing_time(plan.trims[self.opening[number]] - plan.rebase_ns)

    def _trim(self, number: int, fields: Fields) -> None:
        """A new duration, where the event has one; the recorded one stays in args."""
        plan, ts = self.plan, int(self.trace.ts[number])
        if number in plan.closings:
            recorded = microseconds(int(self.trace.ts[plan.closings[number]]) - ts)
        else:
            recorded = bytes(fields["dur"])
            fields["dur"] = _time(plan.trims[number] - ts)
        _note(fields, b'"tpt_recorded_dur": ' + recorded)


def _note(fields: Fields, note: bytes) -> None:
    """Adds members to the event's args."""
    fields["args"] = msgspec.Raw(noted(bytes(fields.get("args", b"{}")), note))


def noted(args: bytes, note: bytes) -> bytes:
    """The text of an event's args with more members."""
    args = args.strip()
    if not args.startswith(b"{"):
        args = b'{"args": ' + args + b"}"
    inner = args[1:-1].rstrip()
    return b"{" + inner + (b", " if inner.strip() else b"") + note + b"}"


def _time(time: int) -> msgspec.Raw:
    return msgspec.Raw(microseconds(time))


def _closing_time(time: int) -> msgspec.Raw:
    """Without decimals where it needs none: in a trace of whole microseconds all stay exact."""
    return _time(time) if time % 1000 else msgspec.Raw(b"%d" % (time // 1000))


def _json(value: Scalar | dict[str, str]) -> msgspec.Raw:
    return msgspec.Raw(_ENCODER.encode(value))


def metadata_count(plan: Plan) -> int:
    """How many events are added behind the recorded ones."""
    return sum(1 for _ in _metadata(plan))


def _metadata(plan: Plan) -> Iterator[bytes]:
    """Names for the rows that are new, and for those whose text id was their only name."""
    for lane in plan.lanes.values():
        yield _metadatum("thread_name", lane.pid, lane.tid, {"name": lane.name})
        if lane.sort_index is not None:
            index = {"sort_index": lane.sort_index}
            yield _metadatum("thread_sort_index", lane.pid, lane.tid, index)
    for key, pid, tid, name in plan.names:
        yield _metadatum(key, pid, tid, {"name": name})


def _metadatum(key: str, pid: Scalar, tid: Scalar, args: Mapping[str, Scalar]) -> bytes:
    return b'{"name": %b, "ph": "M", "pid": %b, "tid": %b, "args": %b}' % (
        _json(key),
        _json(pid),
        _json(tid),
        msgspec.json.encode(args),
    )


def rebased(head: bytes, tail: bytes, shift: int) -> tuple[bytes, bytes]:
    """Head and tail with `baseTimeNanoseconds` moved by the shift; added where there is none.

    Raises:
        InputError: there is one that is no integer.
    """
    if not shift:
        return head, tail
    if head.lstrip()[:1] == b"[":
        return b'{"traceEvents": [', b'],\n"%b": %d}\n' % (BASE_KEY.encode(), shift)
    base = _FIELDS.decode(head + tail).get(BASE_KEY)
    if base is None:
        end = b'],\n"%b": %d' % (BASE_KEY.encode(), shift)
        return head, end + tail[1:]
    try:
        wanted = b"%d" % (int(bytes(base)) + shift)
    except ValueError:
        raise InputError(f"{BASE_KEY} is {bytes(base).decode()}, not an integer.") from None
    for match in _BASE.finditer(head + tail):
        start, stop = match.span(1)
        changed = (head + tail)[:start] + wanted + (head + tail)[stop:]
        if bytes(_FIELDS.decode(changed)[BASE_KEY]) == wanted:
            split = len(head) + (len(wanted) - (stop - start) if start < len(head) else 0)
            return changed[:split], changed[split:]
    raise InputError(f"{BASE_KEY} cannot be found in the text.")
