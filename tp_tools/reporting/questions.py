"""Ask the queries of a report: of a trace, of a part of them, of a job."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools import library
from tp_tools.engine import Rows, query_rows
from tp_tools.progress import SILENT
from tp_tools.querying import lookup
from tp_tools.querying.viewer_ids import as_in_viewer
from tp_tools.reporting.data import KIND_QUERIES
from tp_tools.reporting.windows import windows

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from tp_tools.engine.processor import Processor
    from tp_tools.library import Values
    from tp_tools.querying import LoadOptions
    from tp_tools.querying.lookup import Query

RANK_QUERIES = (
    "gpu_time",
    "comm_overlap",
    "streams",
    "kernels",
    "kernel_families",
    "roofline",
    "occupancy",
    "copies",
    "gaps",
    "idle",
    "steps",
    "phases",
    "syncs",
    "dataloader",
    "memory",
    "memory_timeline",
    "modules",
    "module_ops",
    "python_lines",
)
"""Queries that run on each trace."""

JOB_QUERIES = ("collectives_by_rank", "stragglers", "verdict", "critical_path", "gpu_timeline")
"""Queries that run on all ranks together."""

MESSAGE_QUERY = "pipeline"
"""Run as well where the job has messages from rank to rank."""

PARTS = (
    frozenset({"gaps", "idle", "dataloader", "verdict"}),
    frozenset(
        {
            "gpu_time",
            "comm_overlap",
            "streams",
            "kernels",
            "kernel_families",
            "occupancy",
            "copies",
            "steps",
            "phases",
            "collectives_by_rank",
            "stragglers",
            "critical_path",
            "gpu_timeline",
        }
    ),
    frozenset({"roofline"}),
    frozenset(
        {
            "syncs",
            "memory",
            "memory_timeline",
            "modules",
            "module_ops",
            "python_lines",
        }
    ),
)
"""All queries, in parts that take about as long as each other, each on a TraceProcessor of its own:
queries that need the same tables are together, and so are the two halves where there are two."""

_BY_KIND = "collectives_by_rank"
"""The query by which is told what others to run."""

_MESSAGES = ("send", "recv", "send_recv")


def parts(count: int) -> list[frozenset[str]]:
    """Share all queries among `count` TraceProcessors, at most as many as there are `PARTS`."""
    place = [number * count // len(PARTS) for number in range(len(PARTS))]
    return [
        frozenset[str]().union(*(part for part, at in zip(PARTS, place, strict=True) if at == it))
        for it in range(count)
    ]


def named(names: Iterable[str], traces: int = 1) -> list[Query]:
    """Return queries of the library, each with its values for so many traces."""
    values: Mapping[str, Values] = {"gpu_timeline": {"windows": windows(traces)}}
    return [lookup.from_file(name, values.get(name, library.NO_VALUES)) for name in names]


def on_kinds() -> list[str]:
    """Return the names of the queries that may be run on kinds of collectives."""
    return [*dict.fromkeys(KIND_QUERIES.values()), MESSAGE_QUERY]


def ask(tp: Processor, queries: Iterable[Query]) -> dict[str, Rows]:
    """Run queries; after `collectives_by_rank` those on the kinds of collectives that there are.

    Returns:
        The rows of each by its name; ids in the rows are those of the viewer.

    Raises:
        EngineError: TraceProcessor failed.
    """
    rows = _run(tp, queries)
    if (by_rank := rows.get(_BY_KIND)) is None:
        return rows
    kind = by_rank.columns.index("kind")
    kinds = {row[kind] for row in by_rank.rows}
    others = {KIND_QUERIES[kind] for kind in kinds if kind in KIND_QUERIES}
    others |= {MESSAGE_QUERY} if kinds.intersection(_MESSAGES) else set()
    return {**rows, **_run(tp, named(sorted(others)))}


def needing(options: LoadOptions, queries: Sequence[Query]) -> LoadOptions:
    """Add the categories and args that queries need, and those that `ask` runs after them."""
    others = named(on_kinds()) if any(it.title == _BY_KIND for it in queries) else []
    return lookup.needing(options, [*queries, *others])


def _run(tp: Processor, queries: Iterable[Query]) -> dict[str, Rows]:
    answers = {}
    for query in queries:
        rows = query_rows(tp, query.sql_on(tp.gpu), query.title)
        answers[query.title] = as_in_viewer(rows, tp, SILENT)
    return answers
