"""Ask about a job that one TraceProcessor cannot hold: in windows of time, one after the other.

A window ends where no rank is in a collective, so that what it says of a piece of work is the same
as in all of the trace. Queries name the modules of which that is so (`Windows` in their headers):
the rows of these tables, of all windows, are loaded into one more engine, which answers.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from tp_tools import formatting, library
from tp_tools.engine import query_rows
from tp_tools.engine.loader import text_limit
from tp_tools.errors import EngineOutOfMemory, InputError
from tp_tools.files import temporary
from tp_tools.merging.time_cuts import time_cuts
from tp_tools.merging.workers import HERE
from tp_tools.querying import job_loader
from tp_tools.querying.answering import answer
from tp_tools.querying.window_rows import WindowRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from tp_tools.engine import Rows
    from tp_tools.engine.processor import Processor
    from tp_tools.merging.workers import Workers
    from tp_tools.progress import Reporter
    from tp_tools.querying.job_loader import Job
    from tp_tools.querying.lookup import Query
    from tp_tools.querying.trace_loader import LoadOptions

_FACTS = """
INCLUDE PERFETTO MODULE tpt.collective.part;

INCLUDE PERFETTO MODULE tpt.launched;

INCLUDE PERFETTO MODULE tpt.step_marked;

WITH
  launched AS MATERIALIZED (
    SELECT work.rank, COUNT(DISTINCT work.launch_upid) AS callers, MAX(process.pid) AS caller
    FROM tpt_launched AS work
    LEFT JOIN process ON process.upid = work.launch_upid
    GROUP BY work.rank
  )
SELECT
  part.rank,
  part.rank IN (SELECT rank FROM tpt_step_marked) AS is_marked,
  COUNT(DISTINCT part.upid * 1000 + part.device) AS gpus,
  MAX(launched.callers) AS callers,
  MAX(launched.caller) AS caller
FROM tpt_collective_part AS part
JOIN launched USING (rank)
WHERE
  part.device IS NOT NULL
GROUP BY part.rank;
"""
"""What a window says of the ranks that have collectives on a GPU."""

_GIVEN = ("tpt.collective.part", "tpt.collective.context", "tpt.collective.work", "tpt.rank_host")
"""Modules of which windows give the rows, as far as they matter to queries of the library."""

_STEPS = "steps"
"""Name of the parameter that selects work by the step that launched it."""

_CONTEXT = re.compile(r"^ +(?:(?:\w+\.)?step|.*\bhidden_compute_us),?$", re.MULTILINE)
"""Columns of queries of the library that show what `tpt.collective.context` makes."""

_FEWER = "Ask about fewer ranks, or about a part: tp-tools merge --ranks, --start and --end."


class _Other(Exception):  # noqa: N818  the name reads as the fact it states
    """Windows may give other rows than the whole job; the text says why."""


def run(  # noqa: PLR0917  all are needed
    queries: list[Query],
    traces: list[str],
    how: LoadOptions,
    reporter: Reporter,
    workers: Workers = HERE,
    most: int | None = None,
) -> dict[Query, Rows]:
    """Run queries on all ranks of a job: at once, or in windows of time where that is too much.

    Args:
        queries: the queries.
        traces: the files of the ranks.
        how: options of loading.
        reporter: receives the stages of the work, notes and warnings.
        workers: who works on the ranks.
        most: bytes of text that one TraceProcessor holds; None for half of the memory that it may
            take, by the most that a byte of text was seen to take.

    Returns:
        The rows of each query: the same, in windows or not.

    Raises:
        UsageError, InputError, EngineError: as `job_loader.load_job`.
        EngineOutOfMemory: it does not fit, and windows may give other rows, or do not fit.
    """
    header = library.combine([query.header for query in queries])
    with temporary.folder() as folder:
        file = folder / "job.json"
        why = _whole(queries, how)
        try:
            with job_loader.written(
                traces, header, how, file, reporter=reporter, workers=workers
            ) as job:
                limit = text_limit(how.engine, how.memory) if most is None else most
                try:
                    answers = _in_windows(job, queries, how, limit, reporter, folder)
                except _Other as other:
                    answers, why = None, f"Windows of time may give other rows, since {other}. "
                    job.written()
            if answers is None:
                with job.loaded(how) as tp:
                    answers = [answer(query, tp, reporter) for query in queries]
        except EngineOutOfMemory as error:
            raise EngineOutOfMemory(f"{str(error).rstrip('.')}. {why}{_FEWER}") from error
    return dict(zip(queries, answers, strict=True))


def _in_windows(  # noqa: PLR0917  all are needed
    job: Job,
    queries: Sequence[Query],
    how: LoadOptions,
    most: int,
    reporter: Reporter,
    folder: Path,
) -> list[Rows] | None:
    """Ask in windows of time; None where the job fits at once, or cannot be divided.

    Raises:
        _Other: windows may give other rows.
        InputError: the header of a query lists other modules than it reads the trace through.
    """
    size = job.size()
    cuts = time_cuts(job.plan) if size > most and not _whole(queries, how) else []
    if not cuts:
        return None
    found, callers, count = WindowRows(_modules(queries), folder), dict[int, int | None](), 0
    has_context = any(map(_has_context, queries))
    for start_ns, window in _windows(job, cuts, most):
        with window.loaded(how) as tp:
            if has_context:
                _check(tp, callers)
            found.add(tp, None if start_ns is None else start_ns - job.plan.start_ns)
        count += 1
    reporter.say(
        f"The job is {formatting.size(size)} of text, more than one TraceProcessor holds: asked in "
        f"{formatting.plural(count, 'window')} of time."
    )
    with found.loaded(how) as tp:
        return [answer(query, tp, reporter) for query in queries]


def _whole(queries: Sequence[Query], how: LoadOptions) -> str:
    """Say why queries cannot be asked in windows of time; nothing where they can."""
    if how.needs is None:
        return "With all categories a job is asked at once, for the ids of the viewer. "
    whole = ", ".join(query.title for query in queries if not query.header.windows)
    return f"{whole}: asks for all of the job at once. " if whole else ""


def _modules(queries: Sequence[Query]) -> list[str]:
    """Return the modules whose rows windows give.

    Raises:
        InputError: a query reads something else of the trace, or lists a module of which windows
            may give other rows.
    """
    for query in queries:
        listed = query.header.windows
        if unknown := [name for name in listed if name not in _GIVEN]:
            raise InputError(
                f"{query.title}: windows of time do not give {', '.join(unknown)}; they give "
                f"{', '.join(_GIVEN)}."
            )
        if others := library.reads(query.sql, listed):
            raise InputError(
                f"{query.title}: its header says 'Windows: {', '.join(listed)}', but it reads "
                f"{', '.join(others)} as well."
            )
    return list(dict.fromkeys(name for query in queries for name in query.header.windows))


def _windows(job: Job, cuts: list[int], most: int) -> Iterator[tuple[int | None, Job]]:
    """Write windows of a job, in the order of time, each as large as fits.

    Each comes with its start, ns since the epoch; None is open.

    Args:
        job: the job, written whole; what it is written to is written anew for each window.
        cuts: moments at which it may be cut, ns since the epoch.
        most: bytes of text of a window; a longer one is divided where it can be.
    """
    bounds = [None, *cuts, None]
    count = min(-(-job.size() // most), len(bounds) - 1)
    edges = [place * (len(bounds) - 1) // count for place in range(count + 1)]
    pending = list(itertools.pairwise(edges))[::-1]
    while pending:
        first, last = pending.pop()
        window = job.window(bounds[first], bounds[last])
        if window.size() > most and last - first > 1:
            middle = (first + last) // 2
            pending += [(middle, last), (first, middle)]
            continue
        yield bounds[first], window


def _has_context(query: Query) -> bool:
    """Tell whether rows may depend on steps, or on the compute beside collectives.

    Those of queries of the library do not that show neither, and are about all steps.
    """
    steps = [it for it in query.header.parameters if it.name == _STEPS]
    is_about_all = library.definitions(steps, library.NO_VALUES, query.title) in query.sql
    is_known = query.origin == "library" and is_about_all
    return not is_known or _CONTEXT.search(query.sql) is not None


def _check(tp: Processor, callers: dict[int, int | None]) -> None:
    """Look for what makes steps or compute in a window others than in the whole job.

    Args:
        tp: the window.
        callers: pid by rank of the process that launched its work in earlier windows, None where
            no launch is recorded; gets more.

    Raises:
        _Other: there is some.
    """
    for rank, is_marked, gpus, count, caller in query_rows(tp, _FACTS, "windows").rows:
        if not is_marked:
            raise _Other("nothing marks the steps of its ranks")
        if gpus > 1:
            raise _Other("a rank works on several GPUs")
        known = callers.setdefault(rank, caller)
        if None in {known, caller} and known != caller:
            raise _Other("launches of a rank are recorded in a part of its time")
        if count > 1 or known != caller:
            raise _Other("several processes launch the work of a rank")
