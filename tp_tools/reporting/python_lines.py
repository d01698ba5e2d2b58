"""Build the section on lines of Python: what GPU time each function launched itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from tp_tools.formatting import percent, plural
from tp_tools.reporting.bars import ranked, share_of
from tp_tools.reporting.commands import TRACES
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData

MAX_BARS = 12
MAX_ROWS = 100
_TITLE = "GPU time by line of Python"

_KINDS = {
    "line": ("of lines", "var(--compute)"),
    "none": ("of no line, for the reason beside it", "var(--idle)"),
}


@dataclass
class _Line:
    """A function, or the work of none for one reason.

    Attributes:
        name: file, line and name of the function; the reason.
        kind: a key of `_KINDS`.
        calls: how often it was called.
        self_ns, gpu_ns: GPU time that it launched itself; with all that it called.
        top_op: op with the most time on the rank with the most; None if no op is known.
        top_ns: the time on that rank.
    """

    name: str
    kind: str
    calls: int = 0
    self_ns: int = 0
    gpu_ns: int = 0
    top_op: str | None = None
    top_ns: int = -1


def section(data: ReportData) -> Section:
    """Build the section; without a figure if no Python stacks were recorded."""
    lines = _lines(data)
    total_ns = sum(it.self_ns for it in lines)
    if not total_ns:
        return Section("python-lines", _TITLE, NO_GPU)
    if all(it.kind == "none" for it in lines):
        return Section("python-lines", _TITLE, "no lines of Python were recorded (with_stack)")
    text = "Which lines of the program the GPU worked for."
    return Section("python-lines", _TITLE, text, [_figure(lines, total_ns)])


def _figure(lines: list[_Line], total_ns: int) -> Figure:
    bars = [
        (
            it.name,
            it.self_ns,
            it.kind,
            f"{duration(it.self_ns)}, {percent(it.self_ns / total_ns)}, {it.calls:,} calls",
        )
        for it in lines[:MAX_BARS]
    ]
    columns = [
        Column("python_line", "function, or why it is of none", "text"),
        Column("calls", "calls"),
        Column("self_gpu_ns", "GPU time", "ns"),
        Column("share", "share", "percent"),
        Column("gpu_ns", "with all that it called", "ns"),
        Column("top_op", "op with the most", "text"),
    ]
    rows = [
        (
            it.name,
            it.calls or None,
            it.self_ns,
            100 * it.self_ns / total_ns,
            it.gpu_ns,
            it.top_op,
        )
        for it in lines[:MAX_ROWS]
    ]
    omitted = len(lines) - len(rows)
    return Figure(
        "python-functions",
        "GPU work by function of Python",
        "Work that functions launched themselves, those of PyTorch counted for the function of the "
        "program that called them, over all ranks; together they are all GPU work. The line is "
        "that of the function's def.",
        queries=("python_lines",),
        command=f"tp-tools query python_lines {TRACES}",
        bars=ranked(bars, _KINDS, lambda ns: share_of(ns, total_ns)),
        table=Table(columns, rows, f"And {plural(omitted, 'row')} more." if omitted else ""),
    )


def _lines(data: ReportData) -> list[_Line]:
    """Sum functions over ranks, most time first; work of none by reason."""
    found: dict[tuple[str, str], _Line] = {}
    keys = ("python_line", "calls", "self_gpu_ns", "gpu_ns", "reason", "top_op")
    for line, calls, self_ns, gpu_ns, reason, top_op in data.rows("python_lines", *keys):
        key = ("none", reason) if line is None else ("line", line)
        it = found.setdefault(key, _Line(key[1], key[0]))
        it.calls += calls
        it.self_ns += self_ns
        it.gpu_ns += gpu_ns
        if self_ns > it.top_ns:
            it.top_op, it.top_ns = top_op, self_ns
    used = [it for it in found.values() if it.self_ns]
    return sorted(used, key=lambda it: (-it.self_ns, it.name))
