"""Rows of parts come back as those of one trace, in as many statements as it takes."""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.gpu_traces import Event, slice_of, work
from tests.support.handmade import text
from tp_tools.engine import load, rows
from tp_tools.errors import InputError
from tp_tools.querying import LoadOptions
from tp_tools.querying.part_rows import PartRows

SLICES = "INCLUDE PERFETTO MODULE tpt.gpu_slice; SELECT id, name, ts FROM tpt_gpu_slice"
HOSTS = "INCLUDE PERFETTO MODULE tpt.rank_host; SELECT rank, host FROM tpt_rank_host"
QUOTED = "it's -- a kernel; 'π'"


def test_rows_of_windows_are_those_of_one_trace(tmp_path: Path) -> None:
    """With ids in order, any text, and once where a kernel reaches into the next window."""
    found = PartRows([SLICES], ["tpt.gpu_slice"], tmp_path)
    windows = [
        ([work(f"k{n}", n, n + 1) for n in range(5)] + [work(QUOTED, 6, 12, stream=8)], None),
        ([work(QUOTED, 6, 12, stream=8)] + [work(f"k{n}", n, n + 1) for n in range(10, 15)], 10),
    ]
    for events, since in windows:
        with load([text(events)], source="window") as tp:
            found.add_window(tp, since)
    names = [*(f"k{n}" for n in range(5)), QUOTED, *(f"k{n}" for n in range(10, 15))]
    for most, terms in ((1000, 100), (1, 3), (2, 2)):
        with found.loaded(LoadOptions(), most, terms) as tp:
            ids, got, times = zip(*rows(tp, SLICES), strict=True)
        assert list(got) == names
        assert list(ids) == sorted(set(ids))
        assert list(times) == sorted(times)


def test_what_is_about_no_slice_stands_once(tmp_path: Path) -> None:
    """Machines of ranks are in every window; tables without rows have their columns."""
    found = PartRows([SLICES, HOSTS], ["tpt.rank_host", "tpt.gpu_slice"], tmp_path)
    hosts = [
        {"ph": "M", "name": "process_name", "pid": 9, "args": {"name": "machines of ranks"}},
        {"ph": "M", "name": "thread_name", "pid": 9, "tid": 1, "args": {"name": "node-0"}},
    ]
    for _ in range(2):
        with load([text(hosts)], source="window") as tp:
            found.add_window(tp, None)
    with found.loaded(LoadOptions()) as tp:
        assert rows(tp, HOSTS) == [(0, "node-0")]
        assert rows(tp, SLICES) == []


def named(rank: int) -> Event:
    """The name of the process of a rank."""
    return {"ph": "M", "name": "process_name", "pid": rank, "args": {"name": f"rank {rank}"}}


def columns(found: list[tuple[object, ...]]) -> list[tuple[Any, ...]]:
    """The three columns of rows."""
    return list(zip(*found, strict=True)) or [(), (), ()]


NAMED = (
    "INCLUDE PERFETTO MODULE tpt.gpu_slice; SELECT name, upid, ts FROM tpt_gpu_slice ORDER BY id"
)


@given(
    st.lists(
        st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3)), max_size=6),
        min_size=1,
        max_size=3,
    )
)
@settings(deadline=None, max_examples=40)
def test_slices_of_ranks_are_in_the_order_of_one_trace(ranks: list[list[tuple[int, int]]]) -> None:
    """Those that start together, too: the longest first, then the first in the text."""
    pieces = [
        [
            named(rank),
            *(
                work(f"{rank}-{n}", 1 + ts, 1 + ts + dur, device=rank, stream=100 * rank + n)
                for n, (ts, dur) in enumerate(of_rank)
            ),
        ]
        for rank, of_rank in enumerate(ranks, 2)
    ]
    with load([text([event for piece in pieces for event in piece])], source="all") as tp:
        names, processes, times = columns(rows(tp, NAMED))
    with TemporaryDirectory() as folder:
        found = PartRows([NAMED], ["tpt.gpu_slice"], Path(folder))
        for piece in pieces:
            with load([text(piece)], source="rank") as tp:
                found.add_rank(tp)
        with found.loaded(LoadOptions()) as tp:
            got = columns(rows(tp, NAMED))
    assert (got[0], got[2]) == (names, times)
    orders = [[a < b for a in its for b in its] for its in (processes, got[1])]
    assert orders[0] == orders[1]


def test_numbers_of_modules_go_on_from_rank_to_rank(tmp_path: Path) -> None:
    """`tpt_step.seq` says by its type that it is counted in the order of ranks."""
    ask = "INCLUDE PERFETTO MODULE tpt.step; SELECT seq, name FROM tpt_step"
    found = PartRows([ask], ["tpt.step"], tmp_path)
    for rank in range(2):
        row = (rank + 2, 1)
        steps = [slice_of("user_annotation", f"ProfilerStep#{n}", row, n, n + 1) for n in range(3)]
        with load([text([named(rank + 2), *steps])], source="rank") as tp:
            found.add_rank(tp)
    with found.loaded(LoadOptions()) as tp:
        assert rows(tp, ask) == [(n + 1, f"ProfilerStep#{n % 3}") for n in range(6)]


def test_windows_give_no_numbers_of_modules(tmp_path: Path) -> None:
    """A window does not know how many steps there were before it."""
    steps = "INCLUDE PERFETTO MODULE tpt.step; SELECT seq FROM tpt_step"
    found = PartRows([steps], ["tpt.step"], tmp_path)
    with (
        load([text([])], source="window") as tp,
        pytest.raises(InputError, match=r"^windows of time cannot give seq, a JOINID\(tpt_step"),
    ):
        found.add_window(tp, None)


@pytest.mark.parametrize("module", ["tpt.nothing", "tpt.collective.lateness"])
def test_modules_without_tables_are_refused(tmp_path: Path, module: str) -> None:
    """Only rows of tables can be given."""
    with pytest.raises(InputError, match=rf"cannot give {module}: it is no module that makes"):
        PartRows([SLICES], [module], tmp_path)
