"""Build the section on phases of inference: prefill, decode, mixed, ..."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any

from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels

_KEYS = (
    "rank",
    "phase",
    "name",
    "ts",
    "requests",
    "prefill_tokens",
    "decode_tokens",
    "dur",
    "gpu_dur",
    "busy_ns",
    "exposed_communication_ns",
    "layers",
    "layer_ns",
)


def section(data: ReportData, labels: Labels) -> Section:
    """Build the section; without figures if no inference engine marks its iterations."""
    rows = [
        dict(zip(_KEYS, row, strict=True))
        for row in data.rows("phases", *_KEYS)
        if row[_KEYS.index("name")] is not None
    ]
    title = "Phases of inference"
    if not rows:
        return Section("phases", title, "no engine marks its iterations")
    text = "What the iterations of the inference engine did, by what their annotations say."
    return Section("phases", title, text, [_figure(rows, labels)])


def _figure(rows: list[dict[str, Any]], labels: Labels) -> Figure:
    phases: dict[tuple[Any, str | None], list[dict[str, Any]]] = defaultdict(list)
    for row in rows:
        phases[row["rank"], row["phase"]].append(row)
    columns = [
        Column("rank", "rank", "text"),
        Column("phase", "phase", "text"),
        Column("iterations", "iterations"),
        Column("requests", "median requests", "number"),
        Column("prefill_tokens", "median prefill tokens", "number"),
        Column("decode_tokens", "median decode tokens", "number"),
        Column("dur", "median on the CPU", "ns"),
        Column("gpu_dur", "median on the GPU", "ns"),
        Column("busy_ns", "GPU busy", "ns"),
        Column("exposed_communication_ns", "exposed communication", "ns"),
        Column("layers", "layers", "number"),
        Column("layer_ns", "per layer", "ns"),
    ]
    cells = [
        (
            labels.rank(rank),
            phase,
            len({row["ts"] for row in own}),
            *(_median(own, column.key) for column in columns[3:]),
        )
        for (rank, phase), own in phases.items()
    ]
    return Figure(
        "iterations",
        "Iterations by phase",
        "Medians over the iterations of a rank. What a name does not say is not known. Layers are "
        "kernels that repeat through an iteration: layers of the model, or groups that take turns.",
        queries=("phases",),
        table=Table(columns, cells),
    )


def _median(rows: list[dict[str, Any]], key: str) -> int | None:
    known = [row[key] for row in rows if row[key] is not None]
    return round(median(known)) if known else None
