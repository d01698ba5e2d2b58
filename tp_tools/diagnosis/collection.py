"""Load each trace once, or all ranks of a job merged, and run the queries of a diagnosis."""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools import library
from tp_tools.alignment.alignment import BY_BASE, UNALIGNED
from tp_tools.chrome.metadata import metadata
from tp_tools.diagnosis.numbers import Numbers, TraceFacts
from tp_tools.engine import Rows, query_rows
from tp_tools.files import open_source
from tp_tools.files.sources import kept_sources
from tp_tools.merging.read_rank import load_rank
from tp_tools.merging.workers import HERE, Workers
from tp_tools.processes.pool import ALONE
from tp_tools.processes.worker import FileCall
from tp_tools.progress import Once
from tp_tools.querying import job_loader, load_trace, lookup
from tp_tools.querying.trace_loader import is_chrome_json, load_planned
from tp_tools.querying.unknown_devices import unknown_devices
from tp_tools.repair import OverlapOptions, analysis
from tp_tools.repair.summary import hidden_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from tp_tools.engine.processor import Processor
    from tp_tools.merging import MergePlan
    from tp_tools.processes import Pool
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions
    from tp_tools.querying.lookup import Query
    from tp_tools.querying.unknown_devices import Devices
    from tp_tools.repair.summary import Hidden

QUERIES = (
    "verdict",
    "idle",
    "syncs",
    "kernels",
    "kernel_families",
    "roofline",
    "occupancy",
    "copies",
    "stragglers",
    "collectives_by_rank",
)
"""Queries that run on every trace."""

MESSAGE_QUERY = "pipeline"
"""Run as well where ranks send messages."""

_MESSAGES = {"send", "recv"}

_PROFILER = frozenset({"python_function", "cpu_instant_event", "Input type"})
"""Events and args of which several ranks are merged without: the header of each trace says as well
which options of the profiler were on."""


def collect(
    traces: Sequence[str], how: LoadOptions, reporter: Reporter, workers: Workers = HERE
) -> Numbers:
    """Load the traces and run the queries.

    Args:
        traces: names of files; several are the ranks of one job.
        how: options of loading, with `needs` of all categories.
        reporter: receives the stages of the work, notes and warnings.
        workers: who works on the ranks of a job.

    Raises:
        InputError: a trace is damaged, or the traces are not the ranks of one job.
        EngineError: TraceProcessor failed.
    """
    reporter = Once(reporter)
    queries = [lookup.from_file(name) for name in (*QUERIES, MESSAGE_QUERY)]
    if len(traces) == 1:
        return _of_trace(traces[0], queries, lookup.needing(how, queries), reporter)
    header = library.combine([query.header for query in queries])
    needs, args = (it and it - _PROFILER for it in (header.needs, header.args))
    header, how = replace(header, needs=needs, args=args), replace(how, needs=needs)
    pool = workers.pool or ALONE
    with nullcontext() if pool.is_elsewhere else kept_sources() as kept:
        tp, plan = job_loader.load_job(
            list(traces), header, how, reporter=reporter, kept=kept, workers=workers
        )
        with tp:
            rows = _run(tp, queries, _gpu_of(plan), reporter)
            start_ns = tp.start_ns
        with reporter.stage("looking for hidden kernels"):
            facts = list(_facts_of_ranks(plan, pool))
        if not rows["verdict"].rows:
            calls = (
                FileCall(partial(_unknown_devices, how), reads=(spool,), inputs=(summary.file,))
                for spool, summary in zip(plan.spools, plan.summaries, strict=True)
            )
            facts = [
                replace(it, unknown_devices=devices)
                for it, devices in zip(facts, pool.map_ordered(calls), strict=True)
            ]
        return Numbers(rows, facts, start_ns)


def _of_trace(trace: str, queries: list[Query], how: LoadOptions, reporter: Reporter) -> Numbers:
    with open_source(trace) as source:
        facts = TraceFacts(None, None, None)
        if is_chrome_json(source) and not how.raw:
            analyzed = analysis.analyze(source, OverlapOptions(engine=how.engine), reporter)
            stated = metadata(analyzed.trace)
            hidden = hidden_of(analyzed.trace, analyzed.hidden)
            facts = TraceFacts(stated.rank, stated.world_size, hidden, tuple(stated.options))
            tp = load_planned(source, analyzed, how, reporter)
        else:
            tp = load_trace(source, how, reporter)
        with tp:
            rows = _run(tp, queries, tp.gpu, reporter)
            if not rows["verdict"].rows:
                devices = unknown_devices(source, tp, how.engine)
                facts = replace(facts, unknown_devices=devices)
            return Numbers(rows, [facts], tp.start_ns)


def _facts_of_ranks(plan: MergePlan, pool: Pool) -> Iterable[TraceFacts]:
    """Look for the kernels that Perfetto hides in each rank, as the merge read it."""
    calls = (FileCall(_hidden_of_rank, reads=(spool,)) for spool in plan.spools)
    columns = (plan.ranks, plan.summaries, plan.alignment.ranks, pool.map_ordered(calls))
    for rank, summary, aligned, hidden in zip(*columns, strict=True):
        stated = summary.metadata
        is_aligned = aligned.how not in {BY_BASE, UNALIGNED}
        yield TraceFacts(rank.rank, stated.world_size, hidden, tuple(stated.options), is_aligned)


def _hidden_of_rank(spool: Path) -> Hidden:
    """Look for the kernels of a rank that Perfetto hides."""
    trace = load_rank(spool).trace
    return hidden_of(trace, analysis.place_slices(trace).hidden())


def _unknown_devices(how: LoadOptions, spool: Path) -> Devices:
    """Load a rank that the merge read, without GPU work, for the names of its devices."""
    rank = load_rank(spool)
    with load_planned(rank.source, rank, replace(how, needs=None)) as tp:
        return unknown_devices(rank.source, tp, how.engine)


def _gpu_of(plan: MergePlan) -> str:
    """Return the name of the GPUs of all ranks; empty where they are not known to be the same."""
    names = {summary.metadata.gpu_name for summary in plan.summaries}
    return names.pop() if len(names) == 1 else ""


def _run(tp: Processor, queries: list[Query], gpu: str, reporter: Reporter) -> dict[str, Rows]:
    """Run the queries; the one on messages only where there are any."""
    answers = dict[str, Rows]()
    with reporter.stage("asking SQL"):
        for query in queries:
            if query.title != MESSAGE_QUERY or _has_messages(answers["collectives_by_rank"]):
                answers[query.title] = query_rows(tp, query.sql_on(gpu), query.name)
    return answers


def _has_messages(by_rank: Rows) -> bool:
    kind = by_rank.columns.index("kind")
    return any(row[kind] in _MESSAGES for row in by_rank.rows)
