"""A report on the ranks of a job, asked by one process or by several."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.support.handmade import kernel, text, x
from tests.support.rank_traces import NCCL
from tests.support.reporters import Recorder
from tp_tools.merging.workers import HERE
from tp_tools.reporting.collection import collect
from tp_tools.reporting.job_ranks import rank_workers

if TYPE_CHECKING:
    from pathlib import Path


def rank(folder: Path, number: int) -> str:
    """The file of a rank of three, with work, an all-reduce, and a device that is not known."""
    args = {"Collective name": "allreduce", "In msg nelems": 4, "Out msg nelems": 4, "dtype": "Int"}
    events = [
        kernel("gemm", 1_000, 20_000 + number, 1),
        x(NCCL, 30_000, 60_000, args={**args, "Group size": 3, "Process Group Name": "0"}),
    ]
    path = folder / f"{number}.json"
    path.write_bytes(
        text(events, distributedInfo={"backend": "nccl", "rank": number, "world_size": 3})
    )
    return str(path)


def test_workers_change_nothing(tmp_path: Path) -> None:
    """Ranks, rows and what is said are those that one process gives."""
    files = [rank(tmp_path, number) for number in range(3)]
    alone, shared = Recorder(), Recorder()
    first = collect(files, None, "auto", alone, jobs=1)
    second = collect(files, None, "auto", shared, jobs=2)
    assert second == first
    assert "allreduce" in first.results
    assert (shared.notes, shared.warnings) == (alone.notes, alone.warnings)


def test_few_ranks_take_few_workers(tmp_path: Path) -> None:
    """There are no more workers than ranks, and none where one process is to do all."""
    files = [rank(tmp_path, number) for number in range(2)]
    with rank_workers(HERE, 8, files, None) as several:
        assert several.pool is not None
        assert several.pool.size == 2
    with rank_workers(HERE, 1, files, None) as one:
        assert one.pool is None
