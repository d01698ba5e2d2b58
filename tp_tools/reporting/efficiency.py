"""Build the section on how well kernels use the GPU: roofline of ops, occupancy of kernels."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tp_tools.formatting import percent, plural
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels

MAX_ROWS = 20


def section(data: ReportData, labels: Labels) -> Section:
    """Build the section; without figures where nothing of it was recorded."""
    text = "What kernels make of the GPU while they run, as far as the profiler recorded it."
    figures = [_roofline(data, labels), _occupancy(data, labels)]
    return Section("efficiency", "How well kernels use the GPU", text, figures)


def _roofline(data: ReportData, labels: Labels) -> Figure:
    """Build the figure on operations and bytes of ops; empty where no shapes tell of any."""
    title = "Roofline of ops"
    if not data.results["roofline"].rows:
        return Figure("roofline", title, "no op launched work")
    keys = [column.key for column in _ROOFLINE_COLUMNS]
    found = sorted(data.rows("roofline", "flops", "bytes", *keys), key=lambda row: -row[7])
    known = [row for row in found if row[0] is not None and row[1] is not None]
    if not known:
        return Figure("roofline", title, "no shapes of inputs were recorded (record_shapes)")
    time = keys.index("gpu_ns")
    total_ns = sum(row[2 + time] for row in found)
    share = percent(sum(row[2 + time] for row in known) / total_ns) if total_ns else "-"
    rows = [_exact(row, labels) for row in known[:MAX_ROWS]]
    omitted = len(known) - len(rows)
    return Figure(
        "roofline",
        title,
        "Operations and bytes of ops follow from the recorded shapes of their inputs, rates "
        "from the time of their kernels. An op is bound by what takes longer at the GPU's "
        f"peaks. These ops are {share} of the time of GPU work; of the rest, shapes do not "
        "tell what it did.",
        queries=("roofline",),
        table=Table(
            _ROOFLINE_COLUMNS, rows, f"And {plural(omitted, 'row')} more." if omitted else ""
        ),
    )


def _exact(row: tuple[Any, ...], labels: Labels) -> tuple[Any, ...]:
    """Return the cells of an op, its rates with all digits: the query rounds to 3 decimals."""
    flops, size, *cells = row
    cell = dict(zip([column.key for column in _ROOFLINE_COLUMNS], cells, strict=True))
    cell["rank"] = labels.rank(cell["rank"])
    if cell["tflops"] is not None:
        cell["tflops"] = flops * cell["calls"] / 1e3 / cell["gpu_ns"]
    if cell["gbps"] is not None:
        cell["gbps"] = size * cell["calls"] / cell["gpu_ns"]
    return tuple(cell.values())


_ROOFLINE_COLUMNS = (
    Column("rank", "on", "text"),
    Column("op", "op", "text"),
    Column("dims", "shapes", "text"),
    Column("dtype", "type", "text"),
    Column("calls", "calls"),
    Column("gpu_ns", "time in all", "ns"),
    Column("tflops", "arithmetic", "tflops"),
    Column("mfu_percent", "of the peak", "percent"),
    Column("gbps", "memory", "gbps"),
    Column("bandwidth_percent", "of the peak", "percent"),
    Column("bound", "bound by", "text"),
)


def _occupancy(data: ReportData, labels: Labels) -> Figure:
    """Build the figure on occupancy; empty where no kernel has any."""
    title = "Occupancy"
    if not data.results["occupancy"].rows:
        return Figure("occupancy", title, "no kernel ran")
    keys = (
        "name",
        "rank",
        "total_ns",
        "occupancy_percent",
        "reason",
        "blocks_per_sm",
        "underfilled_ns",
        "grid",
        "block",
    )
    found = sorted(data.rows("occupancy", *keys), key=lambda row: (-row[2], row[0]))
    if all(row[5] is None for row in found):
        return Figure("occupancy", title, "grids and blocks of kernels were not recorded")
    columns = [
        Column("name", "kernel", "name"),
        Column("rank", "on", "text"),
        Column("total_ns", "time in all", "ns"),
        Column("occupancy_percent", "occupancy", "percent"),
        Column("reason", "not known, for", "text"),
        Column("blocks_per_sm", "blocks per SM"),
        Column("underfilled_ns", "with fewer blocks than SMs", "ns"),
        Column("grid", "grid", "text"),
        Column("block", "block", "text"),
    ]
    rows = [
        (labels.kernel(name), labels.rank(rank), *_known(rest))
        for name, rank, *rest in found[:MAX_ROWS]
    ]
    omitted = len(found) - len(rows)
    return Figure(
        "occupancy",
        title,
        "Warps that a multiprocessor holds at a time, of those that it could, as the profiler "
        "estimates them from the shape of each launch. Kernels with fewer blocks than the GPU "
        "has multiprocessors leave some of them idle. GEMMs on tensor cores need few warps.",
        queries=("occupancy",),
        table=Table(columns, rows, f"And {plural(omitted, 'row')} more." if omitted else ""),
    )


def _known(values: list[Any]) -> list[Any]:
    """Return the cells of a kernel, with an empty reason where its occupancy is known."""
    total_ns, occupancy, reason, *shape = values
    return [total_ns, occupancy, reason or "", *shape]
