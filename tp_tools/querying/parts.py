"""Ask about a job that one TraceProcessor cannot hold: in parts, one after the other.

Parts are its ranks, or windows of time. Queries name the modules through which they read the trace
(`Parts` in their headers); of some modules ranks give the same rows as all of the job does, of some
windows do. The rows of these tables, of all parts, are loaded into one more engine, which answers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from tp_tools import formatting, library
from tp_tools.engine.loader import text_limit
from tp_tools.errors import EngineOutOfMemory, InputError
from tp_tools.files import temporary
from tp_tools.merging.workers import HERE
from tp_tools.querying import job_loader, windows
from tp_tools.querying.answering import answer
from tp_tools.querying.part_rows import PartRows

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.engine import Rows
    from tp_tools.merging.workers import Workers
    from tp_tools.progress import Reporter
    from tp_tools.querying.job_loader import Job
    from tp_tools.querying.lookup import Query
    from tp_tools.querying.trace_loader import LoadOptions

_Way = Literal["ranks", "windows"]

_ORDER: tuple[_Way | None, ...] = ("ranks", "windows", None)
"""The ways in the order in which they are gone: windows are written in place of the ranks."""

OF_RANKS = frozenset(
    {
        "tpt.collective.context",
        "tpt.collective.part",
        "tpt.gpu_exposed",
        "tpt.gpu_running",
        "tpt.message_end",
        "tpt.path_link",
        "tpt.path_work",
        "tpt.process_rank",
        "tpt.profiler",
        "tpt.rank_host",
        "tpt.step",
        "tpt.step_window",
        "tpt.sync",
        "tpt.window_time",
    }
)
"""Modules whose rows about a rank depend on that rank alone, named as `tp-tools merge` does."""

_FEWER = "Ask about fewer ranks, or about a part: tp-tools merge --ranks, --start and --end."


def run(  # noqa: PLR0917  all are needed
    queries: list[Query],
    traces: list[str],
    how: LoadOptions,
    reporter: Reporter,
    workers: Workers = HERE,
    most: int | None = None,
) -> dict[Query, Rows]:
    """Run queries on all ranks of a job: at once, or in parts where that is too much.

    Args:
        queries: the queries.
        traces: the files of the ranks.
        how: options of loading.
        reporter: receives the stages of the work, notes and warnings.
        workers: who works on the ranks.
        most: bytes of text that one TraceProcessor holds; None for half of the memory that it may
            take, by the most that a byte of text was seen to take.

    Returns:
        The rows of each query: the same, in parts or not.

    Raises:
        UsageError, InputError, EngineError: as `job_loader.load_job`.
        EngineOutOfMemory: it does not fit, and parts may give other rows, or do not fit.
    """
    header = library.combine([query.header for query in queries])
    limit = text_limit(how.engine, how.memory) if most is None else most
    with (
        temporary.folder() as folder,
        job_loader.written(
            traces, header, how, folder / "job.json", reporter=reporter, workers=workers
        ) as job,
    ):
        ways, why = _ways(queries, job, how, limit)
        answers: dict[Query, Rows] = {}
        for way in _ORDER:
            if chosen := [query for query, its in zip(queries, ways, strict=True) if its == way]:
                answers |= _answers(job, chosen, how, limit, reporter, way, why)
    return {query: answers[query] for query in queries}


def _ways(
    queries: Sequence[Query], job: Job, how: LoadOptions, most: int
) -> tuple[list[_Way | None], str]:
    """Choose how to ask each query: all in one way where there is one.

    Returns:
        The way of each, None for all of the job at once; and why none is asked in parts.

    Raises:
        InputError: a query reads something else of the trace than its header says, or lists a
            module that parts do not give.
    """
    nothing: list[_Way | None] = [None] * len(queries)
    if how.needs is None:
        return nothing, "With all categories a job is asked at once, for the ids of the viewer. "
    if whole := [query.title for query in queries if not query.header.parts]:
        return nothing, f"{', '.join(whole)}: asks for all of the job at once. "
    if job.size() <= most:
        return nothing, ""
    fits = all(rank.size() <= most for rank in job.ranks())
    possible = [_possible(query, fits=fits) for query in queries]
    for way in ("ranks", "windows"):
        if all(way in its for its in possible):
            return [way] * len(queries), ""
    if not all(possible):
        return nothing, "A rank by itself is too large as well. "
    return [its[0] for its in possible], ""


def _possible(query: Query, *, fits: bool) -> list[_Way]:
    """List the ways to ask a query in parts, the best first.

    Args:
        query: the query.
        fits: whether one TraceProcessor holds each rank.

    Raises:
        InputError: as `_ways`.
    """
    listed = query.header.parts
    if unknown := [it for it in listed if it not in OF_RANKS | windows.MODULES]:
        raise InputError(
            f"{query.title}: parts of a job do not give {', '.join(unknown)}; they give "
            f"{', '.join(sorted(OF_RANKS | windows.MODULES))}."
        )
    if others := library.reads(query.sql, listed):
        raise InputError(
            f"{query.title}: its header says 'Parts: {', '.join(listed)}', but it reads "
            f"{', '.join(others)} as well."
        )
    ways: list[_Way] = ["ranks"] if fits and OF_RANKS.issuperset(listed) else []
    return [*ways, "windows"] if windows.MODULES.issuperset(listed) else ways


def _answers(  # noqa: PLR0917  all are needed
    job: Job,
    queries: Sequence[Query],
    how: LoadOptions,
    most: int,
    reporter: Reporter,
    way: _Way | None,
    why: str,
) -> dict[Query, Rows]:
    """Run queries in this way; at once where that is none, or may give other rows.

    Raises:
        EngineOutOfMemory: it does not fit; with the reason why parts do not help.
    """
    try:
        try:
            answers = _in_parts(job, queries, how, most, reporter, way) if way else None
        except windows.OtherRowsError as other:
            answers, why = None, f"Windows of time may give other rows, since {other}. "
            job = job.written()
        if answers is None:
            with job.loaded(how) as tp:
                answers = [answer(query, tp, reporter) for query in queries]
    except EngineOutOfMemory as error:
        raise EngineOutOfMemory(f"{str(error).rstrip('.')}. {why}{_FEWER}") from error
    return dict(zip(queries, answers, strict=True))


def _in_parts(  # noqa: PLR0917  all are needed
    job: Job, queries: Sequence[Query], how: LoadOptions, most: int, reporter: Reporter, way: _Way
) -> list[Rows] | None:
    """Ask in parts; None where the job cannot be divided.

    Raises:
        OtherRowsError: windows may give other rows.
    """
    size = job.size()
    modules = list(dict.fromkeys(name for query in queries for name in query.header.parts))
    with temporary.folder() as folder:
        found = PartRows([query.sql for query in queries], modules, folder)
        if way == "ranks":
            ranks = job.ranks()
            for rank in ranks:
                with rank.loaded(how) as tp:
                    found.add_rank(tp)
            parts = f"rank by rank, {len(ranks) - 1} of them."
        else:
            if not (count := windows.add_windows(found, job, queries, how, most)):
                return None
            parts = f"in {formatting.plural(count, 'window')} of time."
        reporter.say(
            f"The job is {formatting.size(size)} of text, more than one TraceProcessor holds: "
            f"asked {parts}"
        )
        with found.loaded(how) as tp:
            return [answer(query, tp, reporter) for query in queries]
