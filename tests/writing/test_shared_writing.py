"""A repaired trace is the same, byte for byte, however many write it."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING

import pytest

from tests.support.handmade import overlap_options
from tests.support.helping import Slow, here, kill_one
from tp_tools.chrome.parallel_reader import batch_pool
from tp_tools.errors import InputError
from tp_tools.files import ReadSizes, Source
from tp_tools.processes import local
from tp_tools.processes.pool import ALONE, Pool
from tp_tools.progress import SILENT
from tp_tools.repair.analysis import analyze, rewrite
from tp_tools.writing.pftrace.options import PftraceOptions

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tp_tools.repair.analysis import Analysis


def trace(count: int) -> bytes:
    """Kernels of which some overlap, some have no time, and all have a tid of 0."""
    events = [
        {
            "ph": "X",
            "cat": "kernel",
            "name": f"k{i}",
            "pid": 7,
            "tid": 0,
            "ts": None if i % 11 == 3 else i * 10,
            "dur": 14 if i % 5 == 2 else 9,
            "args": {"correlation": i},
        }
        for i in range(count)
    ]
    return json.dumps({"traceEvents": events}, indent=1).encode()


@pytest.fixture
def runs(tmp_path: Path) -> tuple[Source, Analysis]:
    """A trace of many runs, and what is to be done to it."""
    path = tmp_path / "t.json"
    path.write_bytes(trace(200))
    file = Source(path, path.name, sizes=ReadSizes(500, 900))
    analysis = analyze(file, overlap_options())
    assert len(analysis.trace.batches) > 20
    assert analysis.plan.moves
    assert analysis.plan.untimed
    return file, analysis


def made(runs: tuple[Source, Analysis], pool: Pool, *, packed: bool) -> bytes:
    """The repaired trace."""
    return b"".join(rewrite(*runs, pool=pool, packed=packed))


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("size", [2, 3, 5])
def test_nothing_depends_on_who_writes_what(
    size: int, packed: bool, runs: tuple[Source, Analysis]
) -> None:
    """Workers of any speed, of which one ends on the way; compressed bytes, too."""
    alone = made(runs, ALONE, packed=packed)
    assert made(runs, here(size), packed=packed) == alone
    dying = Pool([Slow(1, 3), Slow(2)][: size - 1])
    assert made(runs, dying, packed=packed) == alone
    text = made(runs, ALONE, packed=False)
    assert (gzip.decompress(alone) if packed else alone) == text
    assert len(json.loads(text)["traceEvents"]) == 200 - 18 + 2


@pytest.mark.parametrize("size", [1, 3])
def test_a_file_that_changes_meanwhile_is_an_error(
    size: int, runs: tuple[Source, Analysis]
) -> None:
    """Whoever meets it."""
    file, analysis = runs
    file.path.write_bytes(file.path.read_bytes().replace(b'"dur": 14', b'"dur":,{}', 3))
    file.stamp = (file.path.stat().st_size, file.path.stat().st_mtime_ns)
    with pytest.raises(InputError, match="changed while it was being read"):
        made((file, analysis), here(size), packed=True)


@pytest.mark.parametrize(
    ("name", "jobs", "least"),
    [("mi300_xdit_sd35_rank0", 2, None), ("epoch_decimals_rank0", 3, 0)],
)
@pytest.mark.parametrize("is_killed", [False, True])
@pytest.mark.parametrize("options", [None, PftraceOptions(), PftraceOptions(compressed=False)])
def test_a_recorded_trace_is_written_by_processes(
    name: str,
    jobs: int,
    least: int | None,
    *,
    options: PftraceOptions | None,
    is_killed: bool,
    real_trace: Callable[[str], Path],
) -> None:
    """The largest one, and another one; also where a worker is killed before it writes.

    As gzip, or as `.pftrace`.
    """
    path = real_trace(f"{name}.json.gz")
    file = Source(path, "t")
    with batch_pool(file, jobs, least) as pool:
        assert pool.size == jobs
        analysis = analyze(file, overlap_options(), pool=pool)
        if is_killed:
            kill_one(pool)
        shared = b"".join(rewrite(file, analysis, SILENT, options, pool, packed=True))
    assert shared == b"".join(rewrite(file, analysis, SILENT, options, packed=True))


def test_a_text_longer_than_a_pipe_is_written_by_a_worker(tmp_path: Path) -> None:
    """One event may be longer than a batch."""
    event = {"ph": "X", "name": "k" * (local._PIPE + 5), "pid": 1, "tid": 0, "ts": 1, "dur": 2}
    path = tmp_path / "t.json"
    path.write_text(json.dumps([event] * 6))
    file = Source(path, "t")
    with batch_pool(file, 2, least=0) as pool:
        analysis = analyze(file, overlap_options(), pool=pool)
        shared = made((file, analysis), pool, packed=False)
    assert shared == made((file, analysis), ALONE, packed=False)
    assert [it["tid"] for it in json.loads(shared)][:6] == [2] * 6
