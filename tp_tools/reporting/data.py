"""Asks everything that a report tells: each trace is loaded once, and the ranks together once."""

from __future__ import annotations

from dataclasses import dataclass
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tp_tools import library
from tp_tools.alignment.alignment import BY_BASE, UNALIGNED
from tp_tools.engine import Rows, query_rows
from tp_tools.files.source import open_source
from tp_tools.inspection import trace_info
from tp_tools.library import Header
from tp_tools.merging.summary import summary
from tp_tools.querying import job_loader, runner
from tp_tools.querying.trace_loader import LARGE, LoadOptions, load_trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from tp_tools.alignment.alignment import Mode
    from tp_tools.engine.processor import Processor
    from tp_tools.inspection.trace_info import TraceInfo
    from tp_tools.progress import Reporter
    from tp_tools.querying.runner import Query

OF_RANKS = ("gpu_time", "comm_overlap", "streams", "kernels", "copies", "gaps", "steps")
"""Queries that each trace is asked by itself."""

OF_JOB = ("collectives_by_rank", "stragglers")
"""Queries that are asked of all ranks at once."""

OF_KINDS = {
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
"""The query that has a row per collective of this kind; it is asked where there are any."""


@dataclass(frozen=True)
class Member:
    """A trace.

    Attributes:
        rank: its number in the job; None if it does not say.
        title: what it is called: "rank 3 (TP3)".
        file: the name of its file, without folders.
        seen: what `tp-tools info` knows of it.
    """

    rank: int | None
    title: str
    file: str
    seen: TraceInfo


@dataclass(frozen=True)
class Answers:
    """All that a report tells.

    Attributes:
        members: the traces, by rank.
        answers: the rows of each query, by its name in the library; their columns are those that
            its file describes. `rank` is that of the trace where the query says none.
        sql: the text of each of these queries.
        merge: what `tp-tools merge --summary json` says; None for one trace.
    """

    members: list[Member]
    answers: Mapping[str, Rows]
    sql: Mapping[str, str]
    merge: Mapping[str, Any] | None

    def rows(self, query: str, *columns: str) -> Iterator[tuple[Any, ...]]:
        """These columns, two at least, of the rows that a query gave; NULL is None."""
        answer = self.answers[query]
        return map(itemgetter(*map(answer.columns.index, columns)), answer.rows)

    def unset_clocks(self) -> int:
        """Of how many ranks the clock was taken as it is."""
        ranks = self.merge["ranks"] if self.merge is not None else []
        return sum(it["aligned_by"] in (BY_BASE, UNALIGNED) for it in ranks)

    def of_kinds(self) -> list[str]:
        """The queries that were asked about kinds of collectives."""
        return [name for name in dict.fromkeys(OF_KINDS.values()) if name in self.answers]


def collect_answers(
    traces: list[str], engine: str | None, align: Mode, reporter: Reporter
) -> Answers:
    """Loads the traces and asks.

    Args:
        traces: files, the ranks of one job where they are several.
        engine: the TraceProcessor, as `engine.load` takes it.
        align: how the clocks of several ranks are brought together.
        reporter: says what takes long, and what was lost.

    Raises:
        InputError: a trace cannot be used, or they are not the ranks of one job.
        EngineError: TraceProcessor failed.
    """
    if len(traces) == 1:
        return _of_one(traces[0], engine, reporter)
    names = [*OF_JOB, *dict.fromkeys(OF_KINDS.values())]
    how = _opening(engine, [runner.from_file(name) for name in names], reporter)
    header = _together([runner.from_file(name).header for name in names])
    tp, prepared = job_loader.load_job(traces, header, how, align)
    with tp, reporter.progress("asking about the job"):
        of_job = _job(tp)
    members, answers = list[Member](), dict[int | None, dict[str, Rows]]()
    sizes = [Path(it.file).stat().st_size for it in prepared.ranks]
    with reporter.progress(f"{len(sizes)} ranks", sum(sizes)) as done:
        for it, size in zip(prepared.ranks, sizes, strict=True):
            seen, tp = _opened(it.file, engine, reporter)
            with tp, reporter.progress(f"asking {it.title}"):
                answers[it.rank] = _asked(tp, OF_RANKS)
            members.append(Member(it.rank, it.title, Path(it.file).name, seen))
            done(size)
    of_ranks = {
        name: runner.of_ranks({rank: rows[name] for rank, rows in answers.items()})
        for name in OF_RANKS
    }
    return _told(members, {**of_ranks, **of_job}, summary(prepared))


def _of_one(trace: str, engine: str | None, reporter: Reporter) -> Answers:
    seen, tp = _opened(trace, engine, reporter)
    rank = seen.about.rank if seen.about is not None else None
    rank = seen.named.get("RANK") if rank is None else rank
    with tp, reporter.progress("asking SQL"):
        rows = {**_asked(tp, OF_RANKS), **_job(tp)}
    title = "this trace" if rank is None else f"rank {rank}"
    member = Member(rank, title, Path(seen.file).name, seen)
    named = {
        name: runner.of_ranks({rank: it}) if runner.RANK in it.columns else it
        for name, it in rows.items()
    }
    return _told([member], named, None)


def _opened(trace: str, engine: str | None, reporter: Reporter) -> tuple[TraceInfo, Processor]:
    """What there is to say of a trace, and its TraceProcessor, to be closed."""
    how = _opening(engine, [runner.from_file(name) for name in (*OF_RANKS, *OF_JOB)], reporter)
    with open_source(trace) as source:
        return trace_info.describe(source, how), load_trace(source, how)


def _opening(engine: str | None, asks: list[Query], reporter: Reporter) -> LoadOptions:
    needs = _together([query.header for query in asks]).needs
    return LoadOptions(
        engine,
        needs=needs,
        needs_above=LARGE,
        say=reporter.say,
        warn=reporter.warn,
        progress=reporter.progress,
    )


def _together(headers: list[Header]) -> Header:
    """What one load must hold for all of these; None is everything."""

    def united(parts: list[frozenset[str] | None]) -> frozenset[str] | None:
        known = [part for part in parts if part is not None]
        return frozenset[str]().union(*known) if len(known) == len(parts) else None

    needs, args = [it.needs for it in headers], [it.args for it in headers]
    return Header("", "", "job", united(needs), united(args))


def _job(tp: Processor) -> dict[str, Rows]:
    """The rows of the queries about the job, of those about a kind only where there are any."""
    rows = _asked(tp, OF_JOB)
    parts = rows["collectives_by_rank"]
    at = parts.columns.index("kind")
    found = {OF_KINDS[row[at]] for row in parts.rows if row[at] in OF_KINDS}
    return {**rows, **_asked(tp, sorted(found))}


def _asked(tp: Processor, names: Iterable[str]) -> dict[str, Rows]:
    return {
        query.name.removesuffix(library.SUFFIX): query_rows(tp, query.sql, query.name)
        for query in map(runner.from_file, names)
        if query.name is not None
    }


def _told(
    members: list[Member], rows: Mapping[str, Rows], merge: Mapping[str, Any] | None
) -> Answers:
    return Answers(
        members, rows, {name: library.expand(runner.from_file(name).sql) for name in rows}, merge
    )
