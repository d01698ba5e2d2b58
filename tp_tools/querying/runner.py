"""Run queries on one trace, or on each rank of a job."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tp_tools.engine import Rows
from tp_tools.errors import UsageError
from tp_tools.files import open_source
from tp_tools.files.source import disk_size
from tp_tools.files.sources import source_of
from tp_tools.merging.failed_ranks import FailedRanks
from tp_tools.merging.probe import probe
from tp_tools.merging.ranks import some
from tp_tools.merging.workers import HERE, Workers
from tp_tools.processes.worker import FileCall
from tp_tools.progress import SILENT, Once, Recorder, unreported
from tp_tools.querying import captures, lookup
from tp_tools.querying.answering import answer
from tp_tools.querying.lookup import RANK, Query
from tp_tools.querying.trace_loader import LoadOptions, load_trace
from tp_tools.querying.unknown_devices import described, unknown_devices

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tp_tools.merging import JobFiles
    from tp_tools.merging.kept_results import KeptResults
    from tp_tools.progress import Reporter


def run_query(
    query: Query,
    traces: JobFiles,
    how: LoadOptions,
    limit: int | None = None,
    reporter: Reporter = SILENT,
    *,
    all_categories: bool = False,
) -> Rows:
    """Run one query: see `run_queries`."""
    return run_queries([query], traces, how, limit, reporter, all_categories=all_categories)[0]


def run_queries(
    queries: Sequence[Query],
    traces: JobFiles,
    how: LoadOptions,
    limit: int | None = None,
    reporter: Reporter = SILENT,
    *,
    all_categories: bool = False,
    workers: Workers = HERE,
) -> list[Rows]:
    """Run queries on one trace, or on the ranks of a job; each trace is loaded once for all.

    Queries about a whole job get all ranks at once, merged onto one clock. Any other query that
    has a column `rank` itself keeps its values, since a merged trace knows its ranks; the rank of
    the trace replaces NULL.

    Args:
        queries: the queries.
        traces: one trace, or those of one job.
        how: options of loading, with `needs` of all categories.
        limit: most rows of each trace, or of the job; None for all.
        reporter: receives the stages of the work, notes and warnings.
        all_categories: whether to load all events, not only those that the queries need.
        workers: who works on the ranks of a job.

    Returns:
        The rows of each query, in the order of the queries: those of the trace; of several traces
        those of each rank, in order, with a column `rank` first.

    Raises:
        UsageError: a query is about a whole job, and `how.raw` is set.
        InputError: a trace cannot be used, or the ranks do not fit together.
        EngineError: TraceProcessor failed, or refused a query.
        TaskLost: the work on a rank failed each time it was tried.
    """
    reporter = Once(reporter)
    queries = captures.given(queries, traces.files, how, reporter)
    answers = _all_rows(
        queries, traces, how, limit, reporter, workers, all_categories=all_categories
    )
    return [answers[query] for query in queries]


def _all_rows(  # noqa: PLR0917  all are needed
    queries: Sequence[Query],
    traces: JobFiles,
    how: LoadOptions,
    limit: int | None,
    reporter: Reporter,
    workers: Workers,
    *,
    all_categories: bool,
) -> dict[Query, Rows]:
    """Run the queries about the job, then those about a rank or about the one trace.

    Raises:
        TpToolsError: as `run_queries`.
    """
    is_job = len(traces.files) > 1
    of_job = [query for query in queries if is_job and query.header.scope == "job"]
    of_rank = [query for query in queries if query not in of_job]
    answers = dict[Query, Rows]()
    if of_job:
        loading = how if all_categories else lookup.needing(how, of_job)
        # merging and alignment: not for one trace
        from tp_tools.querying import parts  # noqa: PLC0415

        rows = parts.run(of_job, traces.files, loading, reporter, workers)
        answers.update(_first_rows(rows, limit))
    if of_rank:
        loading = how if all_categories else lookup.needing(how, of_rank)
        if is_job:
            answers.update(_of_ranks(of_rank, traces, loading, limit, reporter, workers))
        else:
            _check_rank(of_rank, traces.files[0])
            told = reporter if workers.kept is None else Recorder()
            of_trace, lines = _of_rank(of_rank, traces.files[0], loading, limit, told, workers.kept)
            lines.tell(reporter)
            answers.update(zip(of_rank, of_trace, strict=True))
    return answers


def _first_rows(answers: Mapping[Query, Rows], limit: int | None) -> dict[Query, Rows]:
    """Keep this many rows of each answer; None keeps all."""
    return {query: replace(it, rows=it.rows[:limit]) for query, it in answers.items()}


def _of_ranks(  # noqa: PLR0917  all are needed
    queries: list[Query],
    traces: JobFiles,
    how: LoadOptions,
    limit: int | None,
    reporter: Reporter,
    workers: Workers,
) -> dict[Query, Rows]:
    """Run queries on one rank after the other, or on several at a time."""
    ordered, missing = traces.in_order(reporter)
    if missing:
        reporter.note(f"The job has more ranks than there are files; missing: {some(missing)}.")
    _check_ranks(queries, [rank.rank for rank in ordered])
    ordered = [rank for rank in ordered if any(query.is_about(rank.rank) for query in queries)]
    sizes = [disk_size([rank.file]) for rank in ordered]
    answers: dict[Query, dict[int | None, Rows]] = {query: {} for query in queries}
    relevant = [[query for query in queries if query.is_about(it.rank)] for it in ordered]
    calls = (
        FileCall(
            partial(_of_rank, some, it.file, how, limit, workers.reporter(reporter), workers.kept),
            inputs=(it.file,),
        )
        for some, it in zip(relevant, ordered, strict=True)
    )
    failed = FailedRanks(len(ordered), workers.skips_failed)
    with reporter.stage(f"{len(ordered)} ranks", sum(sizes)) as stage:
        columns = (workers.outcomes(calls), relevant, ordered, sizes)
        for outcome, some_queries, rank, size in zip(*columns, strict=True):
            if (answer := failed.result(outcome, f"rank {rank.rank}")) is not None:
                rows, lines = answer
                lines.tell(reporter)
                for query, of_query in zip(some_queries, rows, strict=True):
                    answers[query][rank.rank] = of_query
            stage.advance(size)
    failed.tell(reporter)
    return {query: of_ranks(by_rank) for query, by_rank in answers.items() if by_rank}


def _of_rank(  # noqa: PLR0917  all are needed
    queries: list[Query],
    trace: str,
    how: LoadOptions,
    limit: int | None,
    reporter: Reporter,
    kept: KeptResults | None,
) -> tuple[list[Rows], Recorder]:
    """Run queries on a rank, maybe on another machine; look for a kept answer first.

    Returns:
        The rows of each query, and lines that nobody has reported yet.
    """
    answer = partial(_answer, queries, trace, how, limit, reporter)
    if kept is None:
        return answer()
    needs = how.needs and sorted(how.needs)
    question = [(it.name, it.sql, it.origin, it.header.scope) for it in queries]
    loading = (how.engine, how.raw, needs, how.captures, limit)
    return kept.result(source_of(trace), ("answer", question, loading), answer)


def _answer(
    queries: list[Query], trace: str, how: LoadOptions, limit: int | None, reporter: Reporter
) -> tuple[list[Rows], Recorder]:
    """Run queries on a rank.

    Returns:
        The rows of each query, and lines that nobody has reported yet.
    """
    answers = _of_trace(queries, trace, how, reporter)
    rows = [replace(answers[query], rows=answers[query].rows[:limit]) for query in queries]
    return rows, unreported(reporter)


def _check_ranks(queries: list[Query], ranks: list[int | None]) -> None:
    """Refuse queries about ranks of which there is no trace.

    Raises:
        UsageError: a query is about none of the ranks.
    """
    for query in queries:
        if not any(map(query.is_about, ranks)):
            first, last = ("" if end is None else end for end in query.ranks)
            raise UsageError(
                f"{query.title}: no trace is of a rank in {first}..{last}; there are "
                f"{', '.join('unknown' if rank is None else str(rank) for rank in ranks)}."
            )


def _check_rank(queries: list[Query], trace: str) -> None:
    """Refuse queries about other ranks than that of the trace, if it states one.

    Raises:
        UsageError: a query is not about the rank.
    """
    if all(query.is_about(None) for query in queries):
        return
    if (rank := probe(trace, is_given=True).metadata.rank) is not None:
        _check_ranks(queries, [rank])


def _of_trace(
    queries: list[Query], trace: str, how: LoadOptions, reporter: Reporter
) -> dict[Query, Rows]:
    """Run queries on one trace."""
    with open_source(trace) as source, load_trace(source, how, reporter) as tp:
        answers = {query: _with_rank(answer(query, tp, reporter), tp.rank) for query in queries}
        if any(
            query.origin == "library" and query.header.scope == "rank" and not rows.rows
            for query, rows in answers.items()
        ):
            devices = unknown_devices(source, tp, how.engine)
            if devices:
                reporter.warn(f"{source.name}: it holds {described(devices)}")
    return answers


def _with_rank(answer: Rows, rank: int | None) -> Rows:
    """Put the rank that the header of a trace states in place of NULL."""
    if rank is None or RANK not in answer.columns:
        return answer
    index = answer.columns.index(RANK)
    return replace(answer, rows=[_ranked(row, index, rank) for row in answer.rows])


def _ranked(row: tuple[Any, ...], index: int, rank: int | None) -> tuple[Any, ...]:
    return row if row[index] is not None else (*row[:index], rank, *row[index + 1 :])


def of_ranks(answers: Mapping[int | None, Rows]) -> Rows:
    """Join the rows of all ranks, with the rank of each; None is a trace of unknown rank."""
    columns = next(iter(answers.values())).columns
    if RANK not in columns:
        return Rows(
            (RANK, *columns),
            [(rank, *row) for rank, answer in answers.items() for row in answer.rows],
        )
    index = columns.index(RANK)
    return Rows(
        columns,
        [_ranked(row, index, rank) for rank, answer in answers.items() for row in answer.rows],
    )
