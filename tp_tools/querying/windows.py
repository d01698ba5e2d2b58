"""Ask about a job that one TraceProcessor cannot hold: in windows of time, one after the other.

A window ends where no rank is in a collective, so that a row about a collective is the same as
from all of the trace. Rows that add up over the job are not: their queries want all at once.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import replace

from tp_tools import formatting, library
from tp_tools.engine import query_rows
from tp_tools.engine.loader import text_limit
from tp_tools.errors import EngineOutOfMemory
from tp_tools.files import temporary
from tp_tools.merging.time_cuts import time_cuts
from tp_tools.merging.workers import HERE
from tp_tools.querying import job_loader
from tp_tools.querying.answering import answer
from tp_tools.querying.expected_ranks import PARTS, Part, expected_ranks

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from tp_tools.engine import Rows
    from tp_tools.engine.processor import Processor
    from tp_tools.merging.workers import Workers
    from tp_tools.progress import Reporter
    from tp_tools.querying.job_loader import Job
    from tp_tools.querying.lookup import Query
    from tp_tools.querying.trace_loader import LoadOptions

NUMBER = "collective"
"""Column with the numbers of collectives: those without a match are counted on behind the others,
over all windows."""

EXPECTED = "ranks_expected"
"""Column with how many ranks take part."""

_FACTS = """
INCLUDE PERFETTO MODULE tpt.collective.window;

INCLUDE PERFETTO MODULE tpt.step_marked;

SELECT
  (SELECT IFNULL(MAX(merged_as) + 1, 0) FROM tpt_collective_rank) AS first_alone,
  (SELECT COUNT(DISTINCT match_id) FROM tpt_collective_rank WHERE merged_as IS NULL) AS alone,
  (SELECT COUNT(*) FROM tpt_collective_rank WHERE kind IN ('send', 'recv')) AS messages,
  (
    SELECT COUNT(DISTINCT rank)
    FROM tpt_collective_rank
    WHERE
      device IS NOT NULL AND rank NOT IN (SELECT rank FROM tpt_step_marked)
  ) AS unmarked,
  (
    SELECT COUNT(*)
    FROM (
      SELECT rank
      FROM tpt_collective_rank
      WHERE
        device IS NOT NULL
      GROUP BY rank
      HAVING
        COUNT(DISTINCT upid * 1000 + device) > 1
    )
  ) AS of_several_gpus;
"""
"""What a window says of itself; the last three are what no window can tell of the whole job."""

_WHY = {
    "messages": "its ranks send messages to each other",
    "unmarked": "nothing marks the steps of its ranks",
    "of_several_gpus": "a rank works on several GPUs",
}
"""Reasons why rows of a window may differ from those of the whole, by column of `_FACTS`."""

_FEWER = "Ask about fewer ranks, or about a part: tp-tools merge --ranks, --start and --end."


class _Other(Exception):  # noqa: N818  the name reads as the fact it states
    """Windows may give other rows than the whole job; the text says why."""


class _Answer(Struct, frozen=True):
    """The answers of a window.

    Attributes:
        first_alone: the number of its first collective without a match.
        alone: how many it has.
        rows: the rows of each query.
        parts: each rank in each collective.
    """

    first_alone: int
    alone: int
    rows: list[Rows]
    parts: list[Part]


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
        why = _adding_up(queries)
        try:
            with job_loader.written(
                traces, header, how, file, reporter=reporter, workers=workers
            ) as job:
                limit = text_limit(how.engine, how.memory) if most is None else most
                try:
                    answers = _in_windows(job, queries, how, limit, reporter)
                except _Other as other:
                    answers, why = None, f"Windows of time may give other rows, since {other}. "
                    job.written()
            if answers is None:
                with job.loaded(how) as tp:
                    answers = [answer(query, tp, reporter) for query in queries]
        except EngineOutOfMemory as error:
            raise EngineOutOfMemory(f"{str(error).rstrip('.')}. {why}{_FEWER}") from error
    return dict(zip(queries, answers, strict=True))


def _in_windows(
    job: Job, queries: Sequence[Query], how: LoadOptions, most: int, reporter: Reporter
) -> list[Rows] | None:
    """Ask in windows of time; None where the job fits at once, or cannot be divided.

    Raises:
        _Other: windows may give other rows.
    """
    size = job.size()
    cuts = time_cuts(job.plan) if size > most and all(it.header.windows for it in queries) else []
    if not cuts:
        return None
    found = []
    for window in _windows(job, cuts, most):
        with window.loaded(how) as tp:
            found.append(_answer_of(tp, queries, reporter))
    reporter.say(
        f"The job is {formatting.size(size)} of text, more than one TraceProcessor holds: asked in "
        f"{formatting.plural(len(found), 'window')} of time."
    )
    numbered = list(_numbered(found))
    expected = expected_ranks([part for it in numbered for part in it.parts])
    return [_joined([it.rows[place] for it in numbered], expected) for place in range(len(queries))]


def _adding_up(queries: Sequence[Query]) -> str:
    """Say of queries that cannot be asked in windows of time why."""
    whole = ", ".join(query.title for query in queries if not query.header.windows)
    return f"{whole}: adds up over the whole job, which no window of time does. " if whole else ""


def _windows(job: Job, cuts: list[int], most: int) -> Iterator[Job]:
    """Write windows of a job, in the order of time, each as large as fits.

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
        yield window


def _answer_of(tp: Processor, queries: Sequence[Query], reporter: Reporter) -> _Answer:
    """Ask queries on a window.

    Raises:
        _Other: its rows may be others than those of the whole job.
    """
    facts = query_rows(tp, _FACTS, "windows")
    of = dict(zip(facts.columns, facts.rows[0], strict=True))
    reasons = [why for column, why in _WHY.items() if of[column]]
    if reasons:
        raise _Other(reasons[0])
    rows = [answer(query, tp, reporter) for query in queries]
    parts = [Part(*row) for row in query_rows(tp, PARTS, "windows").rows]
    return _Answer(of["first_alone"], of["alone"], rows, parts)


def _numbered(answers: Sequence[_Answer]) -> Iterator[_Answer]:
    """Give collectives without a match the numbers that they have in the whole job."""
    behind = max(it.first_alone for it in answers)
    for it in answers:
        first, by = it.first_alone, behind - it.first_alone
        yield replace(
            it,
            rows=[_moved(rows, first, by) for rows in it.rows],
            parts=[
                part if part.collective < first else replace(part, collective=part.collective + by)
                for part in it.parts
            ],
        )
        behind += it.alone


def _moved(rows: Rows, first: int, by: int) -> Rows:
    """Add to the numbers of collectives from `first` on."""
    if NUMBER not in rows.columns:
        return rows
    place = rows.columns.index(NUMBER)
    moved = [row if row[place] < first else _with(row, place, row[place] + by) for row in rows.rows]
    return replace(rows, rows=moved)


def _joined(parts: Sequence[Rows], expected: Mapping[int, int]) -> Rows:
    """Join the rows of windows; `expected` are the ranks that take part, by collective."""
    columns, rows = parts[0].columns, [row for part in parts for row in part.rows]
    if EXPECTED in columns:
        number, place = columns.index(NUMBER), columns.index(EXPECTED)
        rows = [_with(row, place, expected[row[number]]) for row in rows]
    return replace(parts[0], rows=rows)


def _with(row: tuple[Any, ...], place: int, value: object) -> tuple[Any, ...]:
    return (*row[:place], value, *row[place + 1 :])
