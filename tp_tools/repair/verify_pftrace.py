"""Prove a repaired trace that was written as `.pftrace`: load it, compare the shown slices.

TraceProcessor must load all of it, and show each slice and instant of each thread with its name and
its exact or planned time, no other slice, and a flow from each launch to its own work.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np
from msgspec.structs import replace

from tp_tools.errors import TraceLossError, VerificationError
from tp_tools.processes.pool import ALONE
from tp_tools.progress import SILENT
from tp_tools.repair import verify_flows
from tp_tools.repair.shown import Loading, ask
from tp_tools.repair.verify_flows import comparable, correlation_of, expected, slice_key
from tp_tools.repair.verify_shown import COMPARING, LISTING, SliceKeys, check_slices, say_losses
from tp_tools.trace.categories import has_category
from tp_tools.trace.flow_groups import LAUNCH_CATS
from tp_tools.writing.pftrace.flows import flows
from tp_tools.writing.pftrace.header import NO_NAME
from tp_tools.writing.pftrace.layout import lay_out
from tp_tools.writing.pftrace.planned_times import NEVER

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.repair.analysis import Analysis
    from tp_tools.repair.shown import Shown
    from tp_tools.repair.verify_flows import Flow, Launches, SliceKey
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
    pool: Pool = ALONE,
) -> None:
    """Prove the repaired file.

    Args:
        path: current path of the file.
        name: its final path, for messages.
        analyzed: the recorded trace and the plan.
        engine_name: the TraceProcessor to load it with.
        reporter: receives stages of the work, and notes.
        options: the options it was written with.
        pool: a worker of it loads the file while this process makes what it is compared with.

    Raises:
        VerificationError: the file differs from the recorded trace and the plan.
        EngineError: TraceProcessor failed.
    """
    size = analyzed.trace.text_size()
    answer = ask(Loading(path, name, engine_name, size, allow_loss=False), pool)
    with reporter.stage(LISTING):
        layout = lay_out(analyzed.trace, analyzed.table, analyzed.plan, options)
        planned, (launches, others) = _planned_keys(layout), _planned_flows(analyzed, layout)
    try:
        shown = answer.get(reporter)
    except TraceLossError as error:
        raise VerificationError(f"{error} The result was not kept.") from error
    with reporter.stage(COMPARING):
        check_slices(name, _shown_keys(shown), planned)
        verify_flows.check(name, shown.arrows, launches, others)
        say_losses(name, shown.losses, reporter)


def _planned_keys(layout: Layout) -> SliceKeys:
    """Return start, duration, tid and name of all thread events that have an end."""
    events, trace = layout.thread_events, layout.trace
    rows = np.flatnonzero(events.end[:] != NEVER)
    ts, end = events.ts[rows], events.end[rows]
    tid = np.array(layout.tracks.tids, np.int64)[events.place_of(rows)]
    names = [comparable(text or NO_NAME) for text in trace.names]
    return SliceKeys((ts, end - ts, tid), trace.name[events.event[rows]], names)


def _shown_keys(shown: Shown) -> SliceKeys:
    """Return start, duration, tid and name of what TraceProcessor shows of threads."""
    here = shown.on_thread
    numbers = shown.ts[here], shown.dur[here], shown.tid[here]
    return SliceKeys(numbers, shown.name[here], [*map(comparable, shown.names)])


def _planned_flows(analyzed: Analysis, layout: Layout) -> tuple[Launches, Counter[Flow] | None]:
    """List the flows of launches, and all others; None where slices name flows themselves."""
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
    return launches, None if trace.bind_ids else others
