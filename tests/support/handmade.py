"""Small traces written by hand, and what comes out when they are repaired."""

from __future__ import annotations

import json
import tempfile
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct

from tp_tools import engine
from tp_tools.chrome.reader import read
from tp_tools.files.source import DEFAULT_SIZES, ReadSizes, Source
from tp_tools.repair.analysis import analyze, rewrite
from tp_tools.repair.overlaps import OverlapOptions, decide_repairs
from tp_tools.trace.slices import slices

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from tp_tools.engine.processor import Processor
    from tp_tools.repair.analysis import Analysis
    from tp_tools.trace.model import Trace

Event = dict[str, Any]
US = 1000
"""ns per us; times below are ns."""


def micros(ns: int) -> msgspec.Raw:
    """Nanoseconds as Kineto writes them: microseconds with three decimals, exact."""
    sign = "-" if ns < 0 else ""
    return msgspec.Raw(f"{sign}{abs(ns) // 1000}.{abs(ns) % 1000:03d}".encode())


def x(name: str, ts: int, end: int, *, cat: str = "kernel", **more: Any) -> Event:  # noqa: ANN401
    """A complete event on stream 7 of GPU 0, from `ts` to `end`."""
    times = {"ts": micros(ts), "dur": micros(end - ts)}
    return {"ph": "X", "cat": cat, "name": name, "pid": 0, "tid": 7, **times, **more}


def kernel(name: str, ts: int, end: int, correlation: int, **more: Any) -> Event:  # noqa: ANN401
    """A kernel with its correlation."""
    return x(name, ts, end, args={"correlation": correlation}, **more)


def cpu(name: str, ts: int, end: int, **more: Any) -> Event:  # noqa: ANN401
    """A CPU operator on thread 20 of process 10."""
    return x(name, ts, end, **{"cat": "cpu_op", "pid": 10, "tid": 20, **more})


def mark(phase: str, ts: int, **more: Any) -> Event:  # noqa: ANN401
    """An event of another phase on thread 20 of process 10."""
    return {"ph": phase, "pid": 10, "tid": 20, "ts": micros(ts), **more}


def arrow(number: int, start: Event, target: Event, cat: str = "ac2g") -> list[Event]:
    """A flow pair from the start of one slice to the start of another, as Kineto writes it."""
    ends: tuple[tuple[str, Event, Event], ...] = (("s", start, {}), ("f", target, {"bp": "e"}))
    return [
        {
            **{key: event[key] for key in ("pid", "tid", "ts")},
            "ph": phase,
            "id": number,
            "cat": cat,
            "name": cat,
            **binding,
        }
        for phase, event, binding in ends
    ]


def text(events: Iterable[Event], **top: Any) -> bytes:  # noqa: ANN401
    """The bytes of a trace; `top` are keys before the events."""
    return msgspec.json.encode({**top, "traceEvents": list(events)})


class Fixed(Struct, frozen=True):
    """A trace that went through `fix`.

    Attributes:
        analysis: what was found.
        data: the bytes that were written.
        top: the keys of the output but the events.
        events: the events of the output; `ts` and `dur` in ns where they are numbers.
    """

    analysis: Analysis
    data: bytes
    top: Event
    events: list[Event]

    def named(self, name: str) -> Event:
        """The one slice of this name."""
        (found,) = [it for it in self.events if it["name"] == name and it["ph"] in "XB"]
        return found

    def lanes(self) -> dict[str, int]:
        """Lane of the slices that moved, by name."""
        return {
            it["name"]: it["args"]["tpt_lane"]
            for it in self.events
            if it["ph"] in "XB" and "tpt_lane" in (it.get("args") or {})
        }

    def durs(self) -> dict[str, int]:
        """Duration of the slices that were trimmed, by name, ns."""
        return {
            it["name"]: it["dur"]
            for it in self.events
            if it["ph"] == "X" and "tpt_recorded_dur" in (it.get("args") or {})
        }

    def thread_names(self) -> dict[tuple[int, int], str]:
        """Name of each named thread by (pid, tid)."""
        return {
            (it["pid"], it["tid"]): it["args"]["name"]
            for it in self.events
            if it["ph"] == "M" and it["name"] == "thread_name"
        }


def source_of(data: bytes, folder: Path, sizes: ReadSizes = DEFAULT_SIZES) -> Source:
    """The bytes as a file to read."""
    path = folder / "trace.json"
    path.write_bytes(data)
    return Source(path, path.name, sizes=sizes)


def trace_of(data: bytes) -> Trace:
    """The bytes as columns."""
    with tempfile.TemporaryDirectory() as folder:
        return read(source_of(data, Path(folder)))


def overlap_options(tolerance_ns: int = US, *, everything: bool = False) -> OverlapOptions:
    """How SQL is asked: the default engine, in silence."""
    return OverlapOptions(tolerance_ns, None, everything)


def repairs_in(data: bytes, how: OverlapOptions) -> dict[str, tuple[int, int]]:
    """Return (lane, end) of each repaired slice, by name."""
    trace = trace_of(data)
    found = decide_repairs(trace, slices(trace), how)
    return {trace.names[trace.name[it.event]]: (it.lane, it.end) for it in found}


def fixed(data: bytes, tolerance_ns: int = US, *, everything: bool = False) -> Fixed:
    """The trace, repaired."""
    with tempfile.TemporaryDirectory() as folder:
        source = source_of(data, Path(folder))
        analysis = analyze(source, overlap_options(tolerance_ns, everything=everything))
        written = b"".join(rewrite(source, analysis))
    top = json.loads(written, parse_float=Decimal)
    top = top if isinstance(top, dict) else {"traceEvents": top}
    events = top.pop("traceEvents")
    for event in events:
        for key in ("ts", "dur"):
            if isinstance(event.get(key), int | Decimal):
                event[key] = int(Decimal(event[key]) * 1000)
    return Fixed(analysis, written, top, events)


def loaded(data: bytes) -> Processor:
    """The bytes in a TraceProcessor, which raises if it lost any of them."""
    return engine.load([data], source="trace.json")


def shown(data: bytes) -> list[tuple[str, int, int, int]]:
    """(name, tid, ts, dur) of every slice that TraceProcessor shows of it."""
    query = (
        "SELECT slice.name, tid, slice.ts, slice.dur FROM slice "
        "JOIN thread_track ON thread_track.id = slice.track_id JOIN thread USING (utid) "
        "ORDER BY slice.ts, slice.dur DESC, slice.id"
    )
    with loaded(data) as tp:
        return engine.rows(tp, query)


def arrows(tp: Processor) -> Iterator[tuple[str, str]]:
    """Names of the slices that each arrow joins."""
    query = (
        "SELECT a.name, b.name FROM flow "
        "JOIN slice AS a ON a.id = flow.slice_out JOIN slice AS b ON b.id = flow.slice_in "
        "ORDER BY flow.id"
    )
    yield from engine.rows(tp, query)
