"""Tables on a terminal: the columns that answer, in units that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest

from tp_tools import library
from tp_tools.cli.terminal_table import lay_out, sort_rows
from tp_tools.engine import Rows

REDUCE = "ncclDevKernel_AllReduce_Sum_bf16_RING_LL(ncclDevKernelArgsStorage<4096ul>)"
ROW = {
    "collective": 0,
    "process_group": None,
    "process_group_desc": None,
    "seq": None,
    "ranks": 8,
    "ranks_expected": 8,
    "confidence": "told",
    "straggler": 4,
    "skew_us": 19_712.5,
    "wait_us": 78_850.25,
    "transfer_us": 12.5,
    "bytes": 1_048_576,
    "dtype": "bf16",
    "algbw": 83.9,
    "busbw": 146.8,
    "hidden_compute_us": 0.0,
    "matched_by": "seq",
    "pdl_starts": 0,
    "step": None,
    "first_arrival": 10**15,
    "last_arrival": 10**15 + 19_712_500,
    "window_end": 10**15 + 19_725_000,
    "kind": "all_reduce",
    "name": REDUCE,
    "slice_id": 1000,
    "track_id": 40,
}
"""A row of `allreduce` of a trace without args."""

ALLREDUCE = Rows(
    tuple(ROW),
    [
        tuple((ROW | {"collective": place, "skew_us": 19_712.5 / (place + 1)}).values())
        for place in range(12)
    ],
)
EMPTY = ["process_group", "process_group_desc", "seq", "step"]


def header(name: str) -> library.Header:
    """Read the header of a query of the library."""
    return library.parse(library.read(library.find(name)), name)


@pytest.mark.parametrize("width", [80, 160])
def test_all_reduces(width: int) -> None:
    """Skew, wait and bandwidth stay at 80 columns; what is hidden is named."""
    layout = lay_out(ALLREDUCE, header("allreduce"), width, 20)
    capture = Path(__file__).with_name(f"allreduce_{width}.txt")
    assert "\n".join(layout.lines) + "\n" == capture.read_text("utf-8")
    assert layout.empty == EMPTY
    shown = len(ALLREDUCE.columns) - len(layout.empty) - len(layout.left_out)
    assert layout.lines[-13].count("  ") == shown - 1
    assert max(map(len, layout.lines)) <= width


def test_rows_that_are_left_out_are_counted() -> None:
    """So many rows are shown; 0 shows all; a column with a value in any row is not hidden."""
    answer = Rows(("a", "b"), [(place, 1 if place == 29 else None) for place in range(30)])
    layout = lay_out(answer, header("allreduce"), 80, 20)
    assert (len(layout.lines), layout.omitted, layout.empty) == (22, 10, [])
    layout = lay_out(answer, header("allreduce"), 80, 0)
    assert (len(layout.lines), layout.omitted) == (32, 0)


def test_short_names_of_kernels_are_shown_once() -> None:
    """Kernels have their short names; the column of SQL's short names is left out, but for wide."""
    answer = Rows(("name", "short_name", "count"), [(REDUCE, "x", 1)] * 4)
    layout = lay_out(answer, header("kernels"), 80, 0)
    assert layout.lines[-1].split() == [REDUCE.partition("(")[0], "1"]
    assert layout.left_out == ["short_name"]
    assert lay_out(answer, header("kernels"), None, 0).left_out == []


def test_wide_leaves_no_column_out() -> None:
    """Without a width every column with a value is there."""
    assert lay_out(ALLREDUCE, header("allreduce"), None, 0).left_out == []


def cells(column: str, *values: int | None) -> list[str]:
    """Lay out one column: its name and its cells."""
    rows = [(value,) for value in values]
    lines = lay_out(Rows((column,), rows), header("allreduce"), 80, 0).lines
    return [line.strip() for line in [lines[0], *lines[2:]]]


def test_columns_that_are_not_needed_blur_no_names() -> None:
    """Copies from pinned and from pageable memory stay apart, rather than that one more fits."""
    columns = ("name", "count", "total_ns", "mean_gbps", "max_gbps", "more")
    kinds = ("Memcpy HtoD (Pinned -> Device)", "Memcpy HtoD (Pageable -> Device)")
    answer = Rows(columns, [(kind, 1, 2, 3.0, 4.0, "x" * 20) for kind in kinds])
    layout = lay_out(answer, header("copies"), 74, 0)
    assert layout.left_out == ["more"]
    assert len({line.partition(")")[0] for line in layout.lines[-2:]}) == 2


def test_durations_have_a_unit_by_size() -> None:
    """ns, us and ms by the longest, which the name of the column says; times are left alone."""
    assert cells("total_ns", 9_999, 1) == ["total_ns", "9,999", "1"]
    assert cells("total_ns", 12_345, None) == ["total_us", "12.35", "-"]
    assert cells("dur", 12_345_678, 500) == ["dur_ms", "12.35", "5.0e-04"]
    assert cells("wait_us", 25_000) == ["wait_ms", "25.00"]


def test_times_count_from_the_earliest() -> None:
    """They stay exact, the start is said, and early times are left alone."""
    start = 3_743_411_222_862_936
    assert cells("ts", start + 12_345, start, None) == ["ts", "12,345", "0", "-"]
    assert cells("ts", 5, 12_345_678) == ["ts", "5", "12,345,678"]
    answer = Rows(("ts", "launch_ts", "dur"), [(start + 7, start, 5), (start + 9, None, 6)])
    layout = lay_out(answer, header("gaps"), 80, 0)
    assert layout.start_ns == start
    assert [line.split() for line in layout.lines[2:]] == [["7", "0", "5"], ["9", "-", "6"]]


def test_rows_are_sorted_with_null_last() -> None:
    """Numbers from the largest on, text from A to Z; equal rows keep their order."""
    answer = Rows(("n", "t"), [(1, "b"), (None, "a"), (2, None), (1, "a")])
    assert sort_rows(answer, "n").rows == [(2, None), (1, "b"), (1, "a"), (None, "a")]
    assert sort_rows(answer, "t").rows == [(None, "a"), (1, "a"), (1, "b"), (2, None)]
