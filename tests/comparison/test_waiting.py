"""A job's time in collectives is split into waiting for the last rank, and the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.support.gpu_traces import Event, call, note, work
from tests.support.handmade import text
from tests.support.rank_traces import NCCL, group, told
from tests.support.reporters import Recorder
from tp_tools.comparison.collection import collect
from tp_tools.comparison.model import TIME
from tp_tools.comparison.waiting import split
from tp_tools.querying import LoadOptions

if TYPE_CHECKING:
    from pathlib import Path

    from tp_tools.comparison.ranks import RankSamples

US = 1_000


def rank_of(late_us: int) -> list[Event]:
    """Three steps of 100 us: 10 us of compute, then an all-reduce that ends at 60 us."""
    events: list[Event] = []
    for step in range(3):
        start = step * 100 * US
        args: dict[str, Any] = {**told(Seq=step), **group("0", 0, 1)}
        events += [
            note(f"ProfilerStep#{step}", start, start + 90 * US),
            call("cudaLaunchKernel", start + US, start + 2 * US, 2 * step + 1),
            call("cudaLaunchKernel", start + 3 * US, start + 4 * US, 2 * step + 2),
            work("gemm", start + 10 * US, start + 20 * US, correlation=2 * step + 1),
            work(
                NCCL,
                start + (30 + late_us) * US,
                start + 60 * US,
                correlation=2 * step + 2,
                **args,
            ),
        ]
    return events


def write(folder: Path, rank: int, events: list[Event]) -> str:
    """A trace of a rank of two."""
    path = folder / f"rank{rank}.json"
    job = {"rank": rank, "world_size": 2}
    path.write_bytes(text(events, distributedInfo=job, baseTimeNanoseconds=10**18))
    return str(path)


def parts(samples: list[RankSamples], name: str) -> list[list[float]]:
    """A part of each step, by rank, us."""
    return [
        [
            ns / US
            for step in it.steps
            for key, (_, ns) in step.rows.items()
            if (key.level, key.name) == (TIME, name)
        ]
        for it in samples
    ]


def test_waiting_is_the_time_until_the_last_rank_came(tmp_path: Path) -> None:
    """Rank 1 is 20 us late in each step: rank 0 waits for that, and both are 10 us on the wire."""
    files = [write(tmp_path, rank, rank_of(20 * rank)) for rank in (0, 1)]
    [samples] = collect([files], LoadOptions(), Recorder())
    assert parts(samples, "waiting") == [[20, 20, 20], [0, 0, 0]]
    assert parts(samples, "communication") == [[10, 10, 10], [10, 10, 10]]
    [alone] = collect([files[:1]], LoadOptions(), Recorder())
    assert parts(alone, "waiting") == [[0, 0, 0]]
    assert parts(alone, "communication") == [[30, 30, 30]]


def test_ranks_that_cannot_be_merged_are_not_split(tmp_path: Path) -> None:
    """A line says so, with the reason; the samples are those of each trace."""
    files = [write(tmp_path, rank, rank_of(20 * rank)) for rank in (0, 1)]
    [samples] = collect([files], LoadOptions(), Recorder())
    (tmp_path / "rank1.json").write_text("no trace any more")
    reporter = Recorder()
    again = split(list(zip(files, samples, strict=True)), LoadOptions(), reporter)
    assert again == samples
    assert any("counts as communication: not merged: " in line for line in reporter.notes)


def test_other_steps_are_not_split(tmp_path: Path) -> None:
    """Where the merge finds fewer steps than the trace alone, nothing is taken away."""
    files = [write(tmp_path, rank, rank_of(20 * rank)) for rank in (0, 1)]
    [alone], [other] = collect([files[:1], files[1:]], LoadOptions(), Recorder())
    fewer = replace(alone, steps=alone.steps[:2])
    found = split([(files[0], fewer), (files[1], other)], LoadOptions(), Recorder())
    assert found[0] == fewer
    assert parts(found[1:], "communication") == [[10, 10, 10]]


@pytest.mark.parametrize("count", [0, 1])
def test_less_than_two_ranks_are_not_merged(tmp_path: Path, count: int) -> None:
    """Nor are files without samples: nothing is read."""
    files = [write(tmp_path, 0, rank_of(0))]
    [samples] = collect([files], LoadOptions(), Recorder())
    reporter = Recorder()
    assert (
        split([(files[0], it) for it in samples[:count]], LoadOptions(), reporter)
        == samples[:count]
    )
    assert reporter.stages == []
