"""Collect the data of a report: load each trace once, and all ranks together once, run queries."""

from __future__ import annotations

from dataclasses import dataclass, replace
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tp_tools import library
from tp_tools.alignment.alignment import BY_BASE, UNALIGNED
from tp_tools.engine import Rows, query_rows
from tp_tools.files import open_source
from tp_tools.files.kept import KeptSource
from tp_tools.inspection import trace_info
from tp_tools.merging.summary import summary
from tp_tools.progress import SILENT, Once
from tp_tools.querying import LoadOptions, captures, job_loader, load_trace, lookup, runner
from tp_tools.querying.trace_loader import is_chrome_json, load_analyzed
from tp_tools.querying.viewer_ids import as_in_viewer
from tp_tools.repair import OverlapOptions, analysis
from tp_tools.reporting.windows import windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tp_tools.alignment.alignment import Mode
    from tp_tools.engine.processor import Processor
    from tp_tools.inspection import TraceInfo
    from tp_tools.library import Header, Values
    from tp_tools.progress import Reporter
    from tp_tools.querying.lookup import Query

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

KIND_QUERIES = {
    "all_reduce": "allreduce",
    "all_gather": "all_gather",
    "gather": "all_gather",
    "reduce_scatter": "reduce_scatter",
    "scatter": "reduce_scatter",
    "all_to_all": "all_to_all",
    "broadcast": "broadcast",
    "reduce": "broadcast",
    "send": "send_recv",
    "recv": "send_recv",
    "send_recv": "send_recv",
    "dispatch": "dispatch_combine",
    "combine": "dispatch_combine",
}
"""The query with a row per collective, by kind of collective; run if the job has that kind."""


@dataclass(frozen=True)
class Member:
    """A trace of the job.

    Attributes:
        rank: its number in the job; None if unknown.
        title: name for people: "rank 3 (TP3)".
        file: name of the file, without folders.
        info: its description, as `tp-tools info` prints it.
    """

    rank: int | None
    title: str
    file: str
    info: TraceInfo


@dataclass(frozen=True)
class ReportData:
    """The data of a report.

    Attributes:
        members: the traces, in the order of ranks.
        results: the rows of each query, by its name in the library. Their columns are described
            in the query's file; a NULL in the column `rank` is replaced by the trace's rank.
        sql: the text of each of these queries, by name.
        merge: the object that `tp-tools merge --summary json` prints; None for one trace.
    """

    members: list[Member]
    results: Mapping[str, Rows]
    sql: Mapping[str, str]
    merge: Mapping[str, Any] | None

    def rows(self, query: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        """Select columns of the result of a query.

        Args:
            query: name of the query.
            columns: names of two columns at least.

        Returns:
            A tuple per row with the values of these columns; NULL is None.
        """
        result = self.results[query]
        return map(itemgetter(*map(result.columns.index, columns)), result.rows)

    def count_unaligned(self) -> int:
        """Count the ranks whose clock was not aligned by collectives or by their host."""
        ranks = self.merge["ranks"] if self.merge is not None else []
        return sum(rank["aligned_by"] in (BY_BASE, UNALIGNED) for rank in ranks)

    def lacks_ranks(self) -> bool:
        """Tell whether ranks of the job are known to have no trace here."""
        if self.merge is not None:
            return bool(self.merge["missing_ranks"])
        info = self.members[0].info
        if info is None or info.metadata is None or not info.metadata.world_size:
            return False
        return info.metadata.world_size > max(1, len(info.inventory.merged))

    def collective_queries(self) -> list[str]:
        """Return the names of the queries that were run on kinds of collectives."""
        return [name for name in dict.fromkeys(KIND_QUERIES.values()) if name in self.results]


def collect(
    traces: list[str],
    engine: str | None,
    align: Mode,
    reporter: Reporter,
    captured: tuple[str, ...] = (),
) -> ReportData:
    """Load the traces and run the queries.

    Args:
        traces: names of files; several are the ranks of one job.
        engine: name of the TraceProcessor, as `engine.load` takes it; None for the default.
        align: how to align the clocks of several ranks.
        reporter: receives the stages of the work, and warnings of lost data.
        captured: traces of captured CUDA graphs, or folders of these, by which `modules` takes
            replays apart; by default a folder `capture_traces` beside the traces.

    Returns:
        The data, with its traces in the order of ranks.

    Raises:
        InputError: a trace is damaged, or the traces are not the ranks of one job.
        EngineError: TraceProcessor failed.
    """
    reporter = Once(reporter)
    loading = LoadOptions(engine)
    of_rank = captures.given(
        [lookup.from_file(name) for name in RANK_QUERIES],
        traces,
        replace(loading, captures=captured),
        reporter,
    )
    if len(traces) == 1:
        return _collect_one(traces[0], of_rank, loading, reporter)
    names = [*JOB_QUERIES, *dict.fromkeys(KIND_QUERIES.values())]
    load_options = _needing(loading, [lookup.from_file(name) for name in names])
    header = library.combine([lookup.from_file(name).header for name in names])
    header, load_options = _without_profiler(header, load_options)
    tp, plan = job_loader.load_job(traces, header, load_options, align, reporter)
    with tp, reporter.stage("asking about the job"):
        job_rows = _run_job_queries(tp, len(traces))
    members, rows_by_rank = list[Member](), dict[int | None, dict[str, Rows]]()
    sizes = [Path(rank.file).stat().st_size for rank in plan.ranks]
    with reporter.stage(f"{len(sizes)} ranks", sum(sizes)) as stage:
        for rank, size in zip(plan.ranks, sizes, strict=True):
            info, tp = _load(rank.file, loading, reporter)
            with tp, reporter.stage(f"asking {rank.title}"):
                rows_by_rank[rank.rank] = _run(tp, of_rank)
            members.append(Member(rank.rank, rank.title, Path(rank.file).name, info))
            stage.advance(size)
    rank_rows = {
        name: runner.of_ranks({rank: rows[name] for rank, rows in rows_by_rank.items()})
        for name in RANK_QUERIES
    }
    return _report_data(members, {**rank_rows, **job_rows}, summary(plan))


def _collect_one(
    trace: str, of_rank: list[Query], options: LoadOptions, reporter: Reporter
) -> ReportData:
    info, tp = _load(trace, options, reporter)
    rank = info.metadata.rank if info.metadata is not None else None
    rank = info.file_labels.get("RANK") if rank is None else rank
    with tp, reporter.stage("asking SQL"):
        rows = {**_run(tp, of_rank), **_run_job_queries(tp, 1)}
    title = "this trace" if rank is None else f"rank {rank}"
    member = Member(rank, title, Path(info.file).name, info)
    results = {
        name: runner.of_ranks({rank: answer}) if lookup.RANK in answer.columns else answer
        for name, answer in rows.items()
    }
    return _report_data([member], results, None)


def _load(trace: str, options: LoadOptions, reporter: Reporter) -> tuple[TraceInfo, Processor]:
    """Describe a trace and load it; the caller closes the TraceProcessor. It is read once."""
    options = _needing(options, [lookup.from_file(name) for name in (*RANK_QUERIES, *JOB_QUERIES)])
    with open_source(trace) as opened:
        source = KeptSource.of(opened)
        if not is_chrome_json(source):
            tp = load_trace(source, options, reporter)
            return trace_info.of_loaded(source, tp, reporter), tp
        analyzed = analysis.analyze(source, OverlapOptions(engine=options.engine), reporter)
        info = trace_info.of_read(source, analyzed.trace, reporter)
        return info, load_analyzed(source, analyzed, options, reporter)


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
