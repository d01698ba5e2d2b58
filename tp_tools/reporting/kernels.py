"""The kernels that took most time."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tp_tools.formatting import percent, plural
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.plots import BarPart, bars, unit
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.reporting.data import Answers
    from tp_tools.reporting.labels import Labels

MOST_KERNELS = 20

KINDS = {
    "compute": ("compute", "var(--compute)"),
    "collective": ("communication", "var(--exposed)"),
    "copy": ("copy or memset", "var(--copies)"),
}


def kernels(answers: Answers, labels: Labels) -> Section:
    """The kernels that took most time."""
    title = "Top kernels"
    totals = _totals(answers)
    if not totals:
        return Section("kernels", title, NO_GPU)
    whole = sum(row[3] for row in totals)
    shown = totals[:MOST_KERNELS]
    says = (
        f"A kernel is a program that runs on the GPU. {plural(len(totals), 'name')} ran, "
        f"{duration(whole)} in all."
    )
    scale, written = unit([row[3] for row in shown])
    parts = [
        BarPart(
            name,
            color,
            [row[3] / scale if row[1] == kind else None for row in shown],
            [
                f"{row[0]}\n{duration(row[3])}, {percent(row[3] / whole)}, {row[2]:,} times"
                for row in shown
            ],
        )
        for kind, (name, color) in KINDS.items()
        if any(row[1] == kind for row in shown)
    ]
    columns = [
        Column("name", "kernel", "name"),
        Column("kind", "kind", "text"),
        Column("count", "how many"),
        Column("total_ns", "time in all", "ns"),
        Column("share", "share", "percent"),
        Column("max_ns", "longest", "ns"),
    ]
    rows = [(*row[:4], 100 * row[3] / whole, row[4]) for row in shown]
    if len(answers.members) > 1:
        columns += [
            Column("least_ns", "least on a rank", "ns"),
            Column("most_ns", "most on a rank", "ns"),
            Column("most_rank", "on", "text"),
        ]
        rows = [
            (*row, *_spread(answers, it[:2], labels)) for row, it in zip(rows, shown, strict=True)
        ]
    rest = (
        f"And {plural(len(totals) - len(shown), 'name')} more." if len(totals) > len(shown) else ""
    )
    figure = Figure(
        "top-kernels",
        "Kernels by their time",
        f"The {plural(len(shown), 'kernel')} with the most time, over all ranks: all runs of one "
        "name added up, so where kernels ran at once it is more than the GPU was busy. Making one "
        "of them faster can save at most the length of its bar.",
        queries=("kernels",),
        plot=bars([row[0] for row in shown], parts, f"time, {written}"),
        table=Table(columns, rows, rest),
    )
    return Section("kernels", title, says, [figure])


def _totals(answers: Answers) -> list[tuple[str, str, int, int, int]]:
    """Name, kind, count, total and longest of each kernel over all ranks, most time first."""
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    columns = ("name", "kind", "count", "total_ns", "max_ns")
    for name, kind, count, total, longest in answers.rows("kernels", *columns):
        it = found.get((name, kind), (0, 0, 0))
        found[name, kind] = (it[0] + count, it[1] + total, max(it[2], longest))
    rows = [(name, kind, *it) for (name, kind), it in found.items()]
    return sorted(rows, key=lambda row: (-row[3], row[0], row[1]))


def _spread(answers: Answers, kernel: tuple[str, str], labels: Labels) -> Sequence[Any]:
    """Its least and most time on a rank, and the rank with the most."""
    times: dict[int | None, int] = defaultdict(int)
    times.update({it.rank: 0 for it in answers.members})
    for rank, name, kind, total in answers.rows("kernels", "rank", "name", "kind", "total_ns"):
        if (name, kind) == kernel:
            times[rank] += total
    most = max(times, key=lambda rank: times[rank])
    return min(times.values()), times[most], labels.rank(most)
