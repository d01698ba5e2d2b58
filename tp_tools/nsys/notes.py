"""Say what an export lacks, and what its reader left out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.nsys import tables

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.nsys.database import Database
    from tp_tools.nsys.facts import Facts
    from tp_tools.nsys.recording import Recording

_WARNING = 2
"""Severity from which on a diagnostic is passed on: 1 is information."""

_VERBOSE = 4
"""Severity of what was asked for with more words; 3 is an error."""

_TOLD = {*tables.DRAWN, tables.DIAGNOSTIC}
"""Tables of events that are drawn or passed on."""

_MOST_DIAGNOSTICS = 20


def notes(recording: Recording, facts: Facts) -> list[str]:
    """Return lines on the export, once all of it was read.

    Raises:
        InputError: the file is damaged.
    """
    database = recording.database
    return [
        *facts.notes,
        *recording.layout.notes,
        *_missing(recording, facts),
        *_left_out(recording),
        *_diagnostics(database),
    ]


def _missing(recording: Recording, facts: Facts) -> Iterator[str]:
    database, drawn = recording.database, recording.drawn
    if not any(drawn[table] for table in (*tables.GPU_WORK, tables.API)):
        yield "It holds no CUDA activity: record with nsys profile --trace=cuda,nvtx."
    elif tables.STRINGS not in database.columns or not database.count(tables.STRINGS):
        yield (
            f"Its table {tables.STRINGS} is missing or empty: kernels, calls and NVTX ranges have "
            "no names, so collectives count as compute. Export the report again."
        )
    elif recording.unnamed:
        yield (
            f"{_counted(recording.unnamed, 'kernel')} without a name in it, called kernel here: "
            "collectives among them count as compute. Export the report again."
        )
    if drawn[tables.GRAPH]:
        yield (
            f"{_counted(drawn[tables.GRAPH], 'replay')} of CUDA graphs were recorded as a whole: "
            "their kernels are not in it. Record with --cuda-graph-trace=node to have them."
        )
    elif facts.graphs_whole and not drawn[tables.KERNEL]:
        yield "It was recorded with --cuda-graph-trace=graph: kernels of graphs are not in it."


def _left_out(recording: Recording) -> Iterator[str]:
    database = recording.database
    counts = [
        f"{count:,} {tables.LEFT_OUT[table]}"
        if table in tables.LEFT_OUT
        else f"{table} ({count:,})"
        for table, columns in database.columns.items()
        if not columns.isdisjoint(tables.TIMES) and table not in _TOLD
        if (count := database.count(table))
    ]
    if counts:
        yield f"Not shown: {', '.join(counts)}."
    lacking = [f"{what} ({count:,})" for what, count in sorted(recording.left_out.items())]
    if lacking:
        yield f"Left out: {', '.join(lacking)}."
    payloads = recording.payloads
    if payloads.unread:
        yield (
            f"{_counted(payloads.unread, 'NVTX range')} with a binary payload that no schema of "
            "the export tells how to decode: export with --include-json=true to have it."
        )
    if payloads.partly:
        yield (
            f"{_counted(payloads.partly, 'NVTX range')} with members of a binary payload whose "
            "type the export does not tell: these are left out."
        )
    if recording.open_ranges:
        yield (
            f"{_counted(recording.open_ranges, 'NVTX range')} never ended while it was recorded: "
            "a mark stands where each begins."
        )


def _diagnostics(database: Database) -> Iterator[str]:
    rows = database.all(tables.DIAGNOSTIC, ["severity", "text"])
    told = [row for row in rows if isinstance(row[0], int) and row[0] >= _WARNING]
    texts = [text for _, text in sorted(told, key=lambda row: row[0] == _VERBOSE)]
    known = list(dict.fromkeys(" ".join(str(text).split()) for text in texts))
    for text in known[:_MOST_DIAGNOSTICS]:
        yield f"Nsight Systems says: {text}"
    if len(known) > _MOST_DIAGNOSTICS:
        yield f"Nsight Systems says {len(known) - _MOST_DIAGNOSTICS} things more."


def _counted(count: int, what: str) -> str:
    return f"{count:,} {what}" if count == 1 else f"{count:,} {what}s"
