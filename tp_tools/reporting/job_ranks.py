"""Collect the answers about a job: read and merge its ranks, ask about the job and about each rank.

Each rank is read and repaired for the merge, which keeps what was read; the ranks are then loaded
from that. Workers load the job and the ranks side by side, as far as memory allows.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tp_tools import library
from tp_tools.engine import Rows
from tp_tools.files import temporary
from tp_tools.files.source import disk_size
from tp_tools.inspection import trace_info
from tp_tools.merging.failed_ranks import FailedRanks
from tp_tools.merging.read_rank import load_rank
from tp_tools.merging.summary import summary
from tp_tools.processes.local import default_jobs
from tp_tools.processes.worker import FileCall
from tp_tools.progress import Recorder, unreported
from tp_tools.querying import job_loader, runner
from tp_tools.reporting import questions
from tp_tools.reporting.answers import Answers, Part, ask_planned, engines_at_a_time
from tp_tools.reporting.data import KIND_QUERIES, Member

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tp_tools.alignment.alignment import Mode
    from tp_tools.files.sources import KeptSources
    from tp_tools.inspection import TraceInfo
    from tp_tools.library import Header
    from tp_tools.merging import MergePlan
    from tp_tools.merging.workers import Workers
    from tp_tools.progress import Reporter
    from tp_tools.querying import LoadOptions
    from tp_tools.querying.job_loader import Job, JobText
    from tp_tools.querying.lookup import Query

_PROFILER = frozenset({"python_function", "cpu_instant_event", "Input type"})
"""Events and args of which `verdict` only says that they were recorded; no page shows that, so that
the ranks are merged without them."""


def collect_job(
    traces: list[str],
    of_rank: list[Query],
    options: LoadOptions,
    align: Mode,
    reporter: Reporter,
    *,
    kept: KeptSources,
    workers: Workers,
) -> tuple[list[Member], dict[str, Rows], Mapping[str, Any]]:
    """Read the ranks of a job, and ask about it and about each.

    Args:
        traces: names of their files.
        of_rank: what to ask about each rank.
        options: the engine.
        align: how to align their clocks.
        reporter: receives the stages of the work, and warnings of lost data.
        kept: gives the files, unless workers are elsewhere.
        workers: who works on the ranks; a local pool is asked about the job as well.

    Returns:
        The ranks in order, the rows of each query by name, and the summary of the merge.

    Raises:
        InputError: a trace is damaged, or the traces are not the ranks of one job.
        EngineError: TraceProcessor failed.
        TaskLost: the work on a rank failed each time it was tried.
    """
    header = _header()
    loading = replace(options, needs=header.needs)
    is_elsewhere = workers.pool is not None and workers.pool.is_elsewhere
    with (
        temporary.folder() as folder,
        job_loader.written(
            traces,
            header,
            loading,
            folder / "job.json",
            align=align,
            reporter=reporter,
            kept=None if is_elsewhere else kept,
            workers=workers,
        ) as job,
    ):
        workers = workers if is_elsewhere else _fitting(workers, job, options)
        ranks = _calls(job.plan, of_rank, options, workers.reporter(reporter))
        ask_job = partial(_ask_job, len(traces), job.text(), loading)
        if workers.pool is None or is_elsewhere:
            job_rows, _ = ask_job(reporter)
            outcomes: Iterator[Any] = workers.outcomes(ranks)
        else:
            outcomes = workers.outcomes(chain([partial(ask_job, Recorder())], ranks))
            with reporter.stage("asking about the job"):
                job_rows, lines = next(outcomes)()
            lines.tell(reporter)
        members, rank_rows = _of_ranks(outcomes, job.plan, reporter)
        return members, {**rank_rows, **job_rows}, summary(job.plan)


@contextmanager
def rank_workers(
    workers: Workers, jobs: int | None, traces: Sequence[str], engine: str | None
) -> Iterator[Workers]:
    """Open workers of this machine for ranks, unless others are open or one process is to do all.

    Args:
        workers: who works on them so far.
        jobs: ranks worked on at a time; None for one per core, up to four.
        traces: the files of the ranks.
        engine: the TraceProcessor that workers will use.
    """
    jobs = jobs or min(job_loader.MOST_JOBS, default_jobs(disk_size(traces)))
    if workers.pool is not None or jobs == 1:
        yield workers
        return
    with workers.rank_pool(min(jobs, len(traces)), engine) as pool:
        yield replace(workers, pool=pool)


def _header() -> Header:
    """Say which events and args the queries on a job need."""
    queries = questions.named([*questions.JOB_QUERIES, *dict.fromkeys(KIND_QUERIES.values())])
    header = library.combine([query.header for query in queries])
    needs, args = (it and it - _PROFILER for it in (header.needs, header.args))
    return replace(header, needs=needs, args=args)


def _fitting(workers: Workers, job: Job, options: LoadOptions) -> Workers:
    """Leave out workers for whose TraceProcessors there is no memory, each with the job or a rank.

    This process works alone where there is none for two.
    """
    if workers.pool is None:
        return workers
    largest = max(job.size(), *(it.text_bytes for it in job.plan.summaries))
    most = engines_at_a_time(largest, options)
    fitting = replace(workers.pool, workers=workers.pool.workers[:most])
    return replace(workers, pool=fitting if most > 1 else None)


def _ask_job(
    count: int, text: JobText, loading: LoadOptions, reporter: Reporter
) -> tuple[dict[str, Rows], Recorder]:
    """Ask about the job of so many ranks; return the rows, and what nobody has reported yet."""
    with text.load(loading, reporter) as tp, reporter.stage("asking about the job"):
        rows = questions.ask(tp, questions.named(questions.JOB_QUERIES, count))
        return rows, unreported(reporter)


def _calls(
    plan: MergePlan, queries: list[Query], options: LoadOptions, reporter: Reporter
) -> Iterator[FileCall[tuple[TraceInfo, Answers]]]:
    """Yield the calls that ask about each rank."""
    loading = questions.needing(options, queries)
    for rank, spool in zip(plan.ranks, plan.spools, strict=True):
        part = Part(queries, loading, f"asking {rank.title}")
        yield FileCall(partial(_ask_rank, part, reporter), reads=(spool,), inputs=(rank.file,))


def _ask_rank(part: Part, reporter: Reporter, spool: Path) -> tuple[TraceInfo, Answers]:
    """Describe a rank that was read, and ask about it, maybe on another machine."""
    rank = load_rank(spool)
    info = trace_info.of_read(rank.source, rank.trace, reporter)
    return info, ask_planned(rank.source, rank, part, reporter)


def _of_ranks(
    outcomes: Iterator[Any], plan: MergePlan, reporter: Reporter
) -> tuple[list[Member], dict[str, Rows]]:
    """Take the answers about the ranks; return the ranks, and the rows of all by query."""
    members, by_rank = list[Member](), dict[int | None, dict[str, Rows]]()
    sizes = [rank.file_bytes for rank in plan.summaries]
    failed = FailedRanks(len(sizes), skips=False)
    with reporter.stage(f"{len(sizes)} ranks", sum(sizes)) as stage:
        for rank, size in zip(plan.ranks, sizes, strict=True):
            answered = failed.result(next(outcomes), rank.title)
            if answered is not None:
                info, answers = answered
                answers.lines.tell(reporter)
                by_rank[rank.rank] = answers.rows
                name = Path(rank.file).name
                members.append(Member(rank.rank, rank.title, name, info, answers.devices))
            stage.advance(size)
    return members, {
        name: runner.of_ranks({rank: rows[name] for rank, rows in by_rank.items()})
        for name in questions.RANK_QUERIES
    }
