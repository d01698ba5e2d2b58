"""Build the section on the kernels with the most time."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any, TypeAlias

from tp_tools.formatting import percent, plural
from tp_tools.reporting.bars import ranked, share_of
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.reporting.bars import Bars
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels
    from tp_tools.reporting.places import Places

MAX_BARS = 20
MAX_ROWS = 100

Kernel: TypeAlias = "tuple[str, str, int, int, int]"
"""All runs of a kernel: name, kind (a key of `KINDS`), count, total ns, longest ns."""

KINDS = {
    "compute": ("compute", "var(--compute)"),
    "collective": ("communication", "var(--exposed)"),
    "copy": ("copy or memset", "var(--copies)"),
}


def section(data: ReportData, labels: Labels, places: Places) -> Section:
    """Build the section; without a figure if nothing ran on a GPU."""
    title = "Top kernels"
    totals = _totals(data)
    if not totals:
        return Section("kernels", title, NO_GPU)
    total_ns = sum(row[3] for row in totals)
    text = (
        f"A kernel is a program that runs on the GPU. {plural(len(totals), 'name')} ran, "
        f"{duration(total_ns)} in all."
    )
    top, drawn = totals[:MAX_ROWS], totals[:MAX_BARS]
    omitted = len(totals) - len(top)
    figure = Figure(
        "top-kernels",
        "Kernels by their time",
        f"The {plural(len(drawn), 'kernel')} with the most time, over all ranks: all runs of one "
        "name added up, so where kernels ran at once it is more than the GPU was busy. Making one "
        "of them faster can save at most the length of its bar.",
        queries=("kernels",),
        bars=_bars(drawn, total_ns, labels),
        table=Table(
            _COLUMNS if len(data.members) == 1 else (*_COLUMNS, *_RANK_COLUMNS),
            _rows(top, total_ns, data, labels, places),
            f"And {plural(omitted, 'name')} more." if omitted else "",
        ),
    )
    return Section("kernels", title, text, [figure])


def _bars(top: list[Kernel], total_ns: int, labels: Labels) -> Bars:
    """Draw a bar per kernel, in the colour of its kind."""
    bars = [
        (
            labels.kernel(name).short,
            time_ns,
            kind,
            f"{name}\n{duration(time_ns)}, {percent(time_ns / total_ns)}, {count:,} times",
        )
        for name, kind, count, time_ns, _ in top
    ]
    return ranked(bars, KINDS, lambda ns: share_of(ns, total_ns))


def _rows(
    top: list[Kernel], total_ns: int, data: ReportData, labels: Labels, places: Places
) -> list[tuple[object, ...]]:
    """Return the cells of each kernel; of several ranks also those of `_RANK_COLUMNS`."""
    views = {
        (name, kind, longest): (rank, slice_id)
        for rank, name, kind, longest, slice_id in data.rows("kernels", *_LONGEST)
    }
    rows: list[tuple[object, ...]] = [
        (
            labels.kernel(name),
            kind,
            count,
            time_ns,
            100 * time_ns / total_ns,
            longest,
            places.at_slice(*views.get((name, kind, longest), (None, None))),
        )
        for name, kind, count, time_ns, longest in top
    ]
    if len(data.members) == 1:
        return rows
    return [
        (*row, *_spread(data, kernel[:2], labels)) for row, kernel in zip(rows, top, strict=True)
    ]


def _totals(data: ReportData) -> list[Kernel]:
    """Sum the kernels of each name over all ranks, most time first."""
    sums: dict[tuple[str, str], tuple[int, int, int]] = {}
    columns = ("name", "kind", "count", "total_ns", "max_ns")
    for name, kind, count, total, longest in data.rows("kernels", *columns):
        old_count, old_total, old_longest = sums.get((name, kind), (0, 0, 0))
        sums[name, kind] = (old_count + count, old_total + total, max(old_longest, longest))
    rows = [(name, kind, *values) for (name, kind), values in sums.items()]
    return sorted(rows, key=lambda row: (-row[3], row[0], row[1]))


def _spread(data: ReportData, kernel: tuple[str, str], labels: Labels) -> Sequence[Any]:
    """Compare a kernel over ranks.

    Returns:
        Least and most time on a rank in ns, and the name of the rank with the most.
    """
    times: dict[int | None, int] = defaultdict(int)
    times.update({member.rank: 0 for member in data.members})
    for rank, name, kind, total in data.rows("kernels", "rank", "name", "kind", "total_ns"):
        if (name, kind) == kernel:
            times[rank] += total
    most = max(times, key=lambda rank: times[rank])
    return min(times.values()), times[most], labels.rank(most)


_COLUMNS = (
    Column("name", "kernel", "name"),
    Column("kind", "kind", "text"),
    Column("count", "how many"),
    Column("total_ns", "time in all", "ns"),
    Column("share", "share", "percent"),
    Column("max_ns", "longest", "ns"),
    Column("view", "the longest, in the timeline", "view"),
)

_LONGEST = ("rank", "name", "kind", "max_ns", "id")

_RANK_COLUMNS = (
    Column("least_ns", "least on a rank", "ns"),
    Column("most_ns", "most on a rank", "ns"),
    Column("most_rank", "on", "text"),
)
"""Columns of `_spread`, where there are several ranks."""
