"""Compare what a command wrote with its inputs, and with what TraceProcessor shows of it."""

from __future__ import annotations

import json
import math
from collections import Counter
from decimal import Decimal

from tools.fuzz import mutate
from tp_tools import engine
from tp_tools.errors import TpToolsError

EXACT_US = 1 << 42
"""Times up to which Perfetto's double holds nanoseconds."""

Times = Counter[tuple[int, int]]
"""Slices by start and duration, ns."""


def output_faults(data: bytes, inputs: list[bytes], cut: int = 0) -> list[str]:
    """Load an output, and compare it with what TraceProcessor shows of it.

    Args:
        data: the output.
        inputs: what it was made of.
        cut: number of slices of which the command said that Perfetto ends them sooner.
    """
    try:
        with engine.load([data], source="out", allow_loss=True) as tp:
            lost = {name: n for name, n in engine.losses(tp).items() if not engine.harmless(name)}
            shown = Counter(engine.rows(tp, "SELECT ts, dur FROM slice"))
    except TpToolsError as error:
        return [f"unreadable output: {error}"]
    faults = []
    if lost and None not in (before_each := [_losses(it) for it in inputs]):
        before = sum((Counter(it) for it in before_each), Counter[str]()) | _own_failures(data)
        more = {name: n for name, n in lost.items() if n > before[name]}
        faults += [f"loses {more}, the inputs {dict(before)}"] if more else []
    if data[:1] in b"{[" and data[:1]:
        try:
            missing = _times(json.loads(data, parse_float=Decimal)) - shown
        except (ValueError, RecursionError) as error:
            return [*faults, f"is no JSON: {error}"]
        if missing.total() > cut:
            faults.append(f"{missing.total()} slices are not shown: {list(missing)[:3]}")
    return faults


def _own_failures(data: bytes) -> Counter[str]:
    """Count the counters without values, each of which is a failure, also where an input broke off.

    TraceProcessor may stop reading a damaged input before such an event, and not say so.
    """
    try:
        events = _events(json.loads(data)) if data[:1] in b"{[" else []
    except (ValueError, RecursionError):
        return Counter()
    values = [event.get("args") for event in events if event.get("ph") == "C"]
    return Counter(json_parser_failure=sum(not isinstance(it, dict) for it in values))


def _losses(data: bytes) -> dict[str, int] | None:
    """Return what TraceProcessor loses of an input; None where it cannot read it to its end."""
    try:
        with engine.load([data], source="in", allow_loss=True) as tp:
            lost = engine.losses(tp)
    except TpToolsError:
        return None
    return None if "json_tokenizer_failure" in lost else lost


def _events(trace: object) -> list[dict[str, object]]:
    events = trace.get("traceEvents") if isinstance(trace, dict) else trace
    return [it for it in events or () if isinstance(it, dict)] if isinstance(events, list) else []


def _times(trace: object) -> Times:
    """Return start and duration of the X events whose times a double of us holds to the ns."""
    found = Times()
    for event in _events(trace):
        ts, dur = _ns(event.get("ts")), _ns(event.get("dur"))
        if event.get("ph") == "X" and ts is not None and dur is not None:
            found[ts, dur] += 1
    return found


def _ns(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None
    if not 0 <= value < EXACT_US or value * 1000 % 1:
        return None
    return int(value * 1000)


def lost_events(data: bytes, out: bytes) -> list[str]:
    """List X events of a sound input that the output lacks, by name and recorded duration."""
    given = mutate.plain_json(data)
    if given is None:
        return []
    before, after = _named(given), _named(json.loads(out, parse_float=Decimal), -1)
    missing = before - after
    return [f"{missing.total()} events are gone: {list(missing)[:3]}"] if missing else []


def _named(trace: object, least_us: float = 1e-3) -> Counter[tuple[str, int]]:
    """Count X events by name and duration in ns, as recorded before a trim.

    Args:
        trace: the trace.
        least_us: events have to begin later: in an input a time of 0 was never filled in, while in
            a result, whose times may count from its first event, it is one like others.
    """
    found = Counter[tuple[str, int]]()
    for event in _events(trace):
        name, ts, dur, args = (event.get(key) for key in ("name", "ts", "dur", "args"))
        if isinstance(args, dict):
            dur = args.get("tpt_recorded_dur", dur)
        numbers = all(
            isinstance(it, int | float | Decimal)
            and not isinstance(it, bool)
            and math.isfinite(it)
            and least < it < EXACT_US << 10
            for it, least in ((ts, least_us), (dur, 1e-3))
        )
        if event.get("ph") == "X" and isinstance(name, str) and name.isalnum() and numbers:
            found[name, round(float(dur) * 1000)] += 1  # type: ignore[arg-type]
    return found
