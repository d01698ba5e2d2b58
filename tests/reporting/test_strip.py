"""The strip holds the shares of the windows of gpu_timeline."""

from __future__ import annotations

from typing import Any

from tests.support.page_text import placed
from tp_tools.reporting import strip
from tp_tools.reporting.strip_cells import PARTS
from tp_tools.reporting.windows import windows

KEYS = [key for key, _, _ in PARTS]


def window(rank: int, number: int, ts: int, **parts: int) -> dict[str, Any]:
    """A row of gpu_timeline."""
    every = {key: parts.get(key.removesuffix("_ns"), 0) for key in KEYS}
    about = {"rank": rank, "device": 0, "window": number, "ts": ts}
    return {**about, "dur": sum(every.values()), **every}


def test_a_cell_is_the_share_of_a_part() -> None:
    """A window of 10 ns: 5 of compute are half a byte, and what is there is never 0."""
    count = windows(1)
    rows = [
        window(0, 0, 1000, compute=5, idle=5),
        window(0, count - 1, 1000 + 10 * (count - 1), waiting=10),
    ]
    figure = strip.figure(*placed(gpu_timeline=rows))
    assert figure.strip is not None
    assert figure.strip.span_ns == 10 * count
    assert [name for name, _ in figure.strip.legend] == ["compute", "waiting for a rank", "idle"]
    (row,) = figure.strip.rows
    assert list(row.cells[:6]) == [128, 0, 0, 0, 0, 128]
    assert list(row.cells[-6:]) == [0, 0, 0, 255, 0, 0]
    assert sum(row.cells) == 128 + 128 + 255
    assert row.says == "rank 0: compute 25.0 %, waiting for a rank 50.0 %, idle 25.0 %"
    assert figure.command == f"tp-tools query gpu_timeline TRACES --set windows={count}"


def test_waiting_is_named_where_it_is_known() -> None:
    """One rank of several does not say whether it waits; of all ranks the rest is the wire."""
    rows = [window(0, 0, 0, communication=5), window(1, windows(2) - 1, 9, communication=5)]
    verdicts = [
        {"rank": 0, "device": 0, "part": "all", "waiting_ns": 0, "waiting_percent": 0.0},
    ]

    def name(**queries: Any) -> str:  # noqa: ANN401  rows of queries
        figure = strip.figure(*placed(2, gpu_timeline=rows, **queries))
        assert figure.strip is not None
        return figure.strip.legend[0][0]

    assert name() == "communication: waiting or on the wire"
    assert name(verdict=verdicts) == "communication: on the wire"


def test_what_is_short_is_not_lost() -> None:
    """1 ns of a window of 10 us has a byte of 1."""
    last = windows(1) - 1
    rows = [window(0, 0, 0, copy=1, idle=9_999), window(0, last, 10_000 * last, idle=10_000)]
    figure = strip.figure(*placed(gpu_timeline=rows))
    assert figure.strip is not None
    assert figure.strip.cells[KEYS.index("copy_ns")] == 1


def test_without_gpu_work_there_is_none() -> None:
    """The figure is left out."""
    assert strip.figure(*placed(gpu_timeline=[])).is_empty


def test_windows_fit_on_a_page() -> None:
    """One rank has as many as can be zoomed into; many ranks fewer each."""
    assert windows(1) == windows(8) == 4000
    assert windows(32) == 1000
    assert windows(100_000) == 250
