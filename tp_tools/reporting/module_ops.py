"""Build the figure on ops in modules: what GPU time each op and shape launched in a class."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tp_tools.reporting import launchers
from tp_tools.reporting.launchers import NONE, OWN, Launcher, class_of
from tp_tools.reporting.model import Figure
from tp_tools.reporting.tables import Column

if TYPE_CHECKING:
    from tp_tools.reporting.data import ReportData

QUERY = "module_ops"

_TITLE = "GPU work by op and shapes in modules"


class _Op(Launcher):
    """The calls of an op with equal shapes in the modules of a class, or in none for one reason.

    Attributes:
        op: its name; None if it is not known.
        dims: shapes of its inputs; None if they are not known.
        backward_ns: of the GPU time that it launched, in the backward pass.
    """

    op: str | None = None
    dims: str | None = None
    backward_ns: int = 0


def figure(data: ReportData, command: str) -> Figure:
    """Build the figure; empty if no op is known.

    Args:
        data: the data of the report.
        command: prints its numbers.
    """
    ops = _ops(data)
    if all(it.op is None for it in ops):
        return Figure("module-ops", _TITLE, "no op is known to have launched work")
    total_ns = launchers.total_ns(ops)
    columns = [
        Column("name", "class, or why it is of none", "text"),
        Column("op", "op", "text"),
        Column("dims", "shapes", "text"),
        Column("calls", "calls"),
        Column("gpu_ns", "GPU time", "ns"),
        Column("share", "share", "percent"),
        Column("backward_ns", "of that backward", "ns"),
    ]

    def row(it: _Op) -> tuple[object, ...]:
        share = 100 * it.self_ns / total_ns
        return it.name, it.op, it.dims, it.calls or None, it.self_ns, share, it.backward_ns

    return Figure(
        "module-ops",
        _TITLE,
        "The same work by the op that launched it and the shapes of its inputs, over all modules "
        "of a class and all ranks. Where no op or shape stands, none was recorded; of replays of "
        "graphs they are those of the capture, where a trace of that is there.",
        queries=(QUERY,),
        command=command,
        table=launchers.table(ops, columns, row),
    )


def _ops(data: ReportData) -> list[_Op]:
    """Sum ops by class, op and shapes, most time first; work of no module by reason."""
    found: dict[tuple[str, str, str | None, str | None], _Op] = {}
    keys = ("path", "reason", "op", "dims", "calls", "gpu_ns", "backward_gpu_ns")
    for path, reason, op, dims, calls, gpu_ns, backward_ns in data.rows(QUERY, *keys):
        kind, name = (NONE, reason) if path is None else (OWN, class_of(path))
        key = kind, name, op, dims
        it = found.setdefault(key, _Op(name, kind, op=op, dims=dims))
        it.add(calls, gpu_ns, op)
        it.backward_ns += backward_ns
    return launchers.most_first(found.values())
