"""Commands take an export as they take any other trace."""

from __future__ import annotations

import gzip
import json
from typing import TYPE_CHECKING, Any

import pytest

from fixtures import nsys as made
from fixtures.nsys import annotation, call, kernel
from tests.support.command_line import TpTools
from tests.support.reporters import Recorder
from tp_tools.files import open_source
from tp_tools.viewer.preparation import ViewOptions, prepare_view

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def tp_tools(capsysbinary: pytest.CaptureFixture[bytes]) -> TpTools:
    """Runs the command line in this process."""
    return TpTools(capsysbinary)


def read(path: Path) -> dict[str, Any]:
    """A JSON that a command wrote."""
    found: dict[str, Any] = json.loads(gzip.decompress(path.read_bytes()))
    return found


def test_fix_names_its_output_after_the_export(tp_tools: TpTools, tmp_path: Path) -> None:
    """report.sqlite.gz gives report.fixed.json.gz, verified."""
    path = made.write(tmp_path / "report.sqlite", made.job())
    (tmp_path / "report.sqlite.gz").write_bytes(gzip.compress(path.read_bytes()))
    for name in ("report.sqlite", "report.sqlite.gz"):
        assert tp_tools("fix", tmp_path / name, "--verify", "--force").code == 0
        trace = read(tmp_path / "report.fixed.json.gz")
        assert sum(it.get("cat") == "kernel" for it in trace["traceEvents"]) == 2


def test_a_query_asks_an_export_and_passes_its_notes_on(tp_tools: TpTools, tmp_path: Path) -> None:
    """Rows go to stdout, what the export lacks to stderr."""
    lost = {"DIAGNOSTIC_EVENT": [{"severity": 3, "text": "Events were lost."}]}
    path = made.write(tmp_path / "report.sqlite", made.job() | lost)
    ran = tp_tools("query", "kernels", path, "--format", "json")
    assert ran.code == 0
    assert [(it["count"], it["total_ns"]) for it in ran.rows() if it["kind"] == "compute"] == [
        (2, 5_499)
    ]
    assert "Nsight Systems says: Events were lost." in ran.err


def test_reports_of_ranks_are_merged_on_the_clock_of_the_day(
    tp_tools: TpTools, tmp_path: Path
) -> None:
    """Rank 1's session began 1 ms after that of rank 0: its kernels are 1 ms later."""
    for rank in (0, 1):
        start = {"utcEpochNs": made.UTC_NS + 1_000_000 * rank}
        tables = made.job() | {"TARGET_INFO_SESSION_START_TIME": [start]}
        made.write(tmp_path / f"rank{rank}.sqlite", tables)
    ran = tp_tools("merge", tmp_path, "-o", tmp_path / "all.json.gz", "--align", "base")
    assert ran.code == 0, ran.err
    trace = read(tmp_path / "all.json.gz")
    starts = sorted(it["ts"] for it in trace["traceEvents"] if it.get("cat") == "kernel")
    assert starts[2] - starts[0] == pytest.approx(1000.0)


def test_a_report_of_several_ranks_is_not_merged_again(tp_tools: TpTools, tmp_path: Path) -> None:
    """One line says what it holds, and what to record instead."""
    tables: made.Tables = {made.KERNEL: [kernel(1, 2, pid=100), kernel(1, 2, pid=200, device=1)]}
    path = made.write(tmp_path / "rank0.sqlite", tables)
    ran = tp_tools("merge", path, "-o", tmp_path / "all.json.gz")
    assert ran.code == 3
    assert "holds 2 ranks on one clock" in ran.err


def test_a_sound_export_is_viewed_as_a_copy(tmp_path: Path) -> None:
    """The UI reads no SQLite; notes are passed on."""
    tables: made.Tables = {made.API: [call(1, 2)], "NVTX_EVENTS": [annotation(3, None, "open")]}
    path = made.write(tmp_path / "report.sqlite", tables)
    reporter = Recorder()
    (tmp_path / "copies").mkdir()
    with open_source(str(path)) as source:
        viewed = prepare_view(source, ViewOptions(tmp_path / "copies"), reporter)
    assert viewed.path == tmp_path / "copies" / "report.json.gz"
    assert len(read(viewed.path)["traceEvents"]) > 2
    assert any("1 NVTX range never ended" in note for note in reporter.notes)


def test_other_databases_are_named(tp_tools: TpTools, tmp_path: Path) -> None:
    """A database without tables of Nsight Systems is refused in one line."""
    path = made.write(tmp_path / "a.sqlite", {"other": [{"a": 1}]}, without=["META_DATA_EXPORT"])
    ran = tp_tools("fix", path)
    assert ran.code == 3
    assert "is an SQLite database." in ran.err
