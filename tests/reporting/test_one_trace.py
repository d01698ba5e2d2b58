"""A report on one trace, asked by one process or by several."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.handmade import kernel, text, x
from tests.support.reporters import Recorder
from tp_tools.errors import InputError
from tp_tools.files.sources import kept_sources
from tp_tools.querying import LoadOptions
from tp_tools.reporting import questions
from tp_tools.reporting.answers import engines_at_a_time
from tp_tools.reporting.one_trace import collect_one

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.inspection import TraceInfo
    from tp_tools.reporting.answers import Answers

MIB = 1 << 20


def collected(
    path: Path, jobs: int, memory: int | None = None
) -> tuple[TraceInfo, Answers, Recorder]:
    """What is known of a trace, which counts as large, and what was reported."""
    queries = questions.named([*questions.RANK_QUERIES, *questions.JOB_QUERIES])
    options, reporter = LoadOptions(memory=memory), Recorder()
    with kept_sources() as kept:
        found = collect_one(str(path), queries, options, reporter, kept=kept, jobs=jobs, least=0)
    return *found, reporter


@pytest.mark.parametrize("jobs", [2, 3, 4])
def test_processes_change_no_row(real_trace: Callable[[str], Path], jobs: int) -> None:
    """Rows, their order and that of the queries are those that one process gives."""
    path = real_trace("nccl_args_rank0.cut.json.gz")
    alone, shared = collected(path, 1), collected(path, jobs)
    assert shared[0] == alone[0]
    assert list(shared[1].rows.items()) == list(alone[1].rows.items())
    assert f"asking SQL in {jobs} processes" in shared[2].stages
    assert "asking SQL" in alone[2].stages


def test_processes_say_the_same(tmp_path: Path) -> None:
    """Unknown devices are found once, and what is said of the trace is the same."""
    path = tmp_path / "trace.json"
    path.write_bytes(text([x("work", 0, 5, cat="mtia_ccp_events")]))
    alone, shared = collected(path, 1), collected(path, 2)
    assert shared[1].devices == alone[1].devices == (("mtia_ccp_events", 1),)
    assert (set(shared[2].notes), set(shared[2].warnings)) == (
        set(alone[2].notes),
        set(alone[2].warnings),
    )


def test_an_error_of_a_process_is_that_of_the_trace(tmp_path: Path) -> None:
    """Durations that add up to more than 63 bits end the work with the same words."""
    path = tmp_path / "trace.json"
    years_ns = 4 * 10**18
    events = [kernel("k", 0, years_ns, stream, tid=stream) for stream in range(3)]
    path.write_bytes(text(events))
    said = []
    for jobs in (1, 2):
        with pytest.raises(InputError, match="durations add up") as caught:
            collected(path, jobs)
        said.append(str(caught.value))
    assert said[0] == said[1]


def test_engines_share_the_memory(tmp_path: Path) -> None:
    """There are no more than fit with half of the memory for queries; one process asks then."""
    options = LoadOptions(memory=64 * MIB)
    assert [engines_at_a_time(size * MIB, options) for size in (1, 2, 4, 5, 9)] == [8, 4, 2, 1, 1]
    path = tmp_path / "trace.json"
    path.write_bytes(text([kernel("k", 0, 5, 1)]))
    assert "asking SQL" in collected(path, 2, memory=1000)[2].stages
