"""Ask a job in windows of time, one after the other.

A window ends where no rank is in a collective, so that what it says of a piece of work is the same
as in all of the trace.
"""

from __future__ import annotations

import itertools
import re
from typing import TYPE_CHECKING

from tp_tools import library
from tp_tools.engine import query_rows
from tp_tools.merging.time_cuts import time_cuts

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tp_tools.engine.processor import Processor
    from tp_tools.querying.job_loader import Job
    from tp_tools.querying.lookup import Query
    from tp_tools.querying.part_rows import PartRows
    from tp_tools.querying.trace_loader import LoadOptions

MODULES = frozenset(
    {"tpt.collective.part", "tpt.collective.context", "tpt.collective.work", "tpt.rank_host"}
)
"""Modules of which windows give the rows, as far as they matter to queries of the library."""

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

_STEPS = "steps"
"""Name of the parameter that selects work by the step that launched it."""

_CONTEXT = re.compile(r"^ +(?:(?:\w+\.)?step|.*\bhidden_compute_us),?$", re.MULTILINE)
"""Columns of queries of the library that show what `tpt.collective.context` makes."""


class OtherRowsError(Exception):
    """Windows may give other rows than the whole job; the text says why."""


def add_windows(
    found: PartRows, job: Job, queries: Sequence[Query], how: LoadOptions, most: int
) -> int:
    """Add the rows of each window of a job that is written; another one is written in its place.

    Args:
        found: gets the rows.
        job: the job.
        queries: what is asked.
        how: options of loading.
        most: bytes of text of a window.

    Returns:
        The number of windows; 0 where the job cannot be divided, and stays as written.

    Raises:
        OtherRowsError: windows may give other rows.
        EngineError: TraceProcessor failed.
    """
    cuts = time_cuts(job.plan)
    if not cuts:
        return 0
    callers, count = dict[int, int | None](), 0
    has_context = any(map(_has_context, queries))
    for start_ns, window in _windows(job, cuts, most):
        with window.loaded(how) as tp:
            if has_context:
                _check(tp, callers)
            found.add_window(tp, None if start_ns is None else start_ns - job.plan.start_ns)
        count += 1
    return count


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
        OtherRowsError: there is some.
    """
    for rank, is_marked, gpus, count, caller in query_rows(tp, _FACTS, "windows").rows:
        if not is_marked:
            raise OtherRowsError("nothing marks the steps of its ranks")
        if gpus > 1:
            raise OtherRowsError("a rank works on several GPUs")
        known = callers.setdefault(rank, caller)
        if None in {known, caller} and known != caller:
            raise OtherRowsError("launches of a rank are recorded in a part of its time")
        if count > 1 or known != caller:
            raise OtherRowsError("several processes launch the work of a rank")
