"""Prove a repaired trace that was written as `.pftrace`: load it, compare the shown slices.

TraceProcessor must load all of it, and show each slice and instant of each thread with its name and
its exact or planned time, no other slice, and a flow from each launch to its own work.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from tp_tools import engine, library
from tp_tools.columns import iterate_rows
from tp_tools.errors import TraceLossError, VerificationError
from tp_tools.files import Source
from tp_tools.progress import BUILDING, SILENT
from tp_tools.repair import verify_flows
from tp_tools.repair.verify_flows import SliceKey, comparable, correlation_of, expected, slice_key
from tp_tools.repair.verify_shown import check_shown, say_losses
from tp_tools.trace.categories import has_category
from tp_tools.trace.flow_groups import LAUNCH_CATS
from tp_tools.writing.pftrace.flows import flows
from tp_tools.writing.pftrace.header import NO_NAME
from tp_tools.writing.pftrace.layout import lay_out
from tp_tools.writing.pftrace.planned_times import NEVER

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.engine.processor import Processor
    from tp_tools.progress import Reporter
    from tp_tools.repair.analysis import Analysis
    from tp_tools.writing import PftraceOptions
    from tp_tools.writing.pftrace.layout import Layout


def verify(
    path: Path,
    name: str,
    analyzed: Analysis,
    engine_name: str | None,
    reporter: Reporter = SILENT,
    *,
    options: PftraceOptions,
) -> None:
    """Prove the repaired file.

    Args:
        path: current path of the file.
        name: its final path, for messages.
        analyzed: the recorded trace and the plan.
        engine_name: the TraceProcessor to load it with.
        reporter: receives stages of the work, and notes.
        options: the options it was written with.

    Raises:
        VerificationError: the file differs from the recorded trace and the plan.
        EngineError: TraceProcessor failed.
    """
    source, size = Source(path, name), analyzed.trace.text_size()
    try:
        with reporter.stage(f"verifying: loading {name}", source.size(), BUILDING) as stage:
            blocks = source.blocks(stage)
            tp = engine.load(blocks, source=name, engine=engine_name, size=size, reporter=stage)
        with tp, reporter.stage("verifying: comparing slices and arrows"):
            layout = lay_out(analyzed.trace, analyzed.table, analyzed.plan, options)
            _compare_slices(name, _expected_slices(layout), tp)
            _compare_launch_flows(name, analyzed, layout, tp)
            say_losses(name, tp, reporter)
    except TraceLossError as error:
        raise VerificationError(f"{error} The result was not kept.") from error


def _expected_slices(layout: Layout) -> Counter[tuple[int, int, int, str]]:
    """Count the (ts, dur, tid, name) of all thread events that have an end."""
    trace = layout.trace
    names = [comparable(text or NO_NAME) for text in trace.names]
    events = layout.thread_events
    counts: Counter[tuple[int, int, int, str]] = Counter()
    for place, tid in zip(events.places, layout.tracks.tids.tolist(), strict=True):
        here = place.rows
        columns = events.ts[here], events.end[here], trace.name[events.event[here]]
        counts.update(
            (ts, end - ts, tid, names[code])
            for ts, end, code in iterate_rows(*columns)
            if end != NEVER
        )
    return counts


def _compare_launch_flows(name: str, analyzed: Analysis, layout: Layout, tp: Processor) -> None:
    """Check that a flow joins each launch and its own work, and that all others are expected."""
    trace, events = layout.trace, layout.thread_events
    entry = np.full(len(trace), -1, np.int32)
    entry[events.event] = np.arange(len(events))

    def key(event: int) -> SliceKey:
        row = entry[event : event + 1]
        place = int(events.place_of(row)[0])
        pid = layout.tracks.pids[events.places[place].track]
        text = trace.names[trace.name[event]] or NO_NAME
        ts, correlation = int(events.ts[row][0]), correlation_of(trace, event)
        return slice_key(pid, int(layout.tracks.tids[place]), ts, text, correlation)

    launches = expected(trace, analyzed.table, analyzed.plan, key)
    unbound = replace(layout.plan, flows=replace(layout.plan.flows, arrows=[]))
    rest = flows(trace, unbound, events, layout.is_written & ~has_category(trace, LAUNCH_CATS))
    ends = events.event[rest.out].tolist(), events.event[rest.into].tolist()
    others = Counter((key(out), key(into)) for out, into in zip(*ends, strict=True))
    verify_flows.check(name, tp, launches, None if trace.bind_ids else others)


def _compare_slices(name: str, planned: Counter[tuple[int, int, int, str]], tp: Processor) -> None:
    """Check that TraceProcessor shows the planned slices, and no other."""
    answer = engine.run_file(tp, library.check("slices"))
    shown = Counter(
        (ts, dur, tid, comparable(text)) for ts, dur, tid, text in answer.rows if tid is not None
    )
    check_shown(name, shown, planned)
