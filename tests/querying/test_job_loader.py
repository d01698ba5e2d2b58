"""All ranks in one TraceProcessor: on one clock, with what the query needs and no more."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from fixtures import generate_ranks
from tests.support import generated
from tests.support.generated import write_rank
from tests.support.gpu_traces import answer
from tests.support.reporters import Recorder
from tp_tools import engine, library
from tp_tools.errors import InputError, UsageError
from tp_tools.library import Header
from tp_tools.progress import SILENT
from tp_tools.querying import lookup
from tp_tools.querying.frames import frame
from tp_tools.querying.job_loader import load_job
from tp_tools.querying.trace_loader import LoadOptions

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.engine.processor import Processor
    from tp_tools.progress import Reporter

QUERIES = ("allreduce", "collectives_by_rank", "stragglers")
NEEDS = frozenset({"kernel"})
LEAN = Header("", "", "job", NEEDS, frozenset({"device", "stream"}))
PARTLY = LoadOptions(needs=NEEDS)


def opened(
    traces: list[str], header: Header, how: LoadOptions, reporter: Reporter = SILENT
) -> Processor:
    """Load the ranks of a job."""
    return load_job(traces, header, how, reporter=reporter)[0]


@pytest.fixture(scope="module", params=["none", "comms_id"])
def job(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Four ranks on clocks that differ, with launches and arrows."""
    made = generated.job(
        ranks=4, steps=4, straggling=0.2, only_collectives=False, args=request.param
    )
    folder = tmp_path_factory.mktemp("job")
    return [str(path) for path in generate_ranks.written(made, folder)]


@pytest.mark.parametrize("name", QUERIES)
def test_what_a_query_needs_is_enough(name: str, job: list[str]) -> None:
    """Loading only what the header says gives the rows that everything gives."""
    query = lookup.from_file(name)
    how = LoadOptions(needs=query.header.needs)
    with (
        opened(job, query.header, replace(how, needs=None)) as everything,
        opened(job, query.header, how) as needed,
    ):
        assert _args(needed) < _args(everything)
        assert answer(name, needed) == answer(name, everything) != []


def _args(tp: Processor) -> int:
    """How many arguments were loaded: the job has no event of a category that is not needed."""
    return int(engine.rows(tp, "SELECT COUNT(*) FROM args")[0][0])


def kernel(rank: int, name: str, ts: float, **args: object) -> dict[str, Any]:
    """A kernel with all that Kineto says of one."""
    said = {"device": 3, "stream": 7, "correlation": 5, "grid": [1, 2, 3], **args}
    place = {"pid": 3, "tid": 7, "ts": ts + rank, "dur": 5}
    return {"ph": "X", "cat": "kernel", "name": name, **place, "args": said}


@pytest.fixture
def pair(tmp_path: Path) -> list[str]:
    """Two ranks with a gemm, an all-reduce and a Python frame."""
    names = {"Collective name": "allreduce", "In msg nelems": 8, "dtype": "Float"}
    frame = {
        "ph": "X",
        "cat": "python_function",
        "name": "f",
        "pid": 9,
        "tid": 9,
        "ts": 1,
        "dur": 3,
    }
    return [
        str(
            write_rank(
                tmp_path,
                f"rank{rank}.json",
                [kernel(rank, "gemm", 1), kernel(rank, "ncclDevKernel_X", 10, **names), frame],
                distributedInfo={"rank": rank, "world_size": 3},
            )
        )
        for rank in range(2)
    ]


def test_args_that_are_not_needed_are_left_out(pair: list[str]) -> None:
    """Of a gemm its place stays, of a collective all that it says; other categories go."""
    sql = """
    SELECT name, EXTRACT_ARG(arg_set_id, 'args.device'), EXTRACT_ARG(arg_set_id, 'args.stream'),
      EXTRACT_ARG(arg_set_id, 'args.correlation'), EXTRACT_ARG(arg_set_id, 'args.grid[1]'),
      EXTRACT_ARG(arg_set_id, 'args.dtype')
    FROM slice WHERE category NOT IN ('collective', 'collective_part') ORDER BY ts, name
    """
    with opened(pair, LEAN, PARTLY) as tp:
        gemm, reduction = ("gemm", 3, 7, None, None, None), ("ncclDevKernel_X", 3, 7, 5, 2, "Float")
        assert engine.rows(tp, sql) == [gemm, gemm, reduction, reduction]
    with opened(pair, replace(LEAN, args=None), PARTLY) as tp:
        assert ("gemm", 3, 7, 5, 2, None) in engine.rows(tp, sql)


def test_a_job_is_loaded_whole(pair: list[str]) -> None:
    """Without needs everything is there, so that ids are those of the merged file."""
    with opened(pair, LEAN, LoadOptions()) as tp:
        assert ("f",) in engine.rows(tp, "SELECT name FROM slice")


def test_missing_ranks_are_warned_about(pair: list[str]) -> None:
    """Two files of a job of three: the answer is given, and what is missing is said."""
    recorder = Recorder()
    with opened(pair, LEAN, PARTLY, recorder) as tp:
        rows = frame(engine.run_file(tp, library.find("allreduce")))
    assert rows["ranks"].tolist() == [2]
    assert recorder.warnings == ["the job has more ranks than there are files; missing: 2."]


def test_ranks_of_two_jobs_are_refused(pair: list[str], tmp_path: Path) -> None:
    """A file of another job is an error, not a match."""
    other = write_rank(
        tmp_path,
        "rank2.json",
        [kernel(2, "gemm", 1)],
        distributedInfo={"rank": 2, "world_size": 64},
    )
    with pytest.raises(InputError, match="64"):
        opened([*pair, str(other)], LEAN, PARTLY)


def test_raw_ranks_have_no_common_clock(pair: list[str]) -> None:
    """Files as they are cannot be asked about the job."""
    with pytest.raises(UsageError, match="--raw"):
        opened(pair, LEAN, replace(PARTLY, raw=True))
