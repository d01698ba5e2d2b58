"""The data of a report: each trace is read once for it."""

from __future__ import annotations

import gzip
import random
from typing import TYPE_CHECKING

import msgspec
import pytest

import tp_tools
from tests.support.captured import LAYER, RAN, capture, replay
from tests.support.handmade import kernel, mark, text, x
from tests.support.rank_traces import NCCL
from tests.support.reads import reads
from tests.support.reporters import Recorder
from tp_tools.files.sources import kept_sources, source_of
from tp_tools.progress import SILENT
from tp_tools.reporting.collection import collect

if TYPE_CHECKING:
    from pathlib import Path

HEAD = 64 << 10
"""Bytes that may be read of the beginning of a file to learn what it is."""

STEP = {"cat": "user_annotation", "pid": 10, "tid": 20}


def rank(path: Path, number: int, *, behind: bool = False) -> Path:
    """A rank of two with work and an all-reduce; its rank stands before or behind its events.

    Noise that no compression makes smaller keeps the file larger than what heads may take.
    """
    args = {"Collective name": "allreduce", "In msg nelems": 4, "Out msg nelems": 4, "dtype": "Int"}
    bits = random.Random(number)
    events = [
        x("ProfilerStep#1", 0, 90_000, **STEP),
        kernel("gemm", 1_000, 20_000 + number, 1),
        x(NCCL, 30_000, 60_000, args={**args, "Group size": 2, "Process Group Name": "0"}),
        *(mark("i", 1, name=bits.randbytes(512).hex(), s="t") for _ in range(8 * HEAD // 512)),
    ]
    job = {"distributedInfo": {"backend": "nccl", "rank": number, "world_size": 2}}
    parts = {"traceEvents": events}
    whole = {**parts, **job} if behind else {**job, **parts}
    path.write_bytes(gzip.compress(msgspec.json.encode(whole)))
    return path


@pytest.mark.parametrize("behind", [False, True])
def test_each_rank_of_a_job_is_read_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, behind: bool
) -> None:
    """Finding, repairing, aligning, merging, describing and asking need one pass over each file.

    Its head is read besides where the rank stands in it; else that takes the pass, which is kept.
    """
    ranks = [rank(tmp_path / f"{number}.json.gz", number, behind=behind) for number in range(2)]
    with reads(monkeypatch) as counted:
        page = tp_tools.report(tmp_path, jobs=1).html  # reads of other processes are not counted
    assert "all_reduce" in page
    for path in ranks:
        size = path.stat().st_size
        assert counted.opened[str(path)] == (1 if behind else 2)
        assert size <= counted.read[str(path)] <= size + (0 if behind else 2 * HEAD)


@pytest.mark.parametrize("most", [0, 256 << 20])
def test_a_trace_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """Whether its text stays in memory or goes to a temporary file; two looks tell its format."""
    path = rank(tmp_path / "trace.json.gz", 0)
    with kept_sources() as kept, reads(monkeypatch) as counted:
        kept.keep(source_of(str(path)), most)
        data = collect([str(path)], "embedded", "auto", SILENT, kept=kept)
    assert ("gemm", 1) in set(data.rows("kernels", "name", "count"))
    assert counted.opened[str(path)] == 3
    assert path.stat().st_size <= counted.read[str(path)] <= path.stat().st_size + 2 * HEAD


def test_captures_take_replays_apart(tmp_path: Path) -> None:
    """In a folder beside the trace, or named: modules of a graph's replays are known."""
    trace, beside = tmp_path / "rank0.json", tmp_path / "capture_traces"
    trace.write_bytes(text(replay(RAN)))
    beside.mkdir()
    (beside / "bs_32_rank0.json").write_bytes(text(capture([LAYER])))
    moved = tmp_path.parent / f"{tmp_path.name} moved"

    def modules(*captured: str) -> tuple[set[str], tuple[str, ...] | None]:
        data = collect([str(trace)], "embedded", "auto", Recorder(), captured)
        with tp_tools.open_trace(trace) as tp:
            pasted = [row.path for row in tp.query(data.sql["modules"])]
        assert pasted == [None]  # the page says that its SQL holds no captures
        return {path for path, _ in data.rows("modules", "path", "self_gpu_ns")}, data.captured

    found, captured = modules()
    assert ("Model_0 > Mlp_0" in found, captured) == (True, ())
    beside.rename(moved)
    found, captured = modules()
    assert ("Model_0 > Mlp_0" in found, captured) == (False, None)
    found, captured = modules(str(moved))
    assert ("Model_0 > Mlp_0" in found, captured) == (True, (str(moved),))
