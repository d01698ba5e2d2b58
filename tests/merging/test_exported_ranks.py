"""Exports become the traces of their ranks, each converted once."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

import tp_tools
from fixtures import nsys as made
from fixtures import rocpd as made_rocpd
from fixtures import xplane as made_xplane
from tests.support.reporters import Recorder
from tp_tools import nsys, rocpd, xplane
from tp_tools.errors import InputError
from tp_tools.files import Source
from tp_tools.files.foreign import is_database
from tp_tools.merging.exported_ranks import ExportSources, converted
from tp_tools.processes.pool import ALONE

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from pathlib import Path


def text(source: Source) -> bytes:
    """The whole text of a trace."""
    return b"".join(source.blocks())


def two_processes(**more: list[dict[str, Any]]) -> made.Tables:
    """A kernel each of two processes on GPUs of their own."""
    return {
        made.KERNEL: [
            made.kernel(1_000, 2_000, pid=100, device=1),
            made.kernel(3_000, 5_000, pid=200, device=0),
        ],
        "DIAGNOSTIC_EVENT": [{"timestamp": 1, "severity": 2, "text": "lost", "globalPid": None}],
        **more,
    }


def test_other_files_are_read_as_they_are(tmp_path: Path) -> None:
    """Chrome JSON is not copied."""
    path = tmp_path / "rank0.json"
    path.write_text('{"traceEvents": []}')
    [source] = converted([str(path)], ALONE, ExportSources(tmp_path))
    assert source.path == path


def test_an_export_of_one_process_is_database(tmp_path: Path) -> None:
    """Its file holds the text that reading the export gives, under its own name."""
    path = made.write(tmp_path / "rank0.sqlite", made.job())
    [source] = converted([str(path)], ALONE, ExportSources(tmp_path))
    assert source.name == str(path)
    assert not is_database(source)
    assert text(source) == text(Source(path, str(path)))


def test_each_process_is_a_rank_in_the_order_of_its_gpu(tmp_path: Path) -> None:
    """Each trace has the rows of its process, its rank, and what is said of all."""
    path = made.write(tmp_path / "all.sqlite", two_processes())
    reporter = Recorder()
    traces = [
        json.loads(text(it))
        for it in converted([str(path)], ALONE, ExportSources(tmp_path), reporter)
    ]
    assert [it["distributedInfo"] for it in traces] == [{"rank": 0}, {"rank": 1}]
    kernels = [[it["dur"] for it in one["traceEvents"] if it["ph"] == "X"] for one in traces]
    assert kernels == [[2.0], [1.0]]
    assert all("Nsight Systems says: lost" in it["exportNotes"] for it in traces)
    assert any("2 processes use GPUs" in line for line in reporter.notes)


def test_what_the_profiler_says_of_all_is_told_of_each_rank(tmp_path: Path) -> None:
    """Its own diagnostics have an id of no process; those of a rank are told of that one alone."""
    said = {-144115188075855872: "host", made.global_pid(100): "one", made.global_pid(200): "other"}
    rows = [{"severity": 3, "text": text, "globalPid": process} for process, text in said.items()]
    path = made.write(tmp_path / "all.sqlite", two_processes(DIAGNOSTIC_EVENT=rows))
    traces = [json.loads(text(it)) for it in converted([str(path)], ALONE, ExportSources(tmp_path))]
    told = [[it.split()[-1] for it in trace["exportNotes"] if "says" in it] for trace in traces]
    assert told == [["host", "other"], ["host", "one"]]


def test_a_damaged_export_is_named(tmp_path: Path) -> None:
    """A database without its second half ends in a line with its name."""
    path = made.write(tmp_path / "all.sqlite", two_processes())
    data = path.read_bytes()
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(InputError, match=r"all\.sqlite: its database"):
        converted([str(path)], ALONE, ExportSources(tmp_path))


def test_a_profile_is_converted_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A merge of two profiles of XLA, each of which it reads several times, makes two texts."""
    read, times = xplane.read_text, []

    def counted(data: bytes, name: str) -> Generator[bytes]:
        times.append(name)
        return read(data, name)

    monkeypatch.setattr(xplane, "read_text", counted, raising=False)
    files = [tmp_path / f"rank{rank}.xplane.pb" for rank in range(2)]
    for file in files:
        file.write_bytes(made_xplane.job())
    tp_tools.merge(files, tmp_path / "all.json.gz", jobs=1)
    assert sorted(times) == [str(file) for file in files]


@pytest.fixture
def conversions(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often the events of each database were converted: by its file, and its rank if any.

    Whoever takes no more than the first block, the text before the events, converts none.
    """
    counts = Counter[str]()

    def counted(read: Callable[..., Generator[bytes]]) -> Callable[..., Generator[bytes]]:
        def reading(path: Path, name: str, *of_rank: int) -> Generator[bytes]:
            blocks = read(path, name, *of_rank)
            yield next(blocks)
            counts[" ".join([name.rpartition("/")[2], *map(str, of_rank[1:])])] += 1
            yield from blocks

        return reading

    for module, reader in ((nsys, "read_text"), (nsys, "read_rank"), (rocpd, "read_text")):
        monkeypatch.setattr(module, reader, counted(getattr(module, reader)), raising=False)
    return counts


def test_an_export_is_converted_once(tmp_path: Path, conversions: Counter[str]) -> None:
    """A merge of two exports whose heads name no rank, a compressed one among them, makes two."""
    files = [made.write(tmp_path / f"rank{rank}.sqlite", made.job()) for rank in range(2)]
    packed = tmp_path / "rank1.sqlite.gz"
    packed.write_bytes(gzip.compress(files[1].read_bytes()))
    tp_tools.merge([files[0], packed], tmp_path / "all.json.gz", jobs=1)
    assert conversions == {"rank0.sqlite": 1, "rank1.sqlite.gz": 1}


def test_each_rank_of_an_export_is_converted_once(
    tmp_path: Path, conversions: Counter[str]
) -> None:
    """Two exports of two processes each: four conversions, and none of a whole export."""
    for node in range(2):
        made.write(tmp_path / f"node{node}.sqlite", two_processes())
    with pytest.warns(tp_tools.InputWarning, match="Nsight Systems says: lost"):
        tp_tools.merge([tmp_path], tmp_path / "all.json.gz", jobs=1)
    assert conversions == {
        f"node{node}.sqlite {2 * node + rank}": 1 for node in (0, 1) for rank in (0, 1)
    }


def test_a_database_of_rocprofv3_is_converted_once(
    tmp_path: Path, conversions: Counter[str]
) -> None:
    """Both of a merge, and each that a query on two ranks reads."""
    files = [made_rocpd.write(tmp_path / f"rank{it}_results.db", made_rocpd.job()) for it in (0, 1)]
    tp_tools.merge(files, tmp_path / "all.json.gz", jobs=1)
    assert conversions == {file.name: 1 for file in files}
    conversions.clear()
    tp_tools.query("kernels", files)
    assert conversions == {file.name: 1 for file in files}
