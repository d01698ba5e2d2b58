"""Collect the data of a report: read each trace once, load it and all ranks together, ask."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tp_tools import library
from tp_tools.files.sources import kept_sources
from tp_tools.merging.workers import HERE, Workers
from tp_tools.progress import Once
from tp_tools.querying import LoadOptions, captures, lookup, runner
from tp_tools.reporting import questions
from tp_tools.reporting.data import Member, ReportData
from tp_tools.reporting.job_ranks import collect_job, rank_workers
from tp_tools.reporting.one_trace import collect_one

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.alignment.alignment import Mode
    from tp_tools.engine import Rows
    from tp_tools.files.sources import KeptSources
    from tp_tools.progress import Reporter
    from tp_tools.querying.lookup import Query


def collect(
    traces: list[str],
    engine: str | None,
    align: Mode,
    reporter: Reporter,
    captured: tuple[str, ...] = (),
    *,
    kept: KeptSources | None = None,
    workers: Workers = HERE,
    jobs: int | None = None,
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
        jobs: processes that work on a large trace, or on the ranks of a job; None for one per core,
            up to four. The data are the same.

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
        questions.named(questions.RANK_QUERIES),
        traces,
        replace(loading, captures=captured),
        reporter,
    )
    with nullcontext(kept) if kept else kept_sources() as sources:
        if len(traces) == 1:
            found = _collect_one(traces[0], of_rank, loading, reporter, kept=sources, jobs=jobs)
        else:
            with rank_workers(workers, jobs, traces, engine) as opened:
                found = _report_data(
                    *collect_job(
                        traces, of_rank, loading, align, reporter, kept=sources, workers=opened
                    )
                )
    return replace(found, captured=_captured(of_rank, captured))


def _captured(queries: list[Query], named: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the captures that were named, if a query has captured launches; None if none has."""
    without = {lookup.from_file(it.title).sql for it in queries}
    return named if any(it.sql not in without for it in queries) else None


def _collect_one(
    trace: str,
    of_rank: list[Query],
    options: LoadOptions,
    reporter: Reporter,
    *,
    kept: KeptSources,
    jobs: int | None,
) -> ReportData:
    queries = [*of_rank, *questions.named(questions.JOB_QUERIES)]
    info, answers = collect_one(trace, queries, options, reporter, kept=kept, jobs=jobs)
    rank = info.metadata.rank if info.metadata is not None else None
    rank = info.file_labels.get("RANK") if rank is None else rank
    title = "this trace" if rank is None else f"rank {rank}"
    member = Member(rank, title, Path(info.file).name, info, answers.devices)
    results = {
        name: runner.of_ranks({rank: rows}) if lookup.RANK in rows.columns else rows
        for name, rows in answers.rows.items()
    }
    return _report_data([member], results, None)


def _report_data(
    members: list[Member], rows: Mapping[str, Rows], merge: Mapping[str, Any] | None
) -> ReportData:
    known = [member.info.metadata for member in members if member.info.metadata is not None]
    gpus = {metadata.gpu_name for metadata in known}
    gpu = gpus.pop() if len(gpus) == 1 else ""
    queries = questions.named(rows, len(members))
    scripts = {it.title: library.expand(it.sql_on(gpu)) for it in queries}
    return ReportData(members, rows, scripts, merge)
