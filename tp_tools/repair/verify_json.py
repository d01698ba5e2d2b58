"""Prove a repaired file: read it back, load it, compare both with the recorded trace.

The file must hold every event in its place, with its exact or planned time; TraceProcessor must
load all of it, and show each slice with that time and name, and a flow from each launch to its own
work.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tp_tools.chrome import read
from tp_tools.files import Source
from tp_tools.processes.pool import ALONE
from tp_tools.progress import SILENT
from tp_tools.repair.shown import Loading, ask
from tp_tools.repair.verify_flows import correlation_of, expected, slice_key
from tp_tools.repair.verify_shown import LISTING, failed, prove_shown, written_keys
from tp_tools.trace.model import NO_ID, UNTIMED, is_phase
from tp_tools.trace.renaming import renamed
from tp_tools.writing.json.writer import metadata_count

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.repair.analysis import Analysis
    from tp_tools.repair.verify_flows import Launches, SliceKey
    from tp_tools.trace import Trace
    from tp_tools.trace.model import Ints, Scalar
    from tp_tools.trace.plan import Plan


def verify(
    path: Path,
    name: str,
    analyzed: Analysis,
    engine_name: str | None,
    reporter: Reporter = SILENT,
    *,
    pool: Pool = ALONE,
) -> None:
    """Prove the repaired file.

    Args:
        path: current path of the file.
        name: its final path, for messages.
        analyzed: the recorded trace and the plan.
        engine_name: the TraceProcessor to load it with.
        reporter: receives stages of the work, and notes.
        pool: a worker of it loads the file while this process reads it.

    Raises:
        VerificationError: the file differs from the recorded trace and the plan.
        EngineError: TraceProcessor failed.
    """
    # The file is about as long as what was recorded, and half of the engine's memory is to spare.
    size = analyzed.trace.text_size()
    answer = ask(Loading(path, name, engine_name, size, allow_loss=True), pool)
    source = Source(path, name)
    with reporter.stage(f"verifying: reading {name}", source.size()) as stage:
        result = read(source, stage)
        _compare_events(name, analyzed, result)
    with reporter.stage(LISTING):
        launches, written = _launches(analyzed, result), written_keys(name, result, reporter)
    prove_shown(name, written, launches, answer, reporter)


def _compare_events(name: str, analyzed: Analysis, result: Trace) -> None:
    """Check that the file holds each event in its place, as recorded or planned, and new names."""
    trace, plan = analyzed.trace, analyzed.plan
    kept = _kept(trace, plan)
    count = int(kept.sum())
    added = is_phase(result, "M")[count:]
    if len(added) != metadata_count(plan) or not added.all():
        raise failed(name, f"it has {len(result)} events instead of {count} and names of rows")
    timed = kept & (trace.ts != UNTIMED) & ~is_phase(trace, "M")
    ts, end = planned_times(trace, plan)
    columns = {
        "phases": (result.phase[:count], trace.phase[kept]),
        "starts": (result.ts[:count][timed[kept]], ts[timed]),
        "ends": ((result.ts + result.dur)[:count][timed[kept]], end[timed]),
        "threads": (result.track[:count], _planned_tracks(analyzed, result)[kept]),
        "names": (result.name[:count], planned_names(trace, plan, result)[kept]),
        "categories": (result.cat[:count], codes(trace.cats, result.cats)[trace.cat[kept]]),
        "correlations": (result.link[:count], _planned_links(trace, plan, result)[kept]),
    }
    for column, (actual, planned) in columns.items():
        wrong = int((actual != planned).sum())
        if wrong:
            raise failed(name, f"the {column} of {wrong} of its events are not those of the input")
    if result.bind_ids != _planned_bind_ids(trace, plan, kept):
        raise failed(name, "the slices that it ties by identity are others than planned")


def _kept(trace: Trace, plan: Plan) -> NDArray[np.bool_]:
    """Mark the recorded events that the file should hold."""
    kept = np.ones(len(trace), np.bool_)
    kept[plan.untimed] = False
    kept[plan.flows.left_out] = False
    return kept


def _planned_links(trace: Trace, plan: Plan, result: Trace) -> Ints:
    """Return the result's code of the id that each event should have."""
    links = codes(trace.links, result.links)[trace.link]
    known = {text: code for code, text in enumerate(result.links)}
    for event, number in plan.flows.ids.items():
        links[event] = known.get(b"%d" % number, len(result.links))
    return links


def planned_names(trace: Trace, plan: Plan, result: Trace) -> Ints:
    """Return the result's code of the name that each event should have."""
    named = renamed(trace, plan.short_names)
    planned: Ints = codes(named.names, result.names)[named.name]
    return planned


def _planned_bind_ids(trace: Trace, plan: Plan, kept: NDArray[np.bool_]) -> dict[int, bytes]:
    """Return the `bind_id` that events should have, by event of the result."""
    place = np.cumsum(kept) - 1
    planned = dict(trace.bind_ids)
    planned.update({event: b"%d" % number for event, number in plan.flows.own_ids.items()})
    planned.update({event: b"%d" % end.bind_id for event, end in plan.flows.ends.items()})
    return {int(place[event]): text for event, text in planned.items() if kept[event]}


def planned_times(trace: Trace, plan: Plan) -> tuple[Ints, Ints]:
    """Return start and end of each event, ns, as the file should have them."""
    ts, end = trace.ts.copy(), trace.ts + np.maximum(trace.dur, 0)
    for event, planned in plan.trims.items():
        closing = plan.closings.get(event)
        if closing is None:
            end[event] = planned
        else:
            ts[closing] = end[closing] = planned
    return ts - plan.rebase_ns, end - plan.rebase_ns


def _planned_tracks(analyzed: Analysis, result: Trace) -> Ints:
    """Return the result's track that each event should be on; -1 where it has no such track."""
    trace, plan = analyzed.trace, analyzed.plan
    known: dict[object, int] = {track: i for i, track in enumerate(result.tracks)}
    pids, tids = plan.ids.pids, plan.ids.tids
    threads = [known.get(ids, -1) for ids in zip(pids, tids, strict=True)]
    processes = [
        known.get((pid, tid), -1) for pid, (_, tid) in zip(pids, trace.tracks, strict=True)
    ]
    of_process = plan.ids.is_process_metadata
    tracks = np.where(of_process, _ints(processes)[trace.track], _ints(threads)[trace.track])
    for event, number in plan.moves.items():
        lane = plan.lanes[int(trace.track[event]), number]
        tracks[event] = known.get((lane.pid, lane.tid), -1)
    return tracks


def codes(texts: Sequence[str | bytes], result: Sequence[str | bytes]) -> Ints:
    """Return the result's code of each text of the input, and NO_ID last, for NO_ID.

    A text that the result lacks gets the code behind its last one.
    """
    known = {text: code for code, text in enumerate(result)}
    return _ints([*(known.get(text, len(result)) for text in texts), NO_ID])


def _ints(values: list[int]) -> Ints:
    return np.array(values, np.int64)


def _launches(analyzed: Analysis, result: Trace) -> Launches:
    """List the flows that have to join each launch and its own work."""
    number_of = np.cumsum(_kept(analyzed.trace, analyzed.plan)) - 1

    def key(event: int) -> SliceKey:
        number = int(number_of[event])
        pid, tid = map(_number, result.tracks[result.track[number]])
        ts, text = int(result.ts[number]), result.names[result.name[number]]
        return slice_key(pid, tid, ts, text, correlation_of(result, number))

    return expected(analyzed.trace, analyzed.table, analyzed.plan, key)


def _number(value: Scalar) -> int:
    """Return an id as Perfetto shows it; those of a repaired file are integers."""
    return value if isinstance(value, int) else 0
