"""Build the section on modules: what GPU time each kind of nn.Module launched itself."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tp_tools.formatting import percent, plural
from tp_tools.reporting.bars import ranked, share_of
from tp_tools.reporting.commands import TRACES, quoted
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.reporting.data import ReportData

MAX_BARS = 12
MAX_ROWS = 100
_TITLE = "GPU time by module"
_NUMBER = re.compile(r"_\d+$")
"""Suffix by which the profiler numbers the modules of one class: Linear_17."""

_KINDS = {
    "module": ("of modules", "var(--compute)"),
    "none": ("of no module, for the reason beside it", "var(--idle)"),
}


_TAKEN_APART = (
    "Replays of graphs are taken apart by traces of their capture, which the command reads. The "
    "SQL does not hold these: in the Query tab this work is of no module."
)


@dataclass
class _Class:
    """The modules of one class, or the work of none for one reason.

    Attributes:
        name: name of the class; the reason.
        kind: a key of `_KINDS`.
        paths: places of its modules in the model.
        calls: how often they were called.
        gpu_ns, backward_ns: GPU time that they launched themselves; of that, in the backward pass.
        top_op: op with the most time in the module with the most; None if no op is known.
        top_ns: the time of that module.
    """

    name: str
    kind: str
    paths: set[str] = field(default_factory=set)
    calls: int = 0
    gpu_ns: int = 0
    backward_ns: int = 0
    top_op: str | None = None
    top_ns: int = -1


def section(data: ReportData) -> Section:
    """Build the section; without a figure if no modules were recorded."""
    classes = _classes(data)
    total_ns = sum(it.gpu_ns for it in classes)
    if not total_ns:
        return Section("modules", _TITLE, NO_GPU)
    if all(it.kind == "none" for it in classes):
        return Section("modules", _TITLE, "no modules or annotations were recorded (with_stack)")
    text = "Which parts of the model the GPU worked for."
    return Section("modules", _TITLE, text, [_figure(classes, total_ns, data.captured)])


def _figure(classes: list[_Class], total_ns: int, captured: tuple[str, ...] | None) -> Figure:
    bars = [
        (
            it.name,
            it.gpu_ns,
            it.kind,
            f"{duration(it.gpu_ns)}, {percent(it.gpu_ns / total_ns)}, {it.calls:,} calls",
        )
        for it in classes[:MAX_BARS]
    ]
    columns = [
        Column("name", "class, or why it is of none", "text"),
        Column("modules", "modules"),
        Column("calls", "calls"),
        Column("self_gpu_ns", "GPU time", "ns"),
        Column("share", "share", "percent"),
        Column("backward_ns", "of that backward", "ns"),
        Column("top_op", "op with the most in one of them", "text"),
    ]
    rows = [
        (
            it.name,
            len(it.paths) or None,
            it.calls or None,
            it.gpu_ns,
            100 * it.gpu_ns / total_ns,
            it.backward_ns,
            it.top_op,
        )
        for it in classes[:MAX_ROWS]
    ]
    omitted = len(classes) - len(rows)
    return Figure(
        "module-classes",
        "GPU work by class of module",
        "Work that modules launched themselves, not in modules that they call: all modules of a "
        "class added up, over all ranks; together they are all GPU work. Where no Python stacks "
        "were recorded the program's annotations stand for modules.",
        queries=("modules",),
        command=_command(captured or ()),
        notes=() if captured is None else (_TAKEN_APART,),
        bars=ranked(bars, _KINDS, lambda ns: share_of(ns, total_ns)),
        table=Table(columns, rows, f"And {plural(omitted, 'row')} more." if omitted else ""),
    )


def _command(captured: Iterable[str]) -> str:
    """Return the command that prints the numbers, with the captures that were named."""
    options = "".join(f" --capture {quoted(name)}" for name in captured)
    return f"tp-tools query modules {TRACES}{options}"


def _classes(data: ReportData) -> list[_Class]:
    """Sum modules by class, most time first; work of none by reason."""
    found: dict[tuple[str, str], _Class] = {}
    keys = ("path", "name", "calls", "self_gpu_ns", "self_backward_gpu_ns", "reason", "top_op")
    for path, name, calls, gpu_ns, backward_ns, reason, top_op in data.rows("modules", *keys):
        key = ("none", reason) if name is None else ("module", _NUMBER.sub("", name))
        it = found.setdefault(key, _Class(key[1], key[0]))
        it.paths |= {path} if path is not None else set()
        it.calls += calls
        it.gpu_ns += gpu_ns
        it.backward_ns += backward_ns
        if gpu_ns > it.top_ns:
            it.top_op, it.top_ns = top_op, gpu_ns
    used = [it for it in found.values() if it.gpu_ns]
    return sorted(used, key=lambda it: (-it.gpu_ns, it.name))
