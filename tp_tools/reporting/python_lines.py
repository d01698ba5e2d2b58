"""Build the section on lines of Python: what GPU time each function launched itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.reporting import launchers
from tp_tools.reporting.commands import TRACES
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.launchers import NONE, OWN, Launcher
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData

_TITLE = "GPU time by line of Python"

_LEGEND = {OWN: "of lines", NONE: "of no line, for the reason beside it"}


class _Line(Launcher):
    """A function, by file, line and name, or the work of none for one reason.

    Attributes:
        gpu_ns: GPU time that it launched, with all that it called.
    """

    gpu_ns: int = 0


def section(data: ReportData) -> Section:
    """Build the section; without a figure if no Python stacks were recorded."""
    lines = _lines(data)
    if not lines:
        return Section("python-lines", _TITLE, NO_GPU)
    if all(it.kind == NONE for it in lines):
        return Section("python-lines", _TITLE, "no lines of Python were recorded (with_stack)")
    text = "Which lines of the program the GPU worked for."
    return Section("python-lines", _TITLE, text, [_figure(lines)])


def _figure(lines: list[_Line]) -> Figure:
    total_ns = launchers.total_ns(lines)
    columns = [
        Column("python_line", "function, or why it is of none", "text"),
        Column("calls", "calls"),
        Column("self_gpu_ns", "GPU time", "ns"),
        Column("share", "share", "percent"),
        Column("gpu_ns", "with all that it called", "ns"),
        Column("top_op", "op with the most", "text"),
    ]

    def row(it: _Line) -> tuple[object, ...]:
        share = 100 * it.self_ns / total_ns
        return it.name, it.calls or None, it.self_ns, share, it.gpu_ns, it.top_op

    return Figure(
        "python-functions",
        "GPU work by function of Python",
        "Work that functions launched themselves, those of PyTorch counted for the function of the "
        "program that called them, over all ranks; together they are all GPU work. The line is "
        "that of the function's def.",
        queries=("python_lines",),
        command=f"tp-tools query python_lines {TRACES}",
        bars=launchers.bars(lines, _LEGEND),
        table=launchers.table(lines, columns, row),
    )


def _lines(data: ReportData) -> list[_Line]:
    """Sum functions over ranks, most time first; work of none by reason."""
    found: dict[tuple[str, str], _Line] = {}
    keys = ("python_line", "calls", "self_gpu_ns", "gpu_ns", "reason", "top_op")
    for line, calls, self_ns, gpu_ns, reason, top_op in data.rows("python_lines", *keys):
        key = (NONE, reason) if line is None else (OWN, line)
        it = found.setdefault(key, _Line(key[1], key[0]))
        it.add(calls, self_ns, top_op)
        it.gpu_ns += gpu_ns
    return launchers.most_first(found.values())
