"""What launched most comes first, with bars and rows up to their number; the rest is counted."""

from __future__ import annotations

import pytest

from tp_tools.reporting import launchers
from tp_tools.reporting.launchers import NONE, OWN, Launcher
from tp_tools.reporting.tables import Column


def test_the_op_of_the_row_with_the_most_stands() -> None:
    """Rows of one launcher add up; its op is that of the row with the most time."""
    it = Launcher("step", OWN)
    it.add(2, 30, "aten::mm")
    it.add(1, 50, "aten::add")
    it.add(1, 50, "aten::mul")
    assert (it.calls, it.self_ns, it.top_op) == (4, 130, "aten::add")


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("Net_0 > Linear_17", "Linear"),
        (
            "FSDP::pre_forward (blocks.9._checkpoint_wrapped_module)",
            "FSDP::pre_forward (blocks.*._checkpoint_wrapped_module)",
        ),
        ("FSDP::all_gather (layers.31)", "FSDP::all_gather (layers.*)"),
        ("FSDP::all_gather (0.linear)", "FSDP::all_gather (*.linear)"),
        ("forward (128, 64)", "forward (128, 64)"),
        ("stage 1.5", "stage 1.5"),
    ],
)
def test_the_class_of_a_module(path: str, name: str) -> None:
    """Numbers that tell modules of one class apart are left out, and no others."""
    assert launchers.class_of(path) == name


def test_the_most_comes_first() -> None:
    """Equal ones are in the order of names; those that launched nothing are left out."""
    made = [
        Launcher(name, OWN, self_ns=ns) for name, ns in (("c", 5), ("b", 7), ("a", 5), ("d", 0))
    ]
    found = launchers.most_first(made)
    assert [it.name for it in found] == ["b", "a", "c"]
    assert launchers.total_ns(found) == 17


def test_bars_and_rows_are_bounded() -> None:
    """More launchers than bars and rows: the table says how many are left out."""
    count = launchers.MAX_ROWS + 3
    found = [Launcher(f"f{i}", OWN, calls=1, self_ns=10) for i in range(count - 1)]
    found.append(Launcher("outside", NONE, self_ns=10))
    legend = {OWN: "of lines", NONE: "of no line"}
    assert len(launchers.bars(found, legend).bars) == launchers.MAX_BARS
    table = launchers.table(found, [Column("name", "name", "text")], lambda it: (it.name,))
    assert len(table.rows) == launchers.MAX_ROWS
    assert table.omitted == "And 3 rows more."
