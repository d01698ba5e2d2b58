"""Rows of windows come back as those of one trace, in as many statements as it takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import work
from tests.support.handmade import text
from tp_tools.engine import load, rows
from tp_tools.errors import InputError
from tp_tools.querying import LoadOptions
from tp_tools.querying.window_rows import WindowRows

if TYPE_CHECKING:
    from pathlib import Path

QUOTED = "it's -- a kernel; 'π'"


def test_rows_of_windows_are_those_of_one_trace(tmp_path: Path) -> None:
    """With ids in order, any text, and once where a kernel reaches into the next window."""
    found = WindowRows(["tpt.gpu_slice"], tmp_path)
    windows = [
        ([work(f"k{n}", n, n + 1) for n in range(5)] + [work(QUOTED, 6, 12, stream=8)], None),
        ([work(QUOTED, 6, 12, stream=8)] + [work(f"k{n}", n, n + 1) for n in range(10, 15)], 10),
    ]
    for events, since in windows:
        with load([text(events)], source="window") as tp:
            found.add(tp, since)
    names = [*(f"k{n}" for n in range(5)), QUOTED, *(f"k{n}" for n in range(10, 15))]
    for most, terms in ((1000, 100), (1, 3), (2, 2)):
        with found.loaded(LoadOptions(), most, terms) as tp:
            ask = "INCLUDE PERFETTO MODULE tpt.gpu_slice; SELECT id, name, ts FROM tpt_gpu_slice"
            ids, got, times = zip(*rows(tp, ask), strict=True)
        assert list(got) == names
        assert list(ids) == sorted(set(ids))
        assert list(times) == sorted(times)


def test_what_is_about_no_slice_stands_once(tmp_path: Path) -> None:
    """Machines of ranks are in every window; tables without rows have their columns."""
    found = WindowRows(["tpt.rank_host", "tpt.gpu_slice"], tmp_path)
    hosts = [
        {"ph": "M", "name": "process_name", "pid": 9, "args": {"name": "machines of ranks"}},
        {"ph": "M", "name": "thread_name", "pid": 9, "tid": 1, "args": {"name": "node-0"}},
    ]
    for _ in range(2):
        with load([text(hosts)], source="window") as tp:
            found.add(tp, None)
    with found.loaded(LoadOptions()) as tp:
        ask = "INCLUDE PERFETTO MODULE tpt.rank_host; SELECT rank, host FROM tpt_rank_host"
        assert rows(tp, ask) == [(0, "node-0")]
        assert rows(tp, "SELECT id, name, ts FROM tpt_gpu_slice") == []


@pytest.mark.parametrize(
    ("module", "why"),
    [
        ("tpt.nothing", "it is no module that makes tables"),
        ("tpt.collective.lateness", "it makes a macro"),
    ],
)
def test_modules_without_tables_are_refused(tmp_path: Path, module: str, why: str) -> None:
    """Only rows can be given, not functions and macros."""
    with pytest.raises(InputError, match=rf"cannot give {module}: {why}"):
        WindowRows([module], tmp_path)
