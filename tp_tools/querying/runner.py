"""Run a query on one trace, or on each rank of a job."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from tp_tools import library
from tp_tools.engine import Rows, query_rows, run_file
from tp_tools.files import open_source
from tp_tools.merging.ranks import some
from tp_tools.progress import SILENT
from tp_tools.querying import job_loader
from tp_tools.querying.trace_loader import load_trace

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tp_tools.engine.processor import Processor
    from tp_tools.library import Header
    from tp_tools.merging import JobFiles
    from tp_tools.progress import Reporter
    from tp_tools.querying.trace_loader import LoadOptions

Origin = Literal["library", "file", "text"]

RANK = "rank"

UNKNOWN_DEVICES = library.check("unknown_devices")


@dataclass(frozen=True)
class Query:
    """SQL to run.

    Attributes:
        name: name of its file, for errors; None if it is from none.
        sql: its text.
        header: its header: scope, categories and args that it needs.
        origin: the library, a file of the user, or text of the user.
    """

    name: str | None
    sql: str
    header: Header
    origin: Origin


def from_file(name_or_path: str) -> Query:
    """Read the query of this name in the library, or the file at this path.

    Raises:
        UsageError: there is neither.
        InputError: the file cannot be read, or its header is wrong.
    """
    path = library.find(name_or_path)
    sql = library.read(path)
    origin: Origin = "library" if path in library.queries().values() else "file"
    return Query(path.name, sql, library.parse(sql, path.name), origin)


def from_text(sql: str) -> Query:
    """Make a query of SQL that the user typed.

    Raises:
        InputError: it begins with a wrong header.
    """
    return Query(None, sql, library.parse(sql, "the query"), "text")


def run_query(
    query: Query,
    traces: JobFiles,
    how: LoadOptions,
    limit: int | None = None,
    reporter: Reporter = SILENT,
) -> Rows:
    """Run a query on one trace, or on the ranks of a job.

    A query about a whole job gets all ranks at once, merged onto one clock. Any other query that
    has a column `rank` itself keeps its values, since a merged trace knows its ranks; the rank of
    the trace replaces NULL.

    Args:
        query: the query.
        traces: one trace, or those of one job.
        how: options of loading.
        limit: most rows of each trace, or of the job; None for all.
        reporter: receives the stages of the work, notes and warnings.

    Returns:
        The rows of the trace; of several traces those of each rank, in order, with a column `rank`
        first.

    Raises:
        UsageError: the query is about a whole job, and `how.raw` is set.
        InputError: a trace cannot be used, or the ranks do not fit together.
        EngineError: TraceProcessor failed, or refused the query.
    """

    def answer(trace: str) -> Rows:
        rows = _answer(query, trace, how, reporter)
        return Rows(rows.columns, rows.rows[:limit])

    if len(traces.files) == 1:
        return answer(traces.files[0])
    if query.header.scope == "job":
        return _of_job(query, traces.files, how, limit, reporter)
    ordered, missing = traces.in_order(reporter)
    if missing:
        reporter.say(f"The job has more ranks than there are files; missing: {some(missing)}.")
    ranks = [(rank.rank, rank.file) for rank in ordered]
    sizes = {trace: Path(trace).stat().st_size for _, trace in ranks}
    answers = dict[int | None, Rows]()
    with reporter.stage(f"{len(ranks)} ranks", sum(sizes.values())) as stage:
        for rank, trace in ranks:
            answers[rank] = answer(trace)
            stage.advance(sizes[trace])
    return of_ranks(answers)


def _of_job(
    query: Query, traces: list[str], how: LoadOptions, limit: int | None, reporter: Reporter
) -> Rows:
    """Run a query on all ranks in one TraceProcessor."""
    with job_loader.opened(traces, query.header, how, reporter) as tp:
        rows = _rows(query, tp, reporter)
    return Rows(rows.columns, rows.rows[:limit])


def _answer(query: Query, trace: str, how: LoadOptions, reporter: Reporter) -> Rows:
    """Run a query on one trace."""
    with open_source(trace) as source, load_trace(source, how, reporter) as tp:
        rows = _rows(query, tp, reporter)
        if not rows.rows and query.origin == "library" and query.header.scope == "rank":
            _name_unknown_devices(tp, source.name, reporter)
        return rows


def _name_unknown_devices(tp: Processor, name: str, reporter: Reporter) -> None:
    """Warn where a trace has work only of a device that the library does not know."""
    found = run_file(tp, UNKNOWN_DEVICES).rows
    if found:
        counts = ", ".join(f"{events:,} x {device}" for device, events in found)
        reporter.warn(
            f"{name}: it holds no GPU work, but events of a device that the library does not "
            f"know: {counts}. `tp-tools query contents` counts all events."
        )


def _rows(query: Query, tp: Processor, reporter: Reporter) -> Rows:
    """Run a query on a loaded trace."""
    with reporter.stage(f"asking {query.name or 'SQL'}"):
        return query_rows(tp, query.sql, query.name)


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
        [
            row if row[index] is not None else (*row[:index], rank, *row[index + 1 :])
            for rank, answer in answers.items()
            for row in answer.rows
        ],
    )
