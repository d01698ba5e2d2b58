"""A trace read by several processes is the trace that one process reads."""

from __future__ import annotations

import json
import multiprocessing
import random
import tempfile
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.helping import here, kill_one
from tp_tools.chrome.parallel_reader import batch_pool, read_together
from tp_tools.chrome.reader import read
from tp_tools.errors import InputError
from tp_tools.files import ReadSizes, Source
from tp_tools.processes.pool import ALONE, Pool
from tp_tools.progress import SILENT

if TYPE_CHECKING:
    from collections.abc import Callable

    from tp_tools.trace.model import Trace

COLUMNS = ("phase", "ts", "dur", "track", "cat", "name", "link", "bound")


def source_of(path: Path, size: int = 200) -> Source:
    """Return the source of a file that is read in blocks and batches of `size` bytes."""
    return Source(path, "t", sizes=ReadSizes(size, size))


def assert_same(one: Trace, other: Trace) -> None:
    """Column for column, table for table, text for text."""
    for key in COLUMNS:
        assert np.array_equal(getattr(one, key), getattr(other, key)), key
    for key in (
        "head",
        "tail",
        "batches",
        "tracks",
        "cats",
        "names",
        "metadata",
        "rounded",
        "repairs",
    ):
        assert getattr(one, key) == getattr(other, key), key
    assert list(one.links) == list(other.links)


def events(count: int, seed: int = 0) -> list[dict[str, Any]]:
    """Events of many kinds; some hold lists of objects, in which a run could seem to end."""
    rnd = random.Random(seed)
    made: list[dict[str, Any]] = []
    for i in range(count):
        event: dict[str, Any] = {"ph": rnd.choice("XXXXsfiM"), "pid": rnd.choice([1, 2, "p"])}
        event |= {"tid": rnd.randrange(3), "ts": i + 0.125, "name": f"n{rnd.randrange(9)}"}
        if event["ph"] == "X":
            event |= {"dur": rnd.randrange(9), "cat": "kernel", "args": {"correlation": i}}
        elif event["ph"] in "sf":
            event |= {"id": rnd.choice([i, "0x7", 7]), "bp": "e"}
        elif event["ph"] == "M":
            event |= {"name": "thread_name", "args": {"name": f"t{i}"}}
        made.append(event)
    return made


def write(path: Path, made: list[Any], behind: str = "") -> Path:
    """A trace of these events."""
    text = msgspec.json.format(json.dumps(made), indent=1)  # 20 times faster than json's indent
    path.write_text('{"a": [{}, {}], "traceEvents": ' + text + behind + "}")
    return path


@pytest.mark.parametrize("parts", [2, 3, 5])
@pytest.mark.parametrize("behind", ["", ', "z": [{"ph": 1}, {"ph": 2}, {"ph": 3}, {"ph": 4}]'])
def test_shares_joined_are_the_whole(parts: int, behind: str, tmp_path: Path) -> None:
    """Numbers of texts and events are those of one reader, whoever met them first.

    Where a list of objects follows the events, a run seems to end in it: one process reads that.
    """
    path = write(tmp_path / "t.json", events(300), behind)
    alone = read(source_of(path))
    again = source_of(path)
    assert (read_together(again, here(parts), SILENT) is None) == bool(behind)
    assert_same(read(source_of(path), pool=here(parts)), alone)
    assert len(alone.batches) > 2 * parts
    assert again.stamp != (0, 0)


@settings(max_examples=60, deadline=None)
@given(
    made=st.builds(events, st.integers(0, 60), st.integers(0, 10**6)),
    parts=st.integers(2, 4),
    size=st.integers(60, 900),
    nested=st.lists(st.integers(0, 59), max_size=3),
    cut=st.none() | st.floats(0.2, 1),
)
def test_nothing_depends_on_who_reads_what(
    made: list[dict[str, Any]], parts: int, size: int, nested: list[int], cut: float | None
) -> None:
    """Lists of objects inside events, files cut short anywhere: the same trace or error."""
    for i in nested:
        if i < len(made):
            made[i]["args"] = {"list": [{"ph": "X"}, {"ph": "X"}, {"deep": [{}, {}]}] * 5}
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "t.json", made)
        if cut is not None:
            path.write_bytes(path.read_bytes()[: int(path.stat().st_size * cut)])
        wanted = outcome(source_of(path, size), ALONE)
        found = outcome(source_of(path, size), here(parts))
        if isinstance(wanted, str) or isinstance(found, str):
            assert wanted == found
        else:
            assert_same(found, wanted)


def outcome(source: Source, pool: Pool) -> Trace | str:
    """The trace that reading gives, or the text of its error."""
    try:
        return read(source, pool=pool)
    except InputError as error:
        return str(error)


def test_damage_is_the_same_whoever_reads(tmp_path: Path) -> None:
    """Whoever meets a bad time first, the event is left out and named as one reader names it."""
    made = events(200)
    made[150] = {"ph": "X", "ts": "soon", "dur": 1, "name": "late"}
    path = write(tmp_path / "t.json", made)
    trace, other = (read(source_of(path), pool=pool) for pool in (here(2), ALONE))
    assert len(trace) == 199
    assert trace.damage == other.damage
    assert trace.damage is not None
    assert [it.name for it in trace.damage] == ["late"]


def test_what_has_to_be_mended_is_mended(tmp_path: Path) -> None:
    """Escapes and NaN count once, however many read the file."""
    made = events(100)
    made[60] = {"ph": "X", "ts": 1, "dur": 2, "name": "\u00e9", "args": {"x": "not a number"}}
    path = write(tmp_path / "t.json", made)
    path.write_text(path.read_text().replace('"not a number"', "NaN"))
    trace = read(source_of(path), pool=here(3))
    assert trace.repairs == {"escapes": 1, "not_a_number": 1}
    assert_same(trace, read(source_of(path)))


def test_zeros_behind_the_end_are_mended(tmp_path: Path) -> None:
    """Zeros that a crash left are told in the same words by one reader and by several."""
    path = write(tmp_path / "t.json", events(100))
    path.write_bytes(path.read_bytes() + b"  \0\0")
    trace = read(source_of(path), pool=here(3))
    assert trace.repairs == {"zero_bytes": 1}
    assert_same(trace, read(source_of(path)))


# -- real processes ------------------------------------------------------------------------------


def test_processes_help(tmp_path: Path) -> None:
    """Three processes read a trace of several runs as one does."""
    path = write(tmp_path / "t.json", events(40_000))
    source = Source(path, "t")
    with batch_pool(source, 3, least=0) as pool:
        assert pool.size == 3
        assert_same(read(source, pool=pool), read(Source(path, "t")))


def test_processes_help_where_threads_run(tmp_path: Path) -> None:
    """A process with threads must not be copied: its worker starts anew."""
    path = write(tmp_path / "t.json", events(40_000))
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        with batch_pool(Source(path, "t"), 2, least=0) as pool:
            assert read_together(Source(path, "t"), pool, SILENT) is not None
    finally:
        done.set()
        thread.join()


@pytest.mark.parametrize("jobs", [2, 4])
def test_a_worker_that_is_killed_costs_time_only(jobs: int, tmp_path: Path) -> None:
    """A killed worker, as when memory runs out, costs time only: this process reads its share."""
    path = write(tmp_path / "t.json", events(40_000))
    with batch_pool(Source(path, "t"), jobs, least=0) as pool:
        kill_one(pool)
        assert_same(read(Source(path, "t"), pool=pool), read(Source(path, "t")))


def test_nobody_is_left_when_the_work_fails(tmp_path: Path) -> None:
    """An error ends the workers, whether they were asked or not."""
    path = write(tmp_path / "t.json", events(10))
    before = multiprocessing.active_children()
    with pytest.raises(KeyError), batch_pool(Source(path, "t"), 3, least=0):
        raise KeyError
    assert multiprocessing.active_children() == before


def test_a_small_file_is_read_alone(tmp_path: Path) -> None:
    """To start a process would take longer."""
    path = write(tmp_path / "t.json", events(10))
    with batch_pool(Source(path, "t"), 8) as pool:
        assert pool.size == 1


@pytest.mark.parametrize(
    ("name", "jobs", "least"),
    [("mi300_xdit_sd35_rank0", 2, None), ("epoch_decimals_rank0", 3, 0)],
)
def test_a_recorded_trace_is_the_same(
    name: str, jobs: int, least: int | None, real_trace: Callable[[str], Path]
) -> None:
    """The largest one, with its 240,000 events, by two processes; another one by three."""
    path = real_trace(f"{name}.json.gz")
    source = Source(path, "t")
    with batch_pool(source, jobs, least) as pool:
        assert pool.size == jobs
        assert read_together(source, pool, SILENT) is not None
    with batch_pool(source, jobs, least) as pool:
        assert_same(read(source, pool=pool), read(Source(path, "t")))
