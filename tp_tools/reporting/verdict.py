"""Build the section on what bounds each GPU: the verdict, the critical path, pipeline bubbles."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools.formatting import percent, plural
from tp_tools.reporting.bars import stacked
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels
    from tp_tools.reporting.tables import KernelName

MAX_ROWS = 40
_TITLE = "What bounds the time"
_BUBBLES = "Pipeline bubbles"
_MIN_PATH_PERCENT = 1.0
_BEFORE = ("cpu", "front end", "dependency", "unknown")
"""Kinds of the critical path that are named by the work that came after them."""

PARTS = (
    ("compute_ns", "compute", "var(--compute)"),
    ("communication_ns", "exposed communication", "var(--exposed)"),
    ("waiting_ns", "waiting for a rank", "var(--waiting)"),
    ("copy_ns", "copies alone", "var(--copies)"),
    ("cpu_ns", "CPU busy or launching", "var(--launch)"),
    ("sync_ns", "CPU in a call that held it", "var(--sync)"),
    ("dependency_ns", "launched, and not begun", "var(--dependency)"),
    ("unknown_ns", "idle, not known why", "var(--unknown)"),
)
"""The parts of a GPU's time in `verdict`: column, name and colour. Together they are all of it."""


def section(data: ReportData, labels: Labels) -> Section:
    """Build the section; without figures if nothing ran on a GPU."""
    if not data.results["verdict"].rows:
        return Section("verdict", _TITLE, NO_GPU)
    text = (
        "What a step takes as long as: the largest part of its time, and the chain of work and "
        "waiting that leads to its end. Stacks and shapes slow the CPU while they are recorded."
    )
    figures = [_verdict_figure(data, labels), _path_figure(data, labels)]
    return Section("verdict", _TITLE, text, [*figures, _bubbles(data, labels)])


def _verdict_figure(data: ReportData, labels: Labels) -> Figure:
    keys = [key for key, _, _ in PARTS]
    rows = [
        (labels.gpu(rank, device), verdict, profiler, dur, *parts)
        for rank, device, part, verdict, profiler, dur, *parts in data.rows(
            "verdict", "rank", "device", "part", "verdict", "profiler", "dur", *keys
        )
        if part == "all"
    ]
    columns = [
        Column("label", "GPU", "text"),
        Column("verdict", "verdict", "text"),
        Column("dur", "time", "ns"),
        *(Column(key, name, "ns") for key, name, _ in PARTS),
    ]
    return Figure(
        "gpu-verdict",
        "What bounds each GPU",
        "A bar per GPU, from its first to its last work, by what it did or what kept the next "
        "work. Time of collectives before the last rank had come is waiting for a rank.",
        queries=("verdict",),
        bars=stacked(PARTS, {row[0]: dict(zip(keys, row[4:], strict=True)) for row in rows}),
        table=Table(columns, [(*row[:2], *row[3:]) for row in rows], has_one_unit=True),
    )


def _path_figure(data: ReportData, labels: Labels) -> Figure:
    keys = ("rank", "device", "part", "kind", "on_rank", "path_ns", "path_percent", "mostly")
    found = [
        (labels.gpu(rank, device), kind, labels.rank(rank if on_rank is None else on_rank), *rest)
        for rank, device, part, kind, on_rank, *rest in data.rows("critical_path", *keys)
        if part == "all"
    ]
    large = [row for row in found if row[4] >= _MIN_PATH_PERCENT]
    most = heapq.nlargest(MAX_ROWS, large, key=lambda row: row[3])
    shown = [row for row in large if row in most]
    columns = [
        Column("label", "path of", "text"),
        Column("kind", "kind", "text"),
        Column("on_rank", "on", "text"),
        Column("path_ns", "time", "ns"),
        Column("path_percent", "share", "percent"),
        Column("mostly", "mostly", "name"),
    ]
    rows = [(*row[:5], _mostly(row[1], row[5], labels)) for row in shown]
    return Figure(
        "critical-path",
        "Critical path of each GPU",
        "What the steps of a GPU took as long as, all steps together. A path goes to another rank "
        "where a collective waited for it. To make work faster that is not on it changes nothing.",
        queries=("critical_path",),
        table=Table(columns, rows, _left_out([row[4] for row in found if row not in shown])),
    )


def _left_out(shares: list[float]) -> str:
    """Say how many rows of the path are not shown, and how large they are, in per cent."""
    if not shares:
        return ""
    return f"And {plural(len(shares), 'row')} more, of at most {percent(max(shares) / 100)} each."


def _mostly(kind: str, name: str, labels: Labels) -> KernelName:
    """Name what most of a part of the path was, or led to: the CPU's time is before a launch."""
    kernel = labels.kernel(name)
    return replace(kernel, short=f"before {kernel.short}") if kind in _BEFORE else kernel


def _bubbles(data: ReportData, labels: Labels) -> Figure:
    """Build the figure on pipeline bubbles; an empty one without messages between known ranks."""
    if "pipeline" not in data.results:
        return Figure("pipeline", _BUBBLES, "no rank sends another one messages")
    keys = ("rank", "device", "part", "message", "bubble_ns", "waiting_ns", "bubble_percent")
    rows = [
        (labels.gpu(rank, device), *rest)
        for rank, device, part, *rest in data.rows("pipeline", *keys)
        if part == "all"
    ]
    if all(row[2] is None for row in rows):
        return Figure("pipeline", _BUBBLES, "messages do not say between which ranks")
    columns = [
        Column("label", "GPU", "text"),
        Column("message", "messages"),
        Column("bubble_ns", "bubbles", "ns"),
        Column("waiting_ns", "of them waiting for the other rank", "ns"),
        Column("bubble_percent", "share of its time", "percent"),
    ]
    return Figure(
        "pipeline",
        _BUBBLES,
        "Time in a send or receive in which the GPU computes nothing.",
        queries=("pipeline",),
        table=Table(columns, rows),
    )
