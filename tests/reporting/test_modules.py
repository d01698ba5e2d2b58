"""Modules of one class are added up; work of none is named by its reason."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from tests.support.page_text import column, report_data
from tp_tools.reporting import modules

NO_OP = {
    "path": None,
    "reason": "graph replay",
    "op": None,
    "dims": None,
    "calls": 0,
    "gpu_ns": 60,
    "backward_gpu_ns": 0,
}


def row(path: str | None, gpu_ns: int, reason: str | None = None) -> dict[str, Any]:
    """A row of modules."""
    name = path and path.rpartition(" > ")[2]
    times = {"self_gpu_ns": gpu_ns, "self_backward_gpu_ns": gpu_ns // 2}
    what = {"reason": reason, "top_op": "aten::mm" if path else None}
    return {"path": path, "name": name, "calls": 1 if path else 0, **times, **what}


def test_modules_are_added_up_by_class() -> None:
    """Numbers at the end of names tell modules of one class apart, here and on other ranks."""
    rows = [
        row("Net_0", 0),
        row("Net_0 > Linear_0", 30),
        row("Net_0 > Linear_1", 50),
        row("Net_0 > Linear_0", 20),  # of another rank
        row(None, 60, "graph replay"),
    ]
    (figure,) = modules.section(report_data(modules=rows, module_ops=[NO_OP])[0]).shown
    assert figure.table is not None
    assert column(figure.table, "name") == ["Linear", "graph replay"]
    assert column(figure.table, "modules") == [2, None]
    assert column(figure.table, "calls") == [3, None]
    assert column(figure.table, "self_gpu_ns") == [100, 60]
    assert column(figure.table, "backward_ns") == [50, 30]
    assert column(figure.table, "top_op") == ["aten::mm", None]


def test_without_modules_it_is_left_out() -> None:
    """Work of which no module is known says nothing about modules; nor does no work."""
    for rows in ([row("Net_0", 0)], [row(None, 60, "no modules recorded")]):
        assert modules.section(report_data(modules=rows)[0]).is_empty


@pytest.mark.parametrize(
    ("captured", "command", "notes"),
    [
        (None, "tp-tools query modules TRACES", 0),
        ((), "tp-tools query modules TRACES", 1),
        (("a b", "c"), "tp-tools query modules TRACES --capture 'a b' --capture c", 1),
    ],
)
def test_captures_are_named(captured: tuple[str, ...] | None, command: str, notes: int) -> None:
    """The command reads the captures that the report read; that its SQL holds none is said."""
    data, _ = report_data(modules=[row("Net_0", 30)], module_ops=[NO_OP])
    (figure,) = modules.section(replace(data, captured=captured)).shown
    assert (figure.command, len(figure.notes)) == (command, notes)
