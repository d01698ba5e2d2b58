"""Small traces whose right answers were found by hand, read in place where the folder is there."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.gpu_traces import answer
from tp_tools import open_trace

if TYPE_CHECKING:
    from collections.abc import Callable

CASES = Path(__file__).resolve().parents[2] / "../shared/cases"
Row = dict[str, Any]


@pytest.fixture
def ask() -> Callable[[str, str], list[Row]]:
    """Gives the rows of a query on a case, or skips the test without it."""

    def rows_of(case: str, query: str) -> list[Row]:
        path = CASES / case
        if not path.is_file():
            pytest.skip(f"the case {case} is not in {CASES}")
        with open_trace(path) as tp:
            return answer(query, tp)

    return rows_of


def columns(rows: list[Row], *names: str) -> list[tuple[Any, ...]]:
    """Some columns of rows."""
    return [tuple(row[name] for name in names) for row in rows]


def test_gpu_work_of_no_op(ask: Callable[[str, str], list[Row]]) -> None:
    """A graph that is launched outside of ops has a row, so that all GPU time is in one."""
    rows = ask("sql/ops_no_op/trace.json", "ops")
    assert columns(rows, "name", "reason", "gpu_events", "self_gpu_ns") == [
        (None, "graph replay", 5, 50_000),
        ("aten::copy_", None, 1, 5_000),
    ]


def test_an_op_that_calls_itself_and_is_outlasted(ask: Callable[[str, str], list[Row]]) -> None:
    """Its total is the union of its calls."""
    rows = ask("sql/ops_recursive_jitter/trace.json", "ops")
    assert columns(rows, "name", "calls", "total_ns") == [("aten::to", 2, 100_500)]


def test_ops_with_equal_times(ask: Callable[[str, str], list[Row]]) -> None:
    """The one that the file has first calls the other."""
    rows = {row["name"]: row for row in ask("files/ops_tie/in.json", "ops")}
    assert columns(list(rows.values()), "self_ns", "self_gpu_ns") == [
        (15_000, 9_000),
        (10_000, 0),
        (0, 0),
    ]
    assert list(rows) == ["aten::_to_copy", "aten::copy_", "aten::to"]


def test_steps_of_the_gpu_alone(ask: Callable[[str, str], list[Row]]) -> None:
    """Three annotations of one name are three steps."""
    rows = ask("sql/steps_gpu_only/trace.json", "steps")
    assert columns(rows, "name", "dur", "kernels") == [("execute_model", 500_000, 1)] * 3


def test_parts_of_steps(ask: Callable[[str, str], list[Row]]) -> None:
    """PyTorch's own annotations are no steps, and no gap ends a step."""
    assert ask("sql/steps_of_pieces/trace.json", "steps") == []
    gaps = ask("sql/steps_of_pieces/trace.json", "gaps")
    assert Counter(row["why"] for row in gaps)["end of step"] == 0


def test_steps_and_unrecorded_launches(ask: Callable[[str, str], list[Row]]) -> None:
    """Work that was launched before the profile began is of no step."""
    rows = ask("sql/steps_unrecorded_launch/trace.json", "steps")
    assert columns(rows, "name", "kernels", "busy_ns", "gpu_dur", "reason") == [
        ("ProfilerStep#5", 1, 100_000, 100_000, None),
        ("ProfilerStep#6", 1, 100_000, 100_000, None),
        (None, 6, 420_000, 470_000, "launch not recorded"),
    ]


def test_steps_of_old_traces(ask: Callable[[str, str], list[Row]]) -> None:
    """PyTorch 1.8 wrote ProfilerSteps as ops."""
    rows = ask("files/old_profilerstep/in.json", "steps")
    assert columns(rows, "name", "dur", "kernels") == [
        ("ProfilerStep#5", 100_000, 1),
        ("ProfilerStep#6", 100_000, 0),
    ]


def test_the_queue_and_unrecorded_launches(ask: Callable[[str, str], list[Row]]) -> None:
    """Four kernels wait that were launched before the profile began."""
    rows = ask("sql/queue_depth_unrecorded/trace.json", "launches")
    assert [row["queue_depth"] for row in rows if row["name"] == "new"] == [4]


def test_trims_of_a_repaired_trace(ask: Callable[[str, str], list[Row]]) -> None:
    """They are shown, and the contents are as recorded."""
    rows = ask("sql/overlaps_trim/trace.json", "overlaps")
    assert columns(rows, "name", "repair", "dur", "repaired_dur") == [
        ("a", "trim", 100_000, 99_700),
        ("inner", "trim", 90_400, 90_000),
    ]
    contents = ask("sql/overlaps_trim/trace.json", "contents")
    assert columns(contents, "category", "total_ns") == [("cpu_op", 340_400)]


def test_a_kernel_of_no_time(ask: Callable[[str, str], list[Row]]) -> None:
    """It parts no gap."""
    (row,) = ask("sql/zero_kernel/trace.json", "gpu_time")
    assert (row["span_ns"], row["busy_ns"]) == (40_000, 20_000)
    assert columns(ask("sql/zero_kernel/trace.json", "gaps"), "ts", "dur") == [(20_000, 20_000)]


def test_waits_are_no_work(ask: Callable[[str, str], list[Row]]) -> None:
    """cuda_sync events on a stream do not make it busy."""
    (row,) = ask("sql/cuda_sync_events/trace.json", "gpu_time")
    assert row["busy_ns"] == 100_000
    gaps = ask("sql/cuda_sync_events/trace.json", "gaps")
    assert [row["dur"] for row in gaps] == [110_000]
