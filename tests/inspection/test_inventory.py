"""The counts of a trace are right: by hand, and against known numbers of recorded traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fixtures.make import FIXTURES, HERE, truth_of
from tests.support.handmade import cpu, kernel, mark, text, trace_of, x
from tests.support.strategies import PURE
from tp_tools.chrome.reader import read
from tp_tools.files.source import Source
from tp_tools.inspection.inventory import (
    Category,
    Kernels,
    Steps,
    Stream,
    busy,
    inventory,
)
from tp_tools.trace.tracks import natural_key

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.handmade import Event
    from tp_tools.inspection.inventory import Inventory


def inventory_of(*events: Event) -> Inventory:
    """Count a trace of these events."""
    return inventory(trace_of(text(events)))


def named(kind: str, name: str, **ids: int) -> Event:
    """Make a metadata event that names a process or thread."""
    return {"ph": "M", "name": kind, "pid": 0, "tid": 7, "args": {"name": name}, **ids}


def test_events_are_counted_by_phase_and_category() -> None:
    """Phases and categories count all events; time is summed over slices only."""
    counts = inventory_of(
        kernel("k", 1000, 3000, 1),
        kernel("k", 4000, 5000, 2),
        cpu("op", 0, 500),
        mark("i", 700, cat="cpu_op", name="instant", s="t"),
        named("process_name", "python"),
    )
    assert counts.events == 5
    assert counts.phases == {"X": 3, "i": 1, "M": 1}
    assert sorted(counts.categories, key=lambda category: category.name) == [
        Category("", 1, 0, 0),
        Category("cpu_op", 2, 1, 500),
        Category("kernel", 2, 2, 3000),
    ]


def test_the_span_goes_from_the_first_start_to_the_last_end() -> None:
    """The span ends where the last slice ends, and metadata events do not count."""
    counts = inventory_of(
        named("process_name", "p"), kernel("a", 5000, 90_000, 1), kernel("b", 6000, 7000, 2)
    )
    assert (counts.start_ns, counts.end_ns) == (5000, 90_000)


def test_a_trace_without_times_has_no_span() -> None:
    """A trace of metadata alone has no start and no end."""
    counts = inventory_of(named("process_name", "p"))
    assert (counts.start_ns, counts.end_ns, counts.streams, counts.steps) == (None, None, [], None)


def test_overlapping_kernels_count_once() -> None:
    """Busy time counts each moment once, and no gaps."""
    counts = inventory_of(
        kernel("a", 0, 4000, 1), kernel("b", 3000, 6000, 2), kernel("c", 9000, 10_000, 3)
    )
    assert counts.streams == [Stream(pid=0, process=None, name="stream 7", work=3, busy_ns=7000)]


def test_streams_are_in_the_order_of_their_numbers() -> None:
    """Stream 10 comes after stream 9, GPU 10 after GPU 9."""
    ids = [(0, 10), (10, 1), (0, 9), (9, 1)]
    counts = inventory_of(*(kernel("k", 0, 1, i, pid=p, tid=t) for i, (p, t) in enumerate(ids)))
    streams = [(stream.pid, stream.name) for stream in counts.streams]
    assert streams == [(0, "stream 9"), (0, "stream 10"), (9, "stream 1"), (10, "stream 1")]


def test_annotations_are_no_work() -> None:
    """Copies and memsets make a stream busy; GPU annotations do not."""
    counts = inventory_of(
        x("step", 0, 9000, cat="gpu_user_annotation"),
        x("Memcpy", 1000, 2000, cat="gpu_memcpy"),
        x("Memset", 5000, 5500, cat="gpu_memset"),
    )
    assert [(stream.work, stream.busy_ns) for stream in counts.streams] == [(2, 1500)]


def test_names_are_those_of_the_metadata() -> None:
    """Streams have the names that metadata events give processes and threads."""
    counts = inventory_of(
        named("process_name", "python3"), named("thread_name", "stream 7 "), kernel("k", 0, 1, 1)
    )
    assert [(stream.process, stream.name) for stream in counts.streams] == [("python3", "stream 7")]


@pytest.mark.parametrize(
    ("processes", "ranks"),
    [
        (
            ["rank 10 (TP2 DP1) GPU 0", "rank 9 CPU", "rank 9 GPU 1"],
            ["rank 9", "rank 10 (TP2 DP1)"],
        ),
        (["[TP01] 1", "[TP00] 0", "[TP00] python"], ["[TP00]", "[TP01]"]),
        (["[TP01-PP01] 1"], ["[TP01-PP01]"]),
        (["python3", "[main] x", "collectives (all ranks)", "ranking"], []),
    ],
)
def test_merged_ranks_are_found_by_process_names(processes: list[str], ranks: list[str]) -> None:
    """Each rank of a merged trace is listed once, in the order of numbers."""
    counts = inventory_of(*(named("process_name", name, pid=i) for i, name in enumerate(processes)))
    assert counts.merged == ranks


def test_steps_are_those_of_the_cpu() -> None:
    """The annotations of a step on the GPU do not count."""
    counts = inventory_of(
        cpu("ProfilerStep#9", 0, 4000, cat="user_annotation"),
        cpu("ProfilerStep#10", 5000, 11_000, cat="user_annotation"),
        x("ProfilerStep#9", 1000, 9000, cat="gpu_user_annotation"),
        cpu("Profiler", 0, 1),
    )
    assert counts.steps == Steps(first=9, last=10, count=2, dur_ns=10_000)


def test_kernels_are_summed_by_name() -> None:
    """Kernels of one name are one entry; the name with the most time comes first."""
    counts = inventory_of(
        kernel("a", 0, 10, 1), kernel("b", 20, 25, 2), kernel("b", 30, 38, 3), cpu("a", 0, 99)
    )
    assert counts.kernels == [Kernels("b", 2, 13), Kernels("a", 1, 10)]


def test_category_names_of_2021_count() -> None:
    """Kineto wrote the categories Kernel and Memcpy until 2021."""
    counts = inventory_of(x("k", 0, 10, cat="Kernel"), x("m", 10, 30, cat="Memcpy"))
    assert [(stream.work, stream.busy_ns) for stream in counts.streams] == [(2, 30)]
    assert counts.kernels == [Kernels("k", 1, 10)]


def test_large_times_are_summed_exactly() -> None:
    """Sums above 2^53 ns, where doubles round, keep their last digit."""
    counts = inventory_of(cpu("a", 0, 2**53), cpu("b", 0, 1))
    assert counts.categories == [Category("cpu_op", 2, 2, 2**53 + 1)]


SLICES = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 20)), max_size=12)


@PURE
@given(SLICES)
def test_busy_is_the_number_of_covered_moments(slices: list[tuple[int, int]]) -> None:
    """Busy time equals the number of ns that at least one slice covers."""
    covered = {moment for ts, dur in slices for moment in range(ts, ts + dur)}
    ts, dur = (np.array([pair[i] for pair in slices], np.int64) for i in (0, 1))
    assert busy(ts, dur) == len(covered)


def test_numbers_in_names_count_as_numbers() -> None:
    """Names that end with, begin with or lack a number can be sorted together."""
    names = ["rank 10", "10", "rank", "9", "rank 9", ""]
    assert sorted(names, key=natural_key) == ["", "9", "10", "rank", "rank 9", "rank 10"]


@pytest.mark.parametrize("name", sorted(FIXTURES))
def test_counts_of_fixtures_equal_their_truth(name: str) -> None:
    """Slices by category and kernel time of each fixture are those that its maker wrote down."""
    path = HERE / name
    counts = inventory(read(Source(path, name)))
    slices = {category.name: category.slices for category in counts.categories if category.slices}
    truth = truth_of(name)
    assert slices == truth["by_category"]
    assert sum(kernels.dur_ns for kernels in counts.kernels) == truth["kernel_ns"]


def test_counts_of_the_b200_trace(real_trace: Callable[[str], Path]) -> None:
    """Events, kernels and streams of the recorded B200 trace have their known numbers."""
    path = real_trace("b200_vllm_tp8_rank0.json.gz")
    counts = inventory(read(Source(path, path.name)))
    assert (counts.events, sum(kernels.count for kernels in counts.kernels)) == (24_656, 768)
    assert [(stream.pid, stream.name) for stream in counts.streams] == [(0, "stream 7")]
