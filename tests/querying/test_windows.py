"""A job that one TraceProcessor cannot hold is asked in windows of time, with the same rows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.support.large_jobs import JOBS, LITTLE, RANKS, RECORDED, written
from tests.support.reporters import Recorder
from tp_tools import engine, library
from tp_tools.errors import EngineOutOfMemory
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions, lookup, parts, windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.engine import Rows

IN_WINDOWS = tuple(
    name
    for name in library.queries()
    if windows.MODULES.issuperset(listed := lookup.from_file(name).header.parts) and listed
)
WHOLE = 300_000
"""Bytes of text that a window of these jobs has not, and all of a job has."""


def rows_in(names: tuple[str, ...], files: list[str], most: int) -> tuple[list[Rows], int]:
    """The rows of queries where a TraceProcessor holds so many bytes, and the number of windows."""
    queries = [lookup.from_file(name) for name in names]
    said = Recorder()
    how = lookup.needing(LoadOptions(), queries)
    rows = list(parts.run(queries, files, how, said, most=most).values())
    told = [re.search(r"asked in (\d+) windows? of time\.$", line) for line in said.notes]
    (count,) = [int(it[1]) for it in told if it] or [0]
    return rows, count


def shown(name: str) -> tuple[str, ...]:
    """The columns of a query."""
    with engine.load([b'{"traceEvents":[]}'], source="nothing") as tp:
        return engine.query_rows(tp, lookup.from_file(name).sql).columns


@pytest.fixture(scope="module", params=JOBS)
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of a job."""
    return written(tmp_path_factory.mktemp("job"), **JOBS[request.param])  # type: ignore[arg-type]


def check(files: list[str], most: int) -> int:
    """Hold all queries in windows against the whole; return the number of windows."""
    whole, no_windows = rows_in(IN_WINDOWS, files, 1 << 40)
    found, count = rows_in(IN_WINDOWS, files, most)
    assert no_windows == 0
    for name, one, other in zip(IN_WINDOWS, whole, found, strict=True):
        assert (other.columns, other.start_ns) == (one.columns, one.start_ns)
        assert other.rows == one.rows, name
    assert sum(len(it.rows) for it in whole) > 0
    return count


@pytest.mark.parametrize(("most", "least"), [(1, 20), (200_000, 3)])
def test_windows_give_the_rows_of_the_whole(job: list[str], most: int, least: int) -> None:
    """All queries that windows answer, in those of any size: the same rows in the same order."""
    assert check(job, most) >= least


def test_windows_give_the_rows_of_ranks_that_are_there(tmp_path: Path) -> None:
    """Where the file of a rank is missing, too."""
    assert check(written(tmp_path, **JOBS["in two groups, on two machines"])[1:], 1) >= 20  # type: ignore[arg-type]


def test_what_adds_up_over_windows_is_in_the_jobs(tmp_path: Path) -> None:
    """Each case shows in the rows: groups, machines, ties, messages, work that came late."""
    cases = {
        "process_groups": ("in two groups, on two machines", "process_group", {"0", "1"}),
        "nodes": ("in two groups, on two machines", "host", {"node-0", "node-1"}),
        "send_recv": ("with messages", "src_rank", {0, 2}),
    }
    for name, (case, column, values) in cases.items():
        (folder := tmp_path / name).mkdir()
        (rows,), count = rows_in((name,), written(folder, **JOBS[case]), 1)  # type: ignore[arg-type]
        assert count > 1
        assert {row[rows.columns.index(column)] for row in rows.rows} == values
    (folder := tmp_path / "stragglers").mkdir()
    ties = written(folder, **JOBS["with ranks that come last together"])  # type: ignore[arg-type]
    (rows,), _ = rows_in(("stragglers",), ties, 1)
    times, late_work = (rows.columns.index(it) for it in ("times_last", "late_work_us"))
    by_rank = {row[0]: row for row in rows.rows}
    assert by_rank[RANKS - 1][times] == by_rank[RANKS - 2][times] > 0
    assert by_rank[RANKS - 1][late_work] == by_rank[RANKS - 2][late_work] > 0


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_jobs_give_the_same_rows(real_trace: Callable[[str], Path], name: str) -> None:
    """With steps, streams and process groups of their own, in as many windows as there can be."""
    files = sorted(map(str, real_trace(name).parent.glob(RECORDED[name])))
    assert len(files) > 1
    assert check(files, 1) > 1


@pytest.mark.parametrize("name", ["identified", "nameless"])
def test_the_job_has_steps_and_collectives_without_a_match(tmp_path: Path, name: str) -> None:
    """What numbers and steps of windows could get wrong is in the job of these tests."""
    (rows,), _ = rows_in(("allreduce",), written(tmp_path, **JOBS[name]), 1)  # type: ignore[arg-type]
    steps, confidence = (rows.columns.index(it) for it in ("step", "confidence"))
    assert {row[steps] for row in rows.rows} >= {"ProfilerStep#9", "ProfilerStep#10"}
    assert "alone" in {row[confidence] for row in rows.rows}


WITHOUT_STEPS = ("stragglers", "nodes", "process_groups")


def test_sums_of_a_job_without_marks_are_asked_in_windows(tmp_path: Path) -> None:
    """They depend on no step, unless some are chosen; all other queries show steps, or compute."""
    for name in IN_WINDOWS:
        shows_context = not {"step", "hidden_compute_us"}.isdisjoint(shown(name))
        assert shows_context == (name not in WITHOUT_STEPS)
    files = written(tmp_path, args="comms_id", marked=False, unlaunched=300, elsewhere=100)
    whole, _ = rows_in(WITHOUT_STEPS, files, 1 << 40)
    found, count = rows_in(WITHOUT_STEPS, files, 1)
    assert count >= 20
    assert found == whole
    chosen = [lookup.from_file("stragglers", {"steps": "0..2"})]
    said = Recorder()
    parts.run(chosen, files, lookup.needing(LoadOptions(), chosen), said, most=1)
    assert not any("of time" in line for line in said.notes)


@pytest.mark.parametrize(
    ("wishes", "why"),
    [
        ({"args": "comms_id", "marked": False}, "nothing marks the steps of its ranks"),
        (
            {"args": "comms_id", "unlaunched": 300},
            "launches of a rank are recorded in a part of its time",
        ),
        ({"args": "comms_id", "forked": 300}, "several processes launch the work of a rank"),
    ],
)
def test_rows_that_may_differ_are_asked_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wishes: dict[str, object], why: str
) -> None:
    """What a window cannot know of the whole job is asked at once; said where that is too much."""
    files = written(tmp_path, **wishes)  # type: ignore[arg-type]
    whole, _ = rows_in(("allreduce",), files, 1 << 40)
    assert rows_in(("allreduce",), files, 1) == (whole, 0)
    load = engine.load

    def small(*given: object, **more: object) -> object:
        if more["source"] == "the job" and int(str(more["size"])) > WHOLE:
            raise EngineOutOfMemory("the job: does not fit.")  # simulates a lack of memory
        return load(*given, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "load", small)
    said = rf"does not fit\. Windows of time may give other rows, since {why}\. Ask about fewer"
    with pytest.raises(EngineOutOfMemory, match=said):
        rows_in(("allreduce",), files, 1)


def test_windows_that_do_not_fit_say_so(job: list[str]) -> None:
    """Where no engine starts the line says what to do; ids of the viewer need all of the job."""
    query = lookup.from_file("allreduce")
    with pytest.raises(EngineOutOfMemory, match="With all categories a job is asked at once"):
        parts.run([query], job, LoadOptions(memory=LITTLE), SILENT, most=1)
    how = lookup.needing(LoadOptions(memory=LITTLE), [query])
    with pytest.raises(EngineOutOfMemory, match=r"^no room to start TraceProcessor.*Ask about"):
        parts.run([query], job, how, SILENT, most=1)
