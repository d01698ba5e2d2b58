"""Build the section on modules: what GPU time each kind of nn.Module launched itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import field

from tp_tools.reporting import launchers, module_ops
from tp_tools.reporting.commands import TRACES, quoted
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.launchers import NONE, OWN, Launcher, class_of
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column

if TYPE_CHECKING:
    from collections.abc import Iterable

    from tp_tools.reporting.data import ReportData

_TITLE = "GPU time by module"
_LEGEND = {OWN: "of modules", NONE: "of no module, for the reason beside it"}

_TAKEN_APART = (
    "Replays of graphs are taken apart by traces of their capture, which the command reads. The "
    "SQL does not hold these: in the Query tab this work is of no module."
)


class _Class(Launcher):
    """The modules of one class, or the work of none for one reason.

    Attributes:
        paths: places of its modules in the model.
        backward_ns: of the GPU time that they launched themselves, in the backward pass.
    """

    paths: set[str] = field(default_factory=set)
    backward_ns: int = 0


def section(data: ReportData) -> Section:
    """Build the section; without a figure if no modules were recorded."""
    classes = _classes(data)
    if not classes:
        return Section("modules", _TITLE, NO_GPU)
    if all(it.kind == NONE for it in classes):
        return Section("modules", _TITLE, "no modules or annotations were recorded (with_stack)")
    text = "Which parts of the model the GPU worked for."
    of_ops = module_ops.figure(data, _command(module_ops.QUERY, data.captured or ()))
    return Section("modules", _TITLE, text, [_figure(classes, data.captured), of_ops])


def _figure(classes: list[_Class], captured: tuple[str, ...] | None) -> Figure:
    total_ns = launchers.total_ns(classes)
    columns = [
        Column("name", "class, or why it is of none", "text"),
        Column("modules", "modules"),
        Column("calls", "calls"),
        Column("self_gpu_ns", "GPU time", "ns"),
        Column("share", "share", "percent"),
        Column("backward_ns", "of that backward", "ns"),
        Column("top_op", "op with the most in one of them", "text"),
    ]

    def row(it: _Class) -> tuple[object, ...]:
        share = 100 * it.self_ns / total_ns
        places = len(it.paths) or None
        return it.name, places, it.calls or None, it.self_ns, share, it.backward_ns, it.top_op

    return Figure(
        "module-classes",
        "GPU work by class of module",
        "Work that modules launched themselves, not in modules that they call: all modules of a "
        "class added up, over all ranks; together they are all GPU work. Where no Python stacks "
        "were recorded the program's annotations stand for modules.",
        queries=("modules",),
        command=_command("modules", captured or ()),
        notes=() if captured is None else (_TAKEN_APART,),
        bars=launchers.bars(classes, _LEGEND),
        table=launchers.table(classes, columns, row),
    )


def _command(query: str, captured: Iterable[str]) -> str:
    """Return the command that prints the numbers, with the captures that were named."""
    options = "".join(f" --capture {quoted(name)}" for name in captured)
    return f"tp-tools query {query} {TRACES}{options}"


def _classes(data: ReportData) -> list[_Class]:
    """Sum modules by class, most time first; work of none by reason."""
    found: dict[tuple[str, str], _Class] = {}
    keys = ("path", "name", "calls", "self_gpu_ns", "self_backward_gpu_ns", "reason", "top_op")
    for path, name, calls, gpu_ns, backward_ns, reason, top_op in data.rows("modules", *keys):
        key = (NONE, reason) if name is None else (OWN, class_of(name))
        it = found.setdefault(key, _Class(key[1], key[0]))
        it.add(calls, gpu_ns, top_op)
        it.paths |= {path} if path is not None else set()
        it.backward_ns += backward_ns
    return launchers.most_first(found.values())
