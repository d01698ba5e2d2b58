"""The first section of a page: findings with their numbers, doubts and panels."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tests.support.diagnosing import MS, cause, facts, window
from tests.support.page_text import report_data
from tp_tools.diagnosis.rules import ALL
from tp_tools.reporting import findings
from tp_tools.reporting.places import Places

if TYPE_CHECKING:
    from tp_tools.reporting import ReportData

KERNEL = {"rank": 0, "name": "k", "kind": "compute", "total_ns": 5}


def data_of(window_row: dict[str, Any], *idle: dict[str, Any]) -> ReportData:
    """Make the data of one rank, whose profiler recorded stacks and of which kernels are hidden."""
    data, _ = report_data(verdict=[window_row], idle=list(idle), kernels=[KERNEL])
    (member,) = data.members
    stated = SimpleNamespace(world_size=1, options=["with_stack"])
    defects = SimpleNamespace(hidden=facts(hidden_percent=7.0).hidden, rebase_ns=0)
    times = SimpleNamespace(start_ns=0, end_ns=10 * MS)
    info: Any = SimpleNamespace(metadata=stated, defects=defects, inventory=times)
    return replace(data, members=[replace(member, info=info)])


def test_each_finding_is_a_figure() -> None:
    """With cost, next step, doubts, the queries of its evidence and its panel."""
    idle = cause("cpu", 8 * MS, 0, long_ns=0, gaps=90)
    data = data_of(window(0, compute=2 * MS, cpu=8 * MS), idle)
    found = findings.diagnosis(data)
    section = findings.section(found, Places(data))
    assert section.title == "What made it slow"
    assert section.text.startswith("GPU time from first to last work: 10.000 ms of 1 GPU: compute")
    launches, hidden = section.figures
    assert launches.title == "1. Launch-bound: 8.000 ms, 80.0 % of the GPU time"
    (next_head, next_step), see = launches.lines
    assert next_head == "Next"
    assert next_step.startswith("Record again without with_stack; if it stays so")
    assert see == ("See", "rank 0, gap before k, for 8.000 ms.")
    assert launches.view == "tp-tools view rank0.json --at 0.000ms"
    assert launches.notes == ("The profile was recorded with with_stack, which slows the CPU.",)
    assert (launches.queries, launches.panel) == (("idle",), "gaps")
    assert (hidden.queries, hidden.command, hidden.panel) == ((), "tp-tools info TRACES", "hidden")
    (tile,) = findings.tiles(found)
    assert (tile.label, tile.value, tile.section) == ("Launch-bound", "80.0 %", findings.KEY)


def test_without_gpu_work_the_section_is_a_sentence() -> None:
    """There is nothing to judge."""
    data, _ = report_data(verdict=[])
    data = replace(data, members=[])
    section = findings.section(findings.diagnosis(data), Places(data))
    assert section.text.startswith("Nothing ran on a GPU")
    assert not section.figures


def test_every_kind_has_a_panel() -> None:
    """The page leads from each finding to its details."""
    assert set(findings.PANELS) == {rule.kind for rule in ALL}
