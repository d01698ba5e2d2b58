"""A job that one TraceProcessor cannot hold is asked rank by rank, with the same rows."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from tests.support.large_jobs import JOBS, LITTLE, RECORDED, written
from tests.support.reporters import Recorder
from tp_tools import library
from tp_tools.engine import query_rows
from tp_tools.errors import EngineOutOfMemory, InputError
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions, job_loader, lookup, parts, windows
from tp_tools.querying.part_rows import PartRows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tp_tools.engine import Rows
    from tp_tools.engine.processor import Processor

BY_RANK = tuple(
    name
    for name in library.queries()
    if parts.OF_RANKS.issuperset(listed := lookup.from_file(name).header.parts) and listed
)
MOST = 180_000
"""Bytes of text that each rank of these jobs has less than, and all together more."""

WISHES: dict[str, dict[str, object]] = {
    **JOBS,
    "that nothing marks": {"args": "comms_id", "marked": False},
    "launched by several processes": {"args": "seq", "forked": 300},
    "on several GPUs, launched in part": {"args": "none", "unlaunched": 300, "elsewhere": 100},
    "with messages on several GPUs": {"args": "seq", "messages": 9, "elsewhere": 150},
}


@pytest.fixture(scope="module", params=WISHES)
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The files of a job."""
    return written(tmp_path_factory.mktemp("job"), **WISHES[request.param])  # type: ignore[arg-type]


def rows_in(
    names: tuple[str, ...], files: list[str], most: int, **values: library.Values
) -> tuple[list[Rows], list[str]]:
    """The rows of queries where a TraceProcessor holds so many bytes, and how they were asked."""
    queries = [lookup.from_file(name, values.get(name, library.NO_VALUES)) for name in names]
    said = Recorder()
    how = lookup.needing(LoadOptions(), queries)
    rows = list(parts.run(queries, files, how, said, most=most).values())
    told = [line.partition(": asked ")[2] for line in said.notes]
    return rows, [it for it in told if it]


def check(names: tuple[str, ...], files: list[str], **values: library.Values) -> None:
    """Hold queries rank by rank against the whole."""
    whole, at_once = rows_in(names, files, 1 << 40, **values)
    found, said_how = rows_in(names, files, MOST, **values)
    assert (at_once, said_how) == ([], [f"rank by rank, {len(files)} of them."])
    for name, one, other in zip(names, whole, found, strict=True):
        assert (other.columns, other.start_ns) == (one.columns, one.start_ns)
        assert other.rows == one.rows, name
    assert sum(len(it.rows) for it in whole) > 0


def test_ranks_give_the_rows_of_the_whole(job: list[str]) -> None:
    """All queries that ranks answer one by one: the same rows in the same order."""
    assert {"verdict", "critical_path", "gpu_timeline", "pipeline", "allreduce"} < {*BY_RANK}
    check(BY_RANK, job)


@pytest.mark.parametrize("name", ["with messages", "in two groups, on two machines"])
def test_ranks_give_the_rows_of_chosen_steps(tmp_path: Path, name: str) -> None:
    """Where parameters select steps and ranks, too, and where the file of a rank is missing."""
    files = written(tmp_path, **WISHES[name])[1:]  # type: ignore[arg-type]
    steps: library.Values = {"steps": "8..10", "rank": "1..2"}
    names = ("verdict", "critical_path", "pipeline")
    check(names, files, verdict=steps, critical_path=steps, pipeline=steps)


@pytest.mark.parametrize("name", RECORDED)
def test_recorded_jobs_give_the_same_rows(
    real_trace: Callable[[str], Path], name: str, tmp_path: Path
) -> None:
    """With steps, streams and process groups of their own."""
    files = sorted(map(str, real_trace(name).parent.glob(RECORDED[name])))
    with merged(files, tmp_path) as (job, _):
        most = max(rank.size() for rank in job.ranks())
    whole, _ = rows_in(BY_RANK, files, 1 << 40)
    found, said_how = rows_in(BY_RANK, files, most)
    assert said_how == [f"rank by rank, {len(files)} of them."]
    assert found == whole


@contextmanager
def merged(files: list[str], folder: Path) -> Iterator[tuple[job_loader.Job, LoadOptions]]:
    """The ranks of a job, written for all queries that ranks answer, and how to load them."""
    queries = [lookup.from_file(name) for name in BY_RANK]
    how = lookup.needing(LoadOptions(), queries)
    header = library.combine([it.header for it in queries])
    with job_loader.written(files, header, how, folder / "job.json", reporter=SILENT) as job:
        yield job, how


def contents(tp: Processor, module: str, table: library.Table) -> list[tuple[object, ...]]:
    """The rows of a table about ranks, with slices and processes as places in order."""
    cells = ", ".join(name for name, of_type in table.columns if of_type != "JOINID(track.id)")
    select = f"INCLUDE PERFETTO MODULE {module}; SELECT {cells} FROM {table.name}"  # noqa: S608
    found = query_rows(tp, select, module)
    types = dict(table.columns)
    is_of_rank = [place for place, name in enumerate(found.columns) if name == "rank"]
    rows = [row for row in found.rows if all(row[place] is not None for place in is_of_rank)]
    columns = list(zip(*rows, strict=True)) or [()] * len(found.columns)
    for place, name in enumerate(found.columns):
        if types[name] in {"JOINID(slice.id)", "JOINID(process.id)"}:
            places = {it: n for n, it in enumerate(sorted({*columns[place]} - {None}))}
            columns[place] = tuple(map(places.get, columns[place]))
    return list(zip(*columns, strict=True))


def test_tables_of_ranks_are_those_of_the_whole(job: list[str], tmp_path: Path) -> None:
    """All that ranks give: each row, in the same order, with the numbers that modules give."""
    tables = {it: library.tables(it) for it in sorted(parts.OF_RANKS)}
    names = " ".join(it.name for its in tables.values() for it in its)
    found = PartRows([names], list(tables), tmp_path)
    with merged(job, tmp_path) as (written_job, how):
        for rank in written_job.ranks():
            with rank.loaded(how) as tp:
                found.add_rank(tp)
        with written_job.loaded(how) as whole, found.loaded(how) as together:
            for module, its in tables.items():
                for table in its:
                    expected = contents(whole, module, table)
                    assert contents(together, module, table) == expected, table.name


def test_what_ranks_and_windows_give_is_asked_for_in_two_ways(job: list[str]) -> None:
    """`stragglers` needs windows, `verdict` ranks: the rows are those of one query at a time."""
    names = ("verdict", "stragglers")
    whole, _ = rows_in(names, job, 1 << 40)
    found, said_how = rows_in(names, job, MOST)
    assert found == whole
    assert said_how[0] == f"rank by rank, {len(job)} of them."


def test_ranks_that_do_not_fit_say_so(job: list[str], tmp_path: Path) -> None:
    """Where a rank by itself is too large, and of a query that says nothing of parts."""
    query = lookup.from_file("verdict")
    how = lookup.needing(LoadOptions(memory=LITTLE), [query])
    said = r"A rank by itself is too large as well\. Ask about fewer"
    with pytest.raises(EngineOutOfMemory, match=said):
        parts.run([query], job, how, SILENT, most=1)
    (file := tmp_path / "mine.sql").write_text(
        "-- Mine.\n--\n-- Scope: job\n-- Needs: kernel\n\nSELECT COUNT(*) AS count FROM slice;\n"
    )
    query = lookup.from_file(str(file))
    how = lookup.needing(LoadOptions(memory=LITTLE), [query])
    with pytest.raises(EngineOutOfMemory, match=r"mine: asks for all of the job at once\. Ask"):
        parts.run([query], job, how, SILENT)


@pytest.mark.parametrize(
    ("module", "said"),
    [
        ("tpt.collective.part", "its header says 'Parts: tpt.collective.part', but it reads slice"),
        ("tpt.gap", r"parts of a job do not give tpt\.gap; they give tpt\.collective\.context, "),
    ],
)
def test_a_header_that_is_not_so_is_refused(tmp_path: Path, module: str, said: str) -> None:
    """A query that reads slices besides, and one of a module of which parts may differ."""
    file = tmp_path / "mine.sql"
    file.write_text(
        f"-- Mine.\n--\n-- Scope: job\n-- Parts: {module}\n-- Needs: kernel\n\n"
        f"INCLUDE PERFETTO MODULE {module};\n\nSELECT COUNT(*) AS count FROM slice;\n"
    )
    query, files = lookup.from_file(str(file)), written(tmp_path, args="seq")
    with pytest.raises(InputError, match=rf"mine: {said}"):
        parts.run([query], files, lookup.needing(LoadOptions(), [query]), SILENT, most=1)


def test_all_that_parts_give_is_named_by_queries() -> None:
    """Each module that ranks or windows give is in the header of a query."""
    named = {it for name in library.queries() for it in lookup.from_file(name).header.parts}
    assert named == parts.OF_RANKS | windows.MODULES
