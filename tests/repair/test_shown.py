"""What TraceProcessor shows of a file is the same whoever loads it, this process or a worker."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from msgspec.structs import astuple

from tests.support.handmade import arrow, cpu, kernel, mark, text
from tests.support.reporters import Recorder
from tp_tools.errors import EngineUnavailable, TraceLossError
from tp_tools.files.sources import source_of
from tp_tools.processes import open_pool
from tp_tools.processes.pool import ALONE
from tp_tools.progress import SILENT
from tp_tools.repair.shown import Loading, ask
from tp_tools.repair.trace_file import FileOptions, pftrace_options, repair

US = 1000
DECODE = Path(__file__).parents[2] / "fixtures/pdl_decode.json.gz"
KERNEL, CALL = kernel("k", 5 * US, 9 * US, 1), cpu("call", 0, US, args={"correlation": 1})
SPAN = [mark(phase, at, name="span", id="0x1", cat="c") for phase, at in (("b", 0), ("e", 9 * US))]
EVENTS = [KERNEL, CALL, *arrow(1, CALL, KERNEL), *SPAN, mark("i", 2 * US, s="g", name="all")]
"""A launch and its kernel, an asynchronous span, and an instant of no thread."""


def loading(folder: Path, data: bytes, *, allow_loss: bool = True) -> Loading:
    """A file to load."""
    path = folder / "out.json"
    path.write_bytes(data)
    return Loading(path, "out.json", None, None, allow_loss=allow_loss)


def test_slices_of_threads_and_instants_are_shown(tmp_path: Path) -> None:
    """Those of asynchronous spans are not, and an instant of the whole trace is of no thread."""
    shown = ask(loading(tmp_path, text(EVENTS)), ALONE).get(SILENT)
    names = [shown.names[code] for code in shown.name]
    rows = zip(names, shown.ts, shown.dur, shown.tid, shown.on_thread, strict=True)
    assert [(*row[:3], row[3] if row[4] else None) for row in rows] == [
        ("call", 0, US, 20),
        ("all", 2 * US, 0, None),
        ("k", 5 * US, 4 * US, 7),
    ]
    assert len(shown.arrows) == 1
    assert shown.losses == {}


def test_a_worker_shows_the_same(tmp_path: Path) -> None:
    """Column by column, as this process would."""
    it = loading(tmp_path, text(EVENTS))
    here = ask(it, ALONE).get(SILENT)
    with open_pool(1) as pool:
        there = ask(it, pool).get(SILENT)
    for own, other in zip(astuple(here), astuple(there), strict=True):
        assert np.array_equal(own, other) if isinstance(own, np.ndarray) else own == other


def test_an_error_in_a_worker_is_raised_here(tmp_path: Path) -> None:
    """A file of which TraceProcessor drops a slice is refused, whoever loads it."""
    crossing = [kernel("a", 0, 2 * US, 1), kernel("b", US, 3 * US, 2)]
    it = loading(tmp_path, text(crossing), allow_loss=False)
    with open_pool(1) as pool:
        for by in (ALONE, pool):
            with pytest.raises(TraceLossError, match=r"out\.json: TraceProcessor lost data"):
                ask(it, by).get(SILENT)


def test_an_answer_that_nobody_wants_is_not_waited_for(tmp_path: Path) -> None:
    """An engine that does not exist is an error only for those who ask for its answer."""
    path = tmp_path / "out.json"
    path.write_bytes(text(EVENTS))
    with open_pool(1) as pool:
        answer = ask(Loading(path, "t", str(tmp_path / "none"), 9, allow_loss=True), pool)
        with pytest.raises(EngineUnavailable):
            answer.get(SILENT)


def test_bytes_of_a_load_are_counted_where_this_process_reads_them(tmp_path: Path) -> None:
    """A worker's are not; the stage is the same."""
    it, alone, together = loading(tmp_path, text(EVENTS)), Recorder(), Recorder()
    ask(it, ALONE).get(alone)
    with open_pool(1) as pool:
        ask(it, pool).get(together)
    assert alone.stages == together.stages == ["verifying: loading out.json"]
    assert (alone.total, together.total) == (len(text(EVENTS)), 0)


@pytest.mark.parametrize("suffix", ["json.gz", "pftrace"])
def test_a_worker_loads_what_fix_has_written(suffix: str, tmp_path: Path) -> None:
    """A repair is proven with a pool as without one, and gives the same bytes."""
    for jobs in (1, 2):
        output = str(tmp_path / f"{jobs}.{suffix}")
        options = FileOptions(
            str(DECODE), output, verify=True, pftrace=pftrace_options(output, None)
        )
        with open_pool(jobs - 1) as pool:
            done = repair(source_of(str(DECODE)), options, SILENT, pool)
        assert done is not None
        assert done.is_verified
    alone, together = sorted(tmp_path.iterdir())
    assert alone.read_bytes() == together.read_bytes()
