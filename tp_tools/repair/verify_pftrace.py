"""Proves a repaired trace that was written as `.pftrace`: loads it, compares what is shown.

What must hold: TraceProcessor loads all of it, shows each slice and instant of each thread with its
name and its exact or planned time, and no other, and an arrow from each launch to its own work.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from tp_tools import engine, library
from tp_tools.columns import is_in, iterate_rows
from tp_tools.errors import TraceLossError, VerificationError
from tp_tools.files.source import Source
from tp_tools.progress import BUILDING, silent
from tp_tools.repair import verify_flows
from tp_tools.repair.verify_flows import SliceKey, comparable, correlation_of, expected
from tp_tools.repair.verify_json import failed, say_losses
from tp_tools.trace.flow_groups import LAUNCH_CATS
from tp_tools.writing.pftrace.flows import flows
from tp_tools.writing.pftrace.header import NO_NAME
from tp_tools.writing.pftrace.layout import lay_out
from tp_tools.writing.pftrace.thread_events import NEVER

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.engine.processor import Processor
    from tp_tools.progress import Progress
    from tp_tools.repair.analysis import Analysis
    from tp_tools.writing.pftrace.layout import Layout
    from tp_tools.writing.pftrace.options import PftraceOptions


def verify(
    path: Path,
    name: str,
    examined: Analysis,
    engine_name: str | None,
    say: Callable[[str], None],
    *,
    part: PftraceOptions,
    progress: Progress = silent,
) -> None:
    """Proves the repaired file.

    Args:
        path: where the file lies now.
        name: where it will lie, for messages.
        examined: the trace it was made from, and the plan.
        engine_name: the TraceProcessor to load it with.
        say: gets lines about things that take seconds.
        part: how it was written.
        progress: shows what is done.

    Raises:
        VerificationError: something does not hold.
        EngineError: TraceProcessor failed.
    """
    source, size = Source(path, name), examined.trace.text_size()
    try:
        with progress(f"verifying: loading {name}", source.size(), BUILDING) as seen:
            blocks = source.blocks(seen)
            tp = engine.load(blocks, source=name, engine=engine_name, size=size, say=say)
        with tp, progress("verifying: comparing slices and arrows"):
            shot = lay_out(examined.trace, examined.table, examined.plan, part, None)
            _compare(name, _wanted(shot), tp)
            _compare_arrows(name, examined, shot, tp)
            say_losses(name, tp, say)
    except TraceLossError as error:
        raise VerificationError(f"{error} The result was not kept.") from error


def _wanted(layout: Layout) -> Counter[tuple[int, int, int, str]]:
    """Count the (ts, dur, tid, name) of all thread events that have an end."""
    trace = layout.trace
    names = [comparable(text or NO_NAME) for text in trace.names]
    events = layout.thread_events
    columns = iterate_rows(events.ts, events.end, layout.tracks.tids, trace.name[events.event])
    return Counter(
        (ts, end - ts, tid, names[code]) for ts, end, tid, code in columns if end != NEVER
    )


def _compare_arrows(name: str, examined: Analysis, layout: Layout, tp: Processor) -> None:
    """Each launch is tied to its own work; of others it is known where they should be."""
    trace, found = layout.trace, layout.thread_events
    entry = np.full(len(trace), -1)
    entry[found.event] = np.arange(len(found))

    def key(event: int) -> SliceKey:
        i = int(entry[event])
        pid, tid = layout.tracks.pids[int(found.track[i])], int(layout.tracks.tids[i])
        text = trace.names[trace.name[event]] or NO_NAME
        ts, correlation = int(found.ts[i]), correlation_of(trace, event)
        return SliceKey(pid, tid, ts, comparable(text), correlation)

    launches = expected(trace, examined.table, examined.plan, key)
    cats = [code for code, cat in enumerate(trace.cats) if cat in LAUNCH_CATS]
    unbound = replace(layout.plan, flows=replace(layout.plan.flows, arrows=[]))
    rest = flows(trace, unbound, found, layout.is_written & ~is_in(trace.cat, cats))
    ends = found.event[rest.out].tolist(), found.event[rest.into].tolist()
    others = Counter((key(out), key(into)) for out, into in zip(*ends, strict=True))
    verify_flows.check(name, tp, launches, None if trace.bind_ids else others)


def _compare(name: str, wanted: Counter[tuple[int, int, int, str]], tp: Processor) -> None:
    answer = engine.run_file(tp, library.check("slices"))
    seen = Counter(
        (ts, dur, tid, comparable(text)) for ts, dur, tid, text in answer.rows if tid is not None
    )
    if seen != wanted:
        missing, extra = (wanted - seen).total(), (seen - wanted).total()
        example = next(iter(wanted - seen), next(iter(seen - wanted), None))
        raise failed(
            name, f"{missing} slices are not shown and {extra} are shown wrongly, as {example}"
        )
