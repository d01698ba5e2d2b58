"""Functions of Python are added up over ranks; work of none is named by its reason."""

from __future__ import annotations

from typing import Any

from tests.support.page_text import column, report_data
from tp_tools.reporting import python_lines

STEP = "train.py(9): step"


def row(line: str | None, self_ns: int, gpu_ns: int, reason: str | None = None) -> dict[str, Any]:
    """A row of python_lines."""
    what = {"reason": reason, "top_op": "aten::mm" if line else None, "calls": 2 if line else 0}
    return {"python_line": line, "self_gpu_ns": self_ns, "gpu_ns": gpu_ns, **what}


def test_lines_are_added_up_over_ranks() -> None:
    """A function has its own time and that of all that it called; others launched nothing."""
    rows = [
        row("train.py(1): main", 0, 90),
        row(STEP, 30, 40),
        row(STEP, 50, 60),  # of another rank
        row(None, 60, 60, "outside Python"),
    ]
    (figure,) = python_lines.section(report_data(python_lines=rows)[0]).shown
    assert figure.table is not None
    assert column(figure.table, "python_line") == [STEP, "outside Python"]
    assert column(figure.table, "calls") == [4, None]
    assert column(figure.table, "self_gpu_ns") == [80, 60]
    assert column(figure.table, "gpu_ns") == [100, 60]
    assert column(figure.table, "top_op") == ["aten::mm", None]
    assert figure.command == "tp-tools query python_lines TRACES"


def test_without_stacks_it_is_left_out() -> None:
    """Work of which no line is known says nothing about lines; nor does no work."""
    for rows in ([row(STEP, 0, 0)], [row(None, 60, 60, "no Python lines recorded")]):
        assert python_lines.section(report_data(python_lines=rows)[0]).is_empty
