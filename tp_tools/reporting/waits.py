"""Build the section on waits of the CPU: for the GPU, and for data."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

from tp_tools.formatting import plural
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels

MAX_ROWS = 20


def section(data: ReportData, labels: Labels) -> Section:
    """Build the section; without figures if no thread waited for the GPU or for data."""
    text = (
        "While the GPU works a wait costs little; while it idles it costs what it takes, "
        "and the time after it until new work has been launched."
    )
    figures = [_syncs(data, labels), _dataloader(data, labels)]
    return Section("waits", "Where the CPU waits", text, figures)


def _syncs(data: ReportData, labels: Labels) -> Figure:
    title = "Host synchronisations"
    if not data.results["syncs"].rows:
        return Figure("syncs", title, "no thread waited for the GPU")
    keys = ("rank", "name", "cpu_op", "python_line", "count", "total_ns", "gpu_idle_ns")
    found = sorted(data.rows("syncs", *keys), key=lambda row: (-row[6], -row[5]))
    columns = [
        Column("rank", "rank", "text"),
        Column("name", "call", "text"),
        Column("cpu_op", "op", "text"),
        Column("python_line", "Python", "text"),
        Column("count", "how many"),
        Column("total_ns", "time in all", "ns"),
        Column("gpu_idle_ns", "GPU idle", "ns"),
    ]
    rows = [(labels.rank(rank), *rest) for rank, *rest in found[:MAX_ROWS]]
    omitted = len(found) - len(rows)
    return Figure(
        "syncs",
        title,
        "Calls in which a thread of the CPU waited for the GPU, by op and Python line, those first "
        "that let the GPU idle longest.",
        queries=("syncs",),
        table=Table(columns, rows, f"And {plural(omitted, 'row')} more." if omitted else ""),
    )


def _dataloader(data: ReportData, labels: Labels) -> Figure:
    title = "Waiting for data"
    if not data.results["dataloader"].rows:
        return Figure("dataloader", title, "no DataLoader was asked for a batch")
    keys = ("rank", "step", "count", "dataloader_ns", "dataloader_percent", "gpu_idle_ns")
    found = list(data.rows("dataloader", *keys))
    columns = [
        Column("rank", "rank", "text"),
        Column("steps", "steps"),
        Column("count", "batches"),
        Column("dataloader_ns", "time in all", "ns"),
        Column("median_percent", "median share of a step", "percent"),
        Column("gpu_idle_ns", "GPU idle", "ns"),
    ]
    rows = []
    for rank in dict.fromkeys(row[0] for row in found):
        own = [row for row in found if row[0] == rank]
        shares = [row[4] for row in own if row[4] is not None]
        sums = [sum(row[number] for row in own) for number in (2, 3, 5)]
        share = median(shares) if shares else None
        steps = sum(row[1] is not None for row in own)
        rows.append((labels.rank(rank), steps, sums[0], sums[1], share, sums[2]))
    return Figure(
        "dataloader",
        title,
        "Time in which the program waited for the next batch of its DataLoader.",
        queries=("dataloader",),
        table=Table(columns, rows),
    )
