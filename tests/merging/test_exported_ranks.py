"""Exports become the traces of their ranks, each converted once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

import tp_tools
from fixtures import nsys as made
from fixtures import xplane as made_xplane
from tests.support.reporters import Recorder
from tp_tools import xplane
from tp_tools.errors import InputError
from tp_tools.files import Source
from tp_tools.merging.exported_ranks import ExportSources, converted
from tp_tools.processes.pool import ALONE

if TYPE_CHECKING:
    from collections.abc import Generator
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
    assert not source.is_database()
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
