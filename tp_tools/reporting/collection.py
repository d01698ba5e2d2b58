"""Collect the data of a report: read each trace once, load it and all ranks together, run queries.

Of a job each rank is read and repaired for the merge, which keeps what was read; the ranks are then
loaded one by one from that.
"""

from __future__ import annotations

from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tp_tools import library
from tp_tools.engine import Rows, query_rows
from tp_tools.files import open_source
from tp_tools.files.kept import MOST_TEXT
from tp_tools.files.sources import kept_sources
from tp_tools.inspection import trace_info
from tp_tools.merging.failed_ranks import FailedRanks
from tp_tools.merging.read_rank import load_rank
from tp_tools.merging.summary import summary
from tp_tools.merging.workers import HERE, Workers
from tp_tools.processes.worker import FileCall
from tp_tools.progress import SILENT, Once, Recorder, unreported
from tp_tools.querying import LoadOptions, captures, job_loader, load_trace, lookup, runner
from tp_tools.querying.trace_loader import is_chrome_json, load_planned
from tp_tools.querying.unknown_devices import unknown_devices
from tp_tools.querying.viewer_ids import as_in_viewer
from tp_tools.repair import OverlapOptions, analysis
from tp_tools.reporting.data import KIND_QUERIES, Member, ReportData
from tp_tools.reporting.windows import windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tp_tools.alignment.alignment import Mode
    from tp_tools.engine.processor import Processor
    from tp_tools.files import Source
    from tp_tools.files.sources import KeptSources
    from tp_tools.inspection import TraceInfo
    from tp_tools.library import Header, Values
    from tp_tools.merging import MergePlan
    from tp_tools.progress import Reporter
    from tp_tools.querying.lookup import Query
    from tp_tools.querying.unknown_devices import Devices

RANK_QUERIES = (
    "gpu_time",
    "comm_overlap",
    "streams",
    "kernels",
    "kernel_families",
    "roofline",
    "occupancy",
    "copies",
    "gaps",
    "idle",
    "steps",
    "phases",
    "syncs",
    "dataloader",
    "memory",
    "memory_timeline",
    "modules",
    "module_ops",
    "python_lines",
)
"""Queries that run on each trace."""

JOB_QUERIES = ("collectives_by_rank", "stragglers", "verdict", "critical_path", "gpu_timeline")
"""Queries that run on all ranks together."""

MESSAGE_QUERY = "pipeline"
"""Run as well where the job has messages from rank to rank."""

_MESSAGES = ("send", "recv", "send_recv")

_PROFILER = frozenset({"python_function", "cpu_instant_event", "Input type"})
"""Events and args of which `verdict` only says that they were recorded; no page shows that, so that
the ranks are merged without them."""


def collect(
    traces: list[str],
    engine: str | None,
    align: Mode,
    reporter: Reporter,
    captured: tuple[str, ...] = (),
    *,
    kept: KeptSources | None = None,
    workers: Workers = HERE,
) -> ReportData:
    """Load the traces and run the queries.

    Args:
        traces: names of files; several are the ranks of one job.
        engine: name of the TraceProcessor, as `engine.load` takes it; None for the default.
        align: how to align the clocks of several ranks.
        reporter: receives the stages of the work, and warnings of lost data.
        captured: traces of captured CUDA graphs, or folders of these, by which `modules`
            and `module_ops` take replays apart; by default a folder `capture_traces` beside the
            traces.
        kept: gives the files, of which it may know the text already; None for new ones.
        workers: who works on the ranks of a job.

    Returns:
        The data, with its traces in the order of ranks.

    Raises:
        InputError: a trace is damaged, or the traces are not the ranks of one job.
        EngineError: TraceProcessor failed.
        TaskLost: the work on a rank failed each time it was tried.
    """
    reporter = Once(reporter)
    loading = LoadOptions(engine)
    of_rank = captures.given(
        [lookup.from_file(name) for name in RANK_QUERIES],
        traces,
        replace(loading, captures=captured),
        reporter,
    )
    with nullcontext(kept) if kept else kept_sources() as sources:
        if len(traces) == 1:
            found = _collect_one(traces[0], of_rank, loading, reporter, sources)
            return replace(found, captured=_captured(of_rank, captured))
        at_hand = sources if workers.pool is None else None
        job_rows, plan = _ask_job(traces, loading, align, reporter, at_hand, workers)
        members, rows_by_rank = list[Member](), dict[int | None, dict[str, Rows]]()
        sizes = [rank.file_bytes for rank in plan.summaries]
        with reporter.stage(f"{len(sizes)} ranks", sum(sizes)) as stage:
            calls = (
                FileCall(
                    partial(_ask_rank, of_rank, loading, rank.title, workers.reporter(reporter)),
                    reads=(spool,),
                    inputs=(rank.file,),
                )
                for rank, spool in zip(plan.ranks, plan.spools, strict=True)
            )
            failed = FailedRanks(len(sizes), skips=False)
            for outcome, rank, size in zip(workers.outcomes(calls), plan.ranks, sizes, strict=True):
                if (answer := failed.result(outcome, rank.title)) is not None:
                    info, rows_by_rank[rank.rank], devices, lines = answer
                    lines.tell(reporter)
                    name = Path(rank.file).name
                    members.append(Member(rank.rank, rank.title, name, info, devices))
                stage.advance(size)
    rank_rows = {
        name: runner.of_ranks({rank: rows[name] for rank, rows in rows_by_rank.items()})
        for name in RANK_QUERIES
    }
    found = _report_data(members, {**rank_rows, **job_rows}, summary(plan))
    return replace(found, captured=_captured(of_rank, captured))


def _captured(queries: list[Query], named: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the captures that were named, if a query has captured launches; None if none has."""
    without = {lookup.from_file(it.title).sql for it in queries}
    return named if any(it.sql not in without for it in queries) else None


def _ask_job(  # noqa: PLR0917  all are needed
    traces: list[str],
    options: LoadOptions,
    align: Mode,
    reporter: Reporter,
    kept: KeptSources | None,
    workers: Workers,
) -> tuple[dict[str, Rows], MergePlan]:
    """Read and merge the ranks, and run the queries about the job; `kept` holds what was read."""
    names = [*JOB_QUERIES, *dict.fromkeys(KIND_QUERIES.values())]
    options = _needing(options, [lookup.from_file(name) for name in names])
    header = library.combine([lookup.from_file(name).header for name in names])
    header, options = _without_profiler(header, options)
    tp, plan = job_loader.load_job(
        traces, header, options, align, reporter, kept=kept, workers=workers
    )
    with tp, reporter.stage("asking about the job"):
        return _run_job_queries(tp, len(traces)), plan


def _collect_one(
    trace: str, of_rank: list[Query], options: LoadOptions, reporter: Reporter, kept: KeptSources
) -> ReportData:
    info, source, tp = _load(trace, options, reporter, kept)
    rank = info.metadata.rank if info.metadata is not None else None
    rank = info.file_labels.get("RANK") if rank is None else rank
    with tp, reporter.stage("asking SQL"):
        rows = {**_run(tp, of_rank), **_run_job_queries(tp, 1)}
        devices = unknown_devices(source, tp, options.engine)
    title = "this trace" if rank is None else f"rank {rank}"
    member = Member(rank, title, Path(info.file).name, info, devices)
    results = {
        name: runner.of_ranks({rank: answer}) if lookup.RANK in answer.columns else answer
        for name, answer in rows.items()
    }
    return _report_data([member], results, None)


def _load(
    trace: str, options: LoadOptions, reporter: Reporter, kept: KeptSources
) -> tuple[TraceInfo, Source, Processor]:
    """Describe a trace and load it; the caller closes the TraceProcessor. It is read once."""
    options = _needing_all(options)
    with open_source(trace) as opened:
        source = kept.keep(opened, MOST_TEXT)
        if not is_chrome_json(source):
            tp = load_trace(source, options, reporter)
            return trace_info.of_loaded(source, tp, reporter), source, tp
        planned = analysis.plan_trace(source, OverlapOptions(engine=options.engine), reporter)
        info = trace_info.of_read(source, planned.trace, reporter)
        return info, source, load_planned(source, planned, options, reporter)


def _ask_rank(
    queries: list[Query], options: LoadOptions, title: str, reporter: Reporter, spool: Path
) -> tuple[TraceInfo, dict[str, Rows], Devices, Recorder]:
    """Describe a rank that was read, and run the queries on it, maybe on another machine.

    Returns:
        Its description, its rows by query, devices that are unknown, and lines that nobody has
        reported yet.
    """
    rank = load_rank(spool)
    info = trace_info.of_read(rank.source, rank.trace, reporter)
    tp = load_planned(rank.source, rank, _needing_all(options), reporter)
    with tp, reporter.stage(f"asking {title}"):
        rows = _run(tp, queries)
        return info, rows, unknown_devices(rank.source, tp, options.engine), unreported(reporter)


def _needing_all(options: LoadOptions) -> LoadOptions:
    """Add the categories that the queries on each trace need, and those on a job of one."""
    return _needing(options, [lookup.from_file(name) for name in (*RANK_QUERIES, *JOB_QUERIES)])


def _needing(options: LoadOptions, queries: list[Query]) -> LoadOptions:
    """Add the categories that the queries need."""
    return replace(options, needs=library.combine([query.header for query in queries]).needs)


def _without_profiler(header: Header, options: LoadOptions) -> tuple[Header, LoadOptions]:
    """Leave out what only tells which options of the profiler were on."""
    needs, args = (it and it - _PROFILER for it in (header.needs, header.args))
    options = replace(options, needs=options.needs and options.needs - _PROFILER)
    return replace(header, needs=needs, args=args), options


def _run_job_queries(tp: Processor, traces: int) -> dict[str, Rows]:
    """Run the queries on the job, those on a kind of collective only if the job has that kind."""
    rows = _run(tp, _named(JOB_QUERIES, _values(traces)))
    by_rank = rows["collectives_by_rank"]
    kind = by_rank.columns.index("kind")
    kinds = {row[kind] for row in by_rank.rows}
    queries = {KIND_QUERIES[kind] for kind in kinds if kind in KIND_QUERIES}
    queries |= {MESSAGE_QUERY} if kinds.intersection(_MESSAGES) else set()
    return {**rows, **_run(tp, _named(sorted(queries), {}))}


def _values(traces: int) -> Mapping[str, Values]:
    """Return the values of parameters of a query, by its name."""
    return {"gpu_timeline": {"windows": windows(traces)}}


def _named(names: Iterable[str], values: Mapping[str, Values]) -> Iterator[Query]:
    """Yield queries of the library, each with its values."""
    for name in names:
        yield lookup.from_file(name, values.get(name, library.NO_VALUES))


def _run(tp: Processor, queries: Iterable[Query]) -> dict[str, Rows]:
    """Run queries; ids in the rows are those of the viewer."""
    answers = {}
    for query in queries:
        rows = query_rows(tp, query.sql_on(tp.gpu), query.title)
        answers[query.title] = as_in_viewer(rows, tp, SILENT)
    return answers


def _report_data(
    members: list[Member], rows: Mapping[str, Rows], merge: Mapping[str, Any] | None
) -> ReportData:
    known = [member.info.metadata for member in members if member.info.metadata is not None]
    gpus = {metadata.gpu_name for metadata in known}
    gpu = gpus.pop() if len(gpus) == 1 else ""
    values = _values(len(members))
    scripts = {
        name: library.expand(
            lookup.from_file(name, values.get(name, library.NO_VALUES)).sql_on(gpu)
        )
        for name in rows
    }
    return ReportData(members, rows, scripts, merge)
