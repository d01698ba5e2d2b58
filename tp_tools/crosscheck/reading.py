"""Read the kernels of a trace in the order of their launch."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from msgspec import Struct

from tp_tools import engine, library
from tp_tools.chrome.metadata import metadata
from tp_tools.crosscheck.model import Recording
from tp_tools.errors import InputError, UsageError
from tp_tools.files import open_source
from tp_tools.querying import LoadOptions
from tp_tools.querying.trace_loader import is_chrome_json, load_planned
from tp_tools.repair import OverlapOptions, analysis
from tp_tools.trace.cpp_names import parse

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.crosscheck.model import Ints
    from tp_tools.progress import Reporter

QUERY = library.check("launch_order")

Row = dict[str, Any]


class Answer(Struct, frozen=True):
    """What a trace says.

    Attributes:
        file: its name.
        rows: rows of the query by rank; None stands for the trace of one rank.
        rank: the rank that its header names; None without.
        notes: what the reader of an export says of it.
    """

    file: str
    rows: dict[int | None, list[Row]]
    rank: int | None
    notes: tuple[str, ...]


def read(file: str, *, is_export: bool, engine_name: str | None, reporter: Reporter) -> Answer:
    """Ask a trace for its kernels.

    Args:
        file: its name.
        is_export: whether it has to be an export of Nsight Systems, or none.
        engine_name: the TraceProcessor.
        reporter: receives the stages of the work, notes and warnings.

    Raises:
        UsageError: it is an export and should be none, or the other way round.
        InputError: it cannot be used.
        EngineError: TraceProcessor failed.
    """
    needs = library.parse(library.read(QUERY), QUERY.name).needs
    with open_source(file) as source:
        if not is_chrome_json(source):
            raise InputError(
                f"{file}: is neither Chrome JSON nor an export of Nsight Systems. Give what "
                "profilers wrote, or what fix made of it as .json.gz."
            )
        options = OverlapOptions(engine=engine_name)
        planned = analysis.plan_trace(source, options, reporter, flows=False)
        stated = metadata(planned.trace)
        if is_export != ("Nsight Systems" in stated.versions):
            raise UsageError(
                f"{file}: is {'no' if is_export else 'an'} export of Nsight Systems. Give the "
                "trace of PyTorch first, and the export second."
            )
        how = LoadOptions(engine_name, needs=needs, viewer_ids=False)
        with load_planned(source, planned, how, reporter) as tp:
            found = engine.run_file(tp, QUERY)
    rows: dict[int | None, list[Row]] = {}
    for row in found.rows:
        of = dict(zip(found.columns, row, strict=True))
        rows.setdefault(of["rank"], []).append(of)
    return Answer(file, rows, stated.rank, stated.notes)


def ranks(answer: Answer) -> list[int | None]:
    """Return the ranks that have GPU work, in order."""
    found = {
        rank
        for rank, rows in answer.rows.items()
        if any(row["what"] in {"kernel", "graph"} for row in rows)
    }
    return sorted(found, key=lambda rank: -1 if rank is None else rank)


def choose(answer: Answer, wanted: int | None, other: int | None) -> Recording:
    """Take one rank of what a trace says.

    Args:
        answer: what it says.
        wanted: the rank that the user chose; None without.
        other: the rank of the other trace, if it says one.

    Returns:
        Its kernels.

    Raises:
        UsageError: it holds several ranks, and it is not known which to take.
    """
    there = ranks(answer)
    if len(there) < 2:  # noqa: PLR2004  nothing to choose
        return recording(answer, [row for rows in answer.rows.values() for row in rows])
    rank = other if wanted is None else wanted
    if rank is None or rank not in there:
        raise UsageError(
            f"{answer.file}: holds ranks {', '.join(map(str, there))}. Choose one: --rank."
        )
    return recording(answer, answer.rows[rank])


def recording(answer: Answer, rows: Iterable[Row]) -> Recording:
    """Put the rows of a rank in the order of launch."""
    by_kind: dict[str, list[Row]] = {"kernel": [], "call": [], "graph": [], "annotation": []}
    for row in rows:
        by_kind[row["what"]].append(row)
    kernels = by_kind["kernel"]
    launched = _launched(kernels)
    order = _order(kernels, launched)
    kernels = [kernels[at] for at in order]
    parsed = {row["name"]: row["short_name"] or parse(row["name"]).name for row in kernels}
    streams: dict[tuple[int, int], int] = {}
    return Recording(
        file=answer.file,
        names=[row["name"] for row in kernels],
        base_names=[parsed[row["name"]] for row in kernels],
        shapes=[
            (row["grid"], row["block"], row["registers"], row["shared_memory"]) for row in kernels
        ],
        ts=_column(kernels, "ts"),
        dur=_column(kernels, "dur"),
        launched=np.maximum.accumulate(launched[order]),
        streams=np.array(
            [streams.setdefault((row["device"], row["stream"]), len(streams)) for row in kernels],
            np.int64,
        ),
        calls=np.sort(_column(by_kind["call"], "ts")),
        graphs=len(by_kind["graph"]),
        in_graphs=sum(row["in_graph"] for row in kernels),
        annotations={
            row["name"]: (row["ts"], row["ts"] + row["dur"])
            for row in by_kind["annotation"]
            if row["dur"] > 0
        },
        notes=answer.notes,
    )


def _column(rows: list[Row], name: str) -> Ints:
    return np.array([row[name] for row in rows], np.int64)


def _launched(kernels: list[Row]) -> Ints:
    """Return when kernels were launched, ns.

    A kernel whose call was not recorded was launched no earlier than the one before it on its
    stream. What is first on its stream was launched before the recording began.
    """
    known = [row["launch_ts"] for row in kernels if row["launch_ts"] is not None]
    found = _column(kernels, "ts")
    if not known:
        return found
    first = min(*known, int(found.min()))
    latest: dict[tuple[int, int], int] = {}
    for at in np.argsort(found, kind="stable").tolist():
        row = kernels[at]
        stream = row["device"], row["stream"]
        before = latest.get(stream, first)
        found[at] = before if row["launch_ts"] is None else row["launch_ts"]
        latest[stream] = max(before, int(found[at]))
    return found


def _order(kernels: list[Row], launched: Ints) -> Ints:
    """Return the places of kernels in the order of launch.

    An export counts the launches of a process. A replay of a graph is one launch of many kernels,
    so that these stand in the order of their calls and starts.
    """
    counts = [row["grid_id"] for row in kernels]
    if (
        all(counts)
        and len(set(counts)) == len(counts)
        and not any(row["in_graph"] for row in kernels)
    ):
        return np.argsort(np.array(counts, np.int64), kind="stable")
    return np.lexsort((_column(kernels, "ts"), launched))
