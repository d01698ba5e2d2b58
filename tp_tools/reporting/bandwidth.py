"""Build the figure on the bandwidth of collectives."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tp_tools.formatting import plural, size
from tp_tools.reporting import tables
from tp_tools.reporting.line_plots import Points, plot_over_sizes
from tp_tools.reporting.model import Figure
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.reporting.data import ReportData

MAX_SIZES = 500
_TITLE = "Bandwidth over message size"
_WITHOUT_BYTES = "dispatch_combine"


class _Size(NamedTuple):
    """A kind and size of collectives.

    Attributes:
        kind: kind of the collectives.
        bytes: size of their messages.
        is_complete: whether the traces have all ranks that took part.
    """

    kind: str
    bytes: int
    is_complete: bool


def figures(data: ReportData) -> Iterator[Figure]:
    """Yield the figure, if the job has collectives whose bytes are known to the library."""
    queries = [name for name in data.collective_queries() if name != _WITHOUT_BYTES]
    if queries:
        yield _figure(data, queries)


def _figure(data: ReportData, queries: list[str]) -> Figure:
    speeds: dict[_Size, list[float]] = defaultdict(list)
    unknown = uncertain = 0
    columns = ("kind", "bytes", "busbw", "confidence", "ranks", "ranks_expected")
    for query in queries:
        for kind, length, busbw, confidence, ranks, expected in data.rows(query, *columns):
            if confidence == "uncertain":
                uncertain += 1
            elif not length or not busbw or min(length, busbw) <= 0:
                unknown += 1
            else:
                speeds[_Size(kind, length, ranks >= expected)].append(busbw)
    notes = [
        *(
            [f"Left out: {plural(uncertain, 'collective')} with an uncertain match."]
            if uncertain
            else []
        ),
        *([f"Left out: {plural(unknown, 'collective')} of unknown size."] if unknown else []),
    ]
    if not speeds:
        text = "no collective says how many bytes it moved, or none of those is sure"
        return Figure("bandwidth", _TITLE, text, queries, notes=notes)
    sizes = sorted(speeds, key=lambda group: (-group.bytes * len(speeds[group]), group))
    plotted = sorted(sizes[:MAX_SIZES])
    if len(plotted) < len(speeds):
        notes.append(f"The {MAX_SIZES} sizes that moved most bytes, of {len(speeds):,}.")
    if any(not group.is_complete for group in plotted):
        notes.append(f"{'Hollow points' if len(plotted) > 1 else 'Some missing'}: {_INCOMPLETE}")
    return Figure(
        "bandwidth",
        _TITLE,
        "Bus bandwidth (busbw) is what the wires carried once the last rank had arrived, as "
        "nccl-tests defines it, so it can be held against what the hardware can do. "
        f"{_POINTS if len(plotted) > 1 else ''}Large messages should come near the limit; small "
        "ones cannot.",
        queries=queries,
        plot=plot_over_sizes([_points(kind, plotted, speeds) for kind in _groups(plotted)])
        if len(plotted) > 1
        else None,
        table=_table(plotted, speeds),
        notes=notes,
    )


_POINTS = (
    "A point is the median of all collectives of one kind and size, its whisker the slowest and "
    "the fastest. "
)
_INCOMPLETE = (
    "ranks that took part are not among these traces. The time may contain waiting for them, so "
    "the true bandwidth is at least that."
)


def _groups(sizes: list[_Size]) -> list[tuple[str, bool]]:
    return sorted({(group.kind, group.is_complete) for group in sizes})


def _points(
    group: tuple[str, bool], sizes: list[_Size], speeds: dict[_Size, list[float]]
) -> Points:
    kind, is_complete = group
    members = [entry for entry in sizes if (entry.kind, entry.is_complete) == group]
    return Points(
        kind if is_complete else f"{kind}, ranks missing",
        [entry.bytes for entry in members],
        [median(speeds[entry]) for entry in members],
        [
            f"{kind}, {size(entry.bytes)}, {len(speeds[entry]):,} times\n"
            f"median {tables.bandwidth(median(speeds[entry]))}"
            for entry in members
        ],
        [min(speeds[entry]) for entry in members],
        [max(speeds[entry]) for entry in members],
        is_hollow=not is_complete,
    )


def _table(sizes: list[_Size], speeds: dict[_Size, list[float]]) -> Table:
    columns = [
        Column("kind", "kind", "text"),
        Column("bytes", "size", "bytes"),
        Column("ranks_in_trace", "ranks", "text"),
        Column("count", "how many"),
        Column("median_busbw", "busbw, median", "gbps"),
        Column("lowest_busbw", "slowest", "gbps"),
        Column("highest_busbw", "fastest", "gbps"),
    ]
    rows = [
        (
            entry.kind,
            entry.bytes,
            "all" if entry.is_complete else "some missing",
            len(speeds[entry]),
            median(speeds[entry]),
            min(speeds[entry]),
            max(speeds[entry]),
        )
        for entry in sizes
    ]
    return Table(columns, rows)
