"""Offer the Python API: traces as TraceProcessors, answers as pandas frames.

import tp_tools

kernels = tp_tools.query("kernels", "traces/")
frames = tp_tools.query_all(["kernels", "gaps"], "traces/")
with tp_tools.open_trace("rank0.json.gz") as tp:
    slices = tp.query("SELECT ts, dur, name FROM slice").as_pandas_dataframe()
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeGuard

from tp_tools import library
from tp_tools.caller import KeptWarnings, paths
from tp_tools.files import copies, open_source
from tp_tools.files.sources import source_of
from tp_tools.library import NO_VALUES, Values
from tp_tools.library.header import Header
from tp_tools.merging import job_files
from tp_tools.merging.rank_names import RankChoice
from tp_tools.querying import frames, job_loader, lookup, runner
from tp_tools.querying.trace_loader import LoadOptions, load_trace

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from tp_tools.alignment.alignment import Mode
    from tp_tools.caller import PathLike
    from tp_tools.engine.processor import Processor
    from tp_tools.files.sources import SourceOf
    from tp_tools.progress import Reporter


def open_trace(
    path: PathLike,
    *,
    engine: str | None = None,
    raw: bool = False,
    categories: Iterable[str] | None = None,
) -> Processor:
    """Open a trace in a TraceProcessor, repaired, so that no slice of it is missing.

    The result is a `perfetto.trace_processor.TraceProcessor`: `.query(sql)` gives rows, and
    `.query(sql).as_pandas_dataframe()` a frame. Close it after use, or use it in a `with`.

    Args:
        path: Chrome JSON, plain, .gz or .zst, loaded as `tp-tools fix` would write it; or anything
            else that TraceProcessor reads, loaded as it is.
        engine: "embedded", "native", or the path of a trace_processor_shell; by default what
            $TP_TOOLS_ENGINE says, else "embedded".
        raw: whether to load Chrome JSON as it is, too.
        categories: load events of these categories only ("kernel", "gpu_memcpy"...), for traces
            that are large; "flows" among them for the arrows between such events. Ids then
            number what is loaded: `tp.slice_ids[slice.id]` and `tp.track_ids[track.id]` are those
            of the viewer.

    Raises:
        tp_tools.errors.InputError: the file cannot be used.
        tp_tools.errors.EngineError: TraceProcessor failed.
    """
    needs = None if categories is None else frozenset(categories)
    warned = KeptWarnings()
    with open_source(os.fspath(path)) as source:
        tp = load_trace(source, LoadOptions(engine, raw, needs), warned)
    warned.warn_caller()
    return tp


def open_job(
    traces: PathLike | Iterable[PathLike],
    *,
    align: Mode = "auto",
    engine: str | None = None,
    profile: str | None = None,
    stage: str | None = None,
) -> Processor:
    """Open the ranks of a job in one TraceProcessor: repaired, and merged onto one clock.

    The result is as that of `open_trace`, and holds what `tp-tools merge` would write. Close it
    after use, or use it in a `with`.

    Args:
        traces: files, folders, globs, URLs: the ranks of one job.
        align: the common clock, as for `tp-tools merge --align`.
        engine: as for `open_trace`.
        profile: of several profiles in a folder, this one.
        stage: of several stages, this one.

    Raises:
        tp_tools.errors.InputError: a trace cannot be used, or the ranks do not fit together.
        tp_tools.errors.EngineError: TraceProcessor failed.
    """
    kept = KeptWarnings()
    header = Header("", "", "job", None)
    with copies.kept():
        files = find_files(traces, profile, stage, kept).files
        tp, _ = job_loader.load_job(files, header, LoadOptions(engine), align, kept)
    kept.warn_caller()
    return tp


def query(
    query: PathLike,
    traces: PathLike | Iterable[PathLike],
    *,
    engine: str | None = None,
    raw: bool = False,
    all_categories: bool = False,
    params: Values = NO_VALUES,
    profile: str | None = None,
    stage: str | None = None,
    captures: PathLike | Iterable[PathLike] = (),
) -> pd.DataFrame:
    """Run a query on a trace, or on each rank of a job.

    Args:
        query: a name in the library ("kernels"), the path of a .sql file, or SQL. Text with white
            space in it that does not end in .sql is SQL.
        traces: files, folders, globs, URLs. Several traces are the ranks of one job.
        engine: as for `open_trace`.
        raw: whether to load the files as they are, not as repaired.
        all_categories: whether to load all events. Else only those are loaded that the query's
            header names. Columns of ids have those of the viewer either way, or NULL where they are
            not known: of all ranks at once, and of tracks in a trace with counters.
        params: values of parameters that the query declares, by name:
            `{"rank": 0, "steps": "3..5"}`; a range may also be a pair, `(3, 5)`, whose ends may be
            None. `tp-tools sql NAME` shows what can be set.
        profile: of several profiles in a folder, this one, as for `tp-tools query --profile`.
        stage: of several stages, this one.
        captures: for "modules": traces of captured CUDA graphs, or folders of these.

    Returns:
        The rows of the query's last statement, with its columns. Of several traces, the rows of
        each rank in order, with a column `rank` (int64) first, unless the query has one itself; of
        a query about a whole job, such as "allreduce", those of all ranks merged onto one clock.
        Whole numbers are never floats: int64, or Int64 where there are NULLs.

    Raises:
        tp_tools.errors.UsageError: there is no such query, or it needs ranks that are merged, and
            `raw` keeps them from being.
        tp_tools.errors.InputError: a trace cannot be used, or the ranks do not fit together.
        tp_tools.errors.SqlError: TraceProcessor refused the query.
        tp_tools.errors.EngineError: TraceProcessor failed otherwise.
    """
    warned = KeptWarnings()
    how = LoadOptions(engine, raw, captures=paths(captures))
    found = _query(query, params)
    with copies.kept():
        files = find_files(traces, profile, stage, warned)
        answer = runner.run_query(found, files, how, reporter=warned, all_categories=all_categories)
    warned.warn_caller()
    return frames.frame(answer)


def query_all(
    queries: Iterable[PathLike],
    traces: PathLike | Iterable[PathLike],
    *,
    engine: str | None = None,
    raw: bool = False,
    all_categories: bool = False,
    params: Values = NO_VALUES,
    profile: str | None = None,
    stage: str | None = None,
) -> dict[str, pd.DataFrame]:
    """Run several queries, for which each trace is loaded once.

    Args:
        queries: names in the library, or paths of .sql files; each as for `query`.
        traces: as for `query`, and so are the others.
        engine: the TraceProcessor.
        raw: whether to load the files as they are.
        all_categories: whether to load all events.
        params: values of parameters that each of the queries declares.
        profile: which profile of several in a folder.
        stage: which stage of several.

    Returns:
        The frame of each query, as `query` returns it, by its name without .sql.

    Raises:
        tp_tools.errors.UsageError: two queries have one name; else as `query`.
    """
    warned = KeptWarnings()
    how = LoadOptions(engine, raw)
    to_run = lookup.distinct(_query(query, params) for query in queries)
    with copies.kept():
        files = find_files(traces, profile, stage, warned)
        answers = runner.run_queries(
            to_run, files, how, reporter=warned, all_categories=all_categories
        )
    warned.warn_caller()
    return {
        query.title: frames.frame(answer) for query, answer in zip(to_run, answers, strict=True)
    }


def _query(query: PathLike, params: Values) -> lookup.Query:
    if _is_sql(query):
        return lookup.from_text(query, params)
    return lookup.from_file(os.fspath(query), params)


def find_files(
    traces: PathLike | Iterable[PathLike],
    profile: str | None,
    stage: str | None,
    reporter: Reporter,
    sources: SourceOf = source_of,
) -> job_files.JobFiles:
    """Find the traces of one job, and report what lies beside them."""
    choice = RankChoice(profile, stage, allow_missing=True)
    found = job_files.find(paths(traces), choice, sources=sources)
    found.say_left_out(reporter)
    return found


def _is_sql(query: PathLike) -> TypeGuard[str]:
    return isinstance(query, str) and not query.endswith(library.SUFFIX) and len(query.split()) > 1
