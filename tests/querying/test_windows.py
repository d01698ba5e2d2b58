"""A job that one TraceProcessor cannot hold is asked in windows of time, with the same rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from fixtures import generate_ranks
from fixtures.generate_ranks import BASE_NS
from fixtures.kineto import Slice
from tests.support import generated
from tests.support.reporters import Recorder
from tp_tools import engine
from tp_tools.errors import EngineOutOfMemory
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions, lookup, windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.engine import Rows

ABOUT_COLLECTIVES = (
    "allreduce",
    "all_gather",
    "reduce_scatter",
    "all_to_all",
    "broadcast",
    "dispatch_combine",
    "collectives_by_rank",
)
RANKS = 4
LITTLE = 1 << 20
"""Bytes of memory in which no engine starts."""


def written(folder: Path, *, marked: bool = True, messages: int = 0, **wishes: object) -> list[str]:
    """Writes ranks on clocks of their own, with launches; a mark for each step if wanted.

    The first so many collectives of each are messages to another rank.
    """
    made = generated.job(ranks=RANKS, steps=6, only_collectives=False, straggling=0.2, **wishes)
    paths = []
    for rank, it in enumerate(made.ranks):
        trace = generate_ranks.trace(made, rank)
        first = (it.work[1:] < it.work[:-1]).nonzero()[0] + 1 if marked else []
        edges = [0, *(int(n) for n in first)] if marked else []
        thread = (40_000 + 7 * rank, 40_000 + 7 * rank)
        ends = [*edges[1:], len(it.ts) - 1] if edges else []
        for number, (begin, end) in enumerate(zip(edges, ends, strict=True)):
            since, until = (int(it.ts[at]) - BASE_NS - 10_000 for at in (begin, end))
            mark = Slice(
                "user_annotation", f"ProfilerStep#{7 + number}", thread, since, until - since, {}
            )
            trace.add(mark)
        path = folder / f"rank{rank}.json"
        path.write_text(trace.text().replace('"allreduce"', '"send"', messages))
        paths.append(str(path))
    return paths


def rows_in(names: tuple[str, ...], files: list[str], most: int) -> tuple[list[Rows], int]:
    """The rows of queries where a TraceProcessor holds so many bytes, and the number of windows."""
    queries = [lookup.from_file(name) for name in names]
    said = Recorder()
    how = lookup.needing(LoadOptions(), queries)
    rows = list(windows.run(queries, files, how, said, most=most).values())
    told = [re.search(r"asked in (\d+) windows? of time\.$", line) for line in said.notes]
    (count,) = [int(it[1]) for it in told if it] or [0]
    return rows, count


@pytest.fixture(scope="module", params=["comms_id", "none"])
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Four ranks whose collectives say all there is, or nothing; one of them lost some."""
    return written(tmp_path_factory.mktemp("job"), args=request.param)


def check(files: list[str], most: int) -> int:
    """Hold windows against the whole; return the number of windows."""
    whole, no_windows = rows_in(ABOUT_COLLECTIVES, files, 1 << 40)
    parts, count = rows_in(ABOUT_COLLECTIVES, files, most)
    assert no_windows == 0
    for name, one, other in zip(ABOUT_COLLECTIVES, whole, parts, strict=True):
        assert (other.columns, other.start_ns) == (one.columns, one.start_ns)
        assert other.rows == one.rows, name
    assert sum(len(it.rows) for it in whole) > 0
    return count


@pytest.mark.parametrize(("most", "least"), [(1, 20), (200_000, 3)])
def test_windows_give_the_rows_of_the_whole(job: list[str], most: int, least: int) -> None:
    """All queries about collectives, in windows of any size: the same rows in the same order."""
    assert check(job, most) >= least


RECORDED = {
    "train128_rank0.json.gz": "train128_rank*.json.gz",
    "dlrm8_v100/worker0_step_12.1694128201545.pt.trace.json.gz": "*.json.gz",
    "llama2_pcie/rank0.json.gz": "rank*.json.gz",
}
"""The files of recorded jobs, by the first of them."""


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_jobs_give_the_same_rows(real_trace: Callable[[str], Path], name: str) -> None:
    """With steps, streams and process groups of their own, in as many windows as there can be."""
    files = sorted(map(str, real_trace(name).parent.glob(RECORDED[name])))
    assert len(files) > 1
    assert check(files, 1) > 1


def test_the_job_has_steps_and_collectives_without_a_match(job: list[str]) -> None:
    """What numbers and steps of windows could get wrong is in the job of these tests."""
    (rows,), _ = rows_in(("allreduce",), job, 1)
    steps, confidence = (rows.columns.index(it) for it in ("step", "confidence"))
    assert {row[steps] for row in rows.rows} >= {"ProfilerStep#9", "ProfilerStep#10"}
    assert "alone" in {row[confidence] for row in rows.rows}


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        ({"args": "comms_id", "messages": 1}, "its ranks send messages to each other"),
        ({"args": "comms_id", "marked": False}, "nothing marks the steps of its ranks"),
    ],
)
def test_rows_that_may_differ_are_asked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wishes: dict[str, object], why: str
) -> None:
    """What a window cannot know of the whole job is asked at once; said where that is too much."""
    files = written(tmp_path, **wishes)  # type: ignore[arg-type]
    whole, _ = rows_in(("allreduce",), files, 1 << 40)
    assert rows_in(("allreduce",), files, 1) == (whole, 0)
    load, times = engine.load, iter((1, 0))

    def once(*given: object, **more: object) -> object:
        if not next(times):
            raise EngineOutOfMemory("the job: does not fit.")  # simulates a lack of memory
        return load(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "load", once)
    said = rf"does not fit\. Windows of time may give other rows, since {why}\. Ask about fewer"
    with pytest.raises(EngineOutOfMemory, match=said):
        rows_in(("allreduce",), files, 1)


def test_queries_that_add_up_say_so_where_memory_ends(job: list[str]) -> None:
    """`stragglers` is asked at once; a line says why windows do not help where that fails."""
    query = lookup.from_file("stragglers")
    how = lookup.needing(LoadOptions(memory=LITTLE), [query])
    said = "stragglers: adds up over the whole job, which no window of time does. Ask about fewer"
    with pytest.raises(EngineOutOfMemory, match=said):
        windows.run([query], job, how, SILENT)
    query = lookup.from_file("allreduce")
    with pytest.raises(EngineOutOfMemory, match=r"^no room to start TraceProcessor.*Ask about"):
        windows.run([query], job, how, SILENT, most=1)
