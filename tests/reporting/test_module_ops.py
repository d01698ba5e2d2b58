"""GPU work by op and shapes, added up over the modules of a class."""

from __future__ import annotations

from typing import Any

from tests.support.page_text import report_data
from tp_tools.reporting import module_ops

COMMAND = "tp-tools query module_ops TRACES"


def op(path: str | None, gpu_ns: int, name: str | None = None, dims: str = "") -> dict[str, Any]:
    """A row of module_ops; without an op of a replay."""
    what = {"path": path, "reason": None if path else "graph replay"}
    calls = {"op": name, "dims": dims or None, "calls": 2 if name else 0}
    return {**what, **calls, "gpu_ns": gpu_ns, "backward_gpu_ns": gpu_ns // 2}


def test_ops_are_added_up_by_class_and_shapes() -> None:
    """Calls with equal shapes in modules of one class, here and on other ranks, are one row."""
    rows = [
        op("Net_0 > Linear_0", 30, "aten::mm", "[4, 8] [8, 2]"),
        op("Net_0 > Linear_1", 20, "aten::mm", "[4, 8] [8, 2]"),
        op("Net_0 > Linear_1", 40, "aten::mm", "[9, 8] [8, 2]"),
        op(None, 10),
    ]
    figure = module_ops.figure(report_data(module_ops=rows)[0], COMMAND)
    assert figure.table is not None
    assert [tuple(it) for it in figure.table.rows] == [
        ("Linear", "aten::mm", "[4, 8] [8, 2]", 4, 50, 50.0, 25),
        ("Linear", "aten::mm", "[9, 8] [8, 2]", 2, 40, 40.0, 20),
        ("graph replay", None, None, None, 10, 10.0, 5),
    ]
    assert figure.command == COMMAND


def test_without_ops_it_is_left_out() -> None:
    """Where no row has an op there is nothing to show."""
    assert module_ops.figure(report_data(module_ops=[op(None, 60)])[0], COMMAND).is_empty
