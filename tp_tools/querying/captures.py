"""Give traces of captured CUDA graphs to the queries that take replays apart."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from tp_tools.engine import query_rows
from tp_tools.errors import InputError, UsageError
from tp_tools.files import open_source
from tp_tools.files.kept import MOST_TEXT
from tp_tools.files.sources import kept_sources
from tp_tools.formatting import plural
from tp_tools.querying import lookup
from tp_tools.querying.trace_loader import load_trace

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from tp_tools.progress import Reporter
    from tp_tools.querying.lookup import Query
    from tp_tools.querying.trace_loader import LoadOptions

PARAMETER = "captures"
"""Name of the parameter that takes captured launches, and of the query that has them."""

FOLDER = "capture_traces"
"""Where vLLM and SGLang leave the traces of their captures, beside the others."""

SUFFIXES = (".json", ".json.gz")
_NO_TRACES = frozenset({"execution_details.json", "server_args.json"})
_Launch: TypeAlias = "list[object]"
_COLUMNS = ("graph", "node", "is_copy", "kernel_hash", "path", "op", "op_call", "dims")


def given(
    queries: Sequence[Query], traces: Sequence[str], how: LoadOptions, reporter: Reporter
) -> list[Query]:
    """Set the captured launches in the queries that ask for them.

    Args:
        queries: all queries.
        traces: the traces that they run on; a folder `capture_traces` beside the first is
            read, if `how.captures` names nothing.
        how: the engine, and files or folders of captures.
        reporter: receives what was read, and what of the folder beside could not be.

    Returns:
        The queries in their order.

    Raises:
        UsageError: `how.captures` names something, and no query asks for it.
        InputError: what `how.captures` names cannot be read, or holds no captured graph.
    """
    takers = [it for it in queries if any(p.name == PARAMETER for p in it.header.parameters)]
    if how.captures and not takers:
        raise UsageError(
            "--capture is for the queries modules and module_ops, which take replays apart."
        )
    files = _named(how.captures) if how.captures else _beside(traces)
    if not takers or not files:
        return list(queries)
    read = _graphs if how.captures else _graphs_or_none
    graphs = [graph for file in files for graph in read(file, how, reporter)]
    if not graphs and how.captures:
        raise InputError(
            f"{files[0]}: no CUDA graph was captured in it: give a trace that was recorded while "
            f"the engine captured its graphs."
        )
    if not graphs:
        return list(queries)
    reporter.say(f"Replays are taken apart by {plural(len(graphs), 'graph')} of {files[0].parent}.")
    text = msgspec.json.encode(
        [[number, *launch] for number, graph in enumerate(graphs) for launch in graph]
    ).decode()
    return [it.with_text(PARAMETER, text) if it in takers else it for it in queries]


def _named(names: Iterable[str]) -> list[Path]:
    """List the files of names, and the traces in folders among them.

    Raises:
        InputError: a folder holds no trace.
    """
    files = list[Path]()
    for path in map(Path, names):
        found = _traces_in(path) if path.is_dir() else [path]
        if not found:
            raise InputError(f"{path}: no trace is in this folder: give that of captured graphs.")
        files += found
    return files


def _beside(traces: Sequence[str]) -> list[Path]:
    """List the captures in a folder beside the first trace, or beside its folder."""
    folder = Path(traces[0]).parent
    places = (folder / FOLDER, folder.parent / FOLDER)
    return next((_traces_in(place) for place in places if place.is_dir()), [])


def _traces_in(folder: Path) -> list[Path]:
    found = (it for it in folder.iterdir() if it.name.endswith(SUFFIXES))
    return sorted(it for it in found if it.name not in _NO_TRACES)


def _graphs_or_none(file: Path, how: LoadOptions, reporter: Reporter) -> list[list[_Launch]]:
    """Read the captured launches of a trace that nobody named; none of one that is damaged."""
    try:
        return _graphs(file, how, reporter)
    except InputError as error:
        reporter.note(f"Left out: {error}")
        return []


def _graphs(file: Path, how: LoadOptions, reporter: Reporter) -> list[list[_Launch]]:
    """Read the captured launches of a trace, graph by graph.

    Raises:
        InputError: the trace cannot be read.
    """
    query = lookup.from_file(PARAMETER)
    loading = lookup.needing(how, [query])
    with (
        reporter.stage(f"graphs captured in {file.name}"),
        open_source(str(file)) as source,
        kept_sources() as kept,
        load_trace(kept.keep(source, MOST_TEXT), loading, reporter) as tp,
    ):
        answer = query_rows(tp, query.sql, query.name)
    graphs: dict[object, list[_Launch]] = {}
    places = [answer.columns.index(name) for name in _COLUMNS]
    for row in answer.rows:
        graph, *launch = (row[place] for place in places)
        graphs.setdefault(graph, []).append(launch)
    return list(graphs.values())
