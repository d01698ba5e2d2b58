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
from tp_tools import engine, library
from tp_tools.errors import EngineOutOfMemory, InputError
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions, lookup, windows

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.engine import Rows

IN_WINDOWS = tuple(name for name in library.queries() if lookup.from_file(name).header.windows)
RANKS = 4
WHOLE = 300_000
"""Bytes of text that a window of these jobs has not, and all of a job has."""
LITTLE = 1 << 20
"""Bytes of memory in which no engine starts."""


def written(
    folder: Path,
    *,
    marked: bool = True,
    messages: int = 0,
    unlaunched: int = 0,
    elsewhere: int = 0,
    forked: int = 0,
    twins: bool = False,
    **wishes: object,
) -> list[str]:
    """Writes ranks on clocks of their own, with launches; a mark for each step if wanted.

    The first so many collectives of each are messages between two ranks, the first so many kernels
    have no launch, are on another GPU, or are launched by another process. A twin, the last rank,
    does all that the one before it does at the same time.
    """
    made = generated.job(ranks=RANKS, steps=6, only_collectives=False, straggling=0.2, **wishes)
    made.ranks[-1] = made.ranks[-2] if twins else made.ranks[-1]
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
        peer = f'"{("send", "recv")[rank % 2]}", "{("Dst", "Src")[rank % 2]} Rank": {rank ^ 1}'
        text = trace.text().replace('"allreduce"', peer, messages)
        text = text.replace(f'"device": {rank}', f'"device": {rank + 9}', elsewhere)
        own, other = (f'"cudaLaunchKernel", "pid": {pid}' for pid in (thread[0], 99_000 + rank))
        text = text.replace(own, other, forked)
        path.write_text(text.replace('"cuda_runtime"', '"lost"', unlaunched))
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


def shown(name: str) -> tuple[str, ...]:
    """The columns of a query."""
    with engine.load([b'{"traceEvents":[]}'], source="nothing") as tp:
        return engine.query_rows(tp, lookup.from_file(name).sql).columns


JOBS: dict[str, dict[str, object]] = {
    "identified": {"args": "comms_id"},
    "nameless": {"args": "none"},
    "in two groups, on two machines": {"args": "seq", "groups": 2, "hosts": 2},
    "with ranks that come last together": {
        "args": "comms_id",
        "twins": True,
        "largest_offset": 0,
        "largest_drift_ppm": 0,
    },
    "with messages": {"args": "comms_id", "messages": 5},
}
"""Four ranks each; one of them lost some collectives."""


@pytest.fixture(scope="module", params=JOBS)
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of a job."""
    return written(tmp_path_factory.mktemp("job"), **JOBS[request.param])  # type: ignore[arg-type]


def check(files: list[str], most: int) -> int:
    """Hold all queries in windows against the whole; return the number of windows."""
    whole, no_windows = rows_in(IN_WINDOWS, files, 1 << 40)
    parts, count = rows_in(IN_WINDOWS, files, most)
    assert no_windows == 0
    for name, one, other in zip(IN_WINDOWS, whole, parts, strict=True):
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
    parts, count = rows_in(WITHOUT_STEPS, files, 1)
    assert count >= 20
    assert parts == whole
    chosen = [lookup.from_file("stragglers", {"steps": "0..2"})]
    said = Recorder()
    windows.run(chosen, files, lookup.needing(LoadOptions(), chosen), said, most=1)
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


def test_queries_about_more_say_so_where_memory_ends(job: list[str]) -> None:
    """`critical_path` is asked at once; a line says why windows do not help where that fails."""
    query = lookup.from_file("critical_path")
    how = lookup.needing(LoadOptions(memory=LITTLE), [query])
    said = "critical_path: asks for all of the job at once. Ask about fewer"
    with pytest.raises(EngineOutOfMemory, match=said):
        windows.run([query], job, how, SILENT)
    query = lookup.from_file("allreduce")
    with pytest.raises(EngineOutOfMemory, match="With all categories a job is asked at once"):
        windows.run([query], job, LoadOptions(memory=LITTLE), SILENT, most=1)
    how = lookup.needing(LoadOptions(memory=LITTLE), [query])
    with pytest.raises(EngineOutOfMemory, match=r"^no room to start TraceProcessor.*Ask about"):
        windows.run([query], job, how, SILENT, most=1)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("tpt.collective.part", "its header says 'Windows: tpt.collective.part', but it reads s"),
        ("tpt.step", r"windows of time do not give tpt\.step; they give tpt\.collective\.part, "),
    ],
)
def test_a_header_that_is_not_so_is_refused(tmp_path: Path, module: str, said: str) -> None:
    """A query that reads slices besides, and one of a module of which windows differ."""
    file = tmp_path / "mine.sql"
    file.write_text(
        f"-- Mine.\n--\n-- Scope: job\n-- Windows: {module}\n-- Needs: kernel\n\n"
        f"INCLUDE PERFETTO MODULE {module};\n\nSELECT COUNT(*) AS count FROM slice;\n"
    )
    query, files = lookup.from_file(str(file)), written(tmp_path, args="seq")
    with pytest.raises(InputError, match=rf"mine: {said}"):
        windows.run([query], files, lookup.needing(LoadOptions(), [query]), SILENT, most=1)
