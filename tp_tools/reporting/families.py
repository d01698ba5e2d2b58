"""Build the section on families of kernels: GEMM, attention, norm, communication, copies, ..."""

from __future__ import annotations

from operator import itemgetter
from typing import TYPE_CHECKING

from tp_tools.formatting import percent
from tp_tools.reporting.bars import ranked, share_of
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels

_TITLE = "Kernels by family"
_COMPUTE = "compute"
_KINDS = {
    _COMPUTE: ("compute", "var(--compute)"),
    "communication": ("communication", "var(--exposed)"),
    "copy": ("copy or memset", "var(--copies)"),
}

Family = tuple[str, int, int, str, int]
"""Family, how many kernels ran, their time in ns, the name with the most of it, its time in ns."""


def section(data: ReportData, labels: Labels) -> Section:
    """Build the section; without figures if nothing ran on a GPU."""
    families = _totals(data)
    total_ns = sum(row[2] for row in families)
    if not total_ns:
        return Section("families", _TITLE, NO_GPU)
    text = "What the GPU worked at, by the names of its kernels."
    return Section("families", _TITLE, text, [_figure(families, total_ns, labels)])


def _figure(families: list[Family], total_ns: int, labels: Labels) -> Figure:
    bars = [
        (
            family,
            time_ns,
            family if family in _KINDS else _COMPUTE,
            f"{family}\n{duration(time_ns)}, {percent(time_ns / total_ns)}, {count:,} times",
        )
        for family, count, time_ns, _, _ in families
    ]
    columns = [
        Column("family", "family", "text"),
        Column("count", "how many"),
        Column("total_ns", "time in all", "ns"),
        Column("share", "share", "percent"),
        Column("top_name", "kernel with the most time on a rank", "name"),
        Column("top_ns", "its time there", "ns"),
    ]
    rows = [
        (family, count, total, 100 * total / total_ns, labels.kernel(top), top_ns)
        for family, count, total, top, top_ns in families
    ]
    return Figure(
        "kernel-families",
        "GPU time by family of kernels",
        "All kernels of a family added up, over all ranks; the bars together are all GPU work. "
        "A fused kernel is of one family; other holds kernels whose names no rule knows.",
        queries=("kernel_families",),
        bars=ranked(bars, _KINDS, lambda ns: share_of(ns, total_ns)),
        table=Table(columns, rows),
    )


def _totals(data: ReportData) -> list[Family]:
    """Sum the families over all ranks, most time first."""
    sums: dict[str, Family] = {}
    columns = ("family", "count", "total_ns", "top_name", "top_ns")
    for family, count, total, top, top_ns in data.rows("kernel_families", *columns):
        _, old_count, old_total, *old_top = sums.get(family, (family, 0, 0, top, -1))
        largest = max((top, top_ns), (old_top[0], old_top[1]), key=itemgetter(1))
        sums[family] = (family, old_count + count, old_total + total, *largest)
    return sorted(sums.values(), key=lambda row: (-row[2], row[0]))
