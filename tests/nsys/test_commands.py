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


def two_ranks(**more: list[dict[str, Any]]) -> made.Tables:
    """Two processes, each with a kernel on a GPU of its own, and a third one without any."""
    return {
        made.KERNEL: [
            kernel(1_000, 2_000, pid=100, correlation=1),
            kernel(5_000, 7_000, pid=200, device=1, correlation=1),
        ],
        made.API: [
            call(500, 900, pid=100, tid=101, correlation=1),
            call(4_000, 4_500, pid=200, tid=201, correlation=1),
            call(1, 2, pid=300, tid=301, correlation=1),
        ],
        "PROCESSES": [{"globalPid": made.global_pid(300), "pid": 300, "name": "loader"}],
        "TARGET_INFO_SESSION_START_TIME": [{"utcEpochNs": made.UTC_NS}],
        **more,
    }


def kernels_by_rank(path: Path) -> dict[int, list[tuple[float, float]]]:
    """Start and duration of the kernels of each rank in a merged trace, us."""
    events = read(path)["traceEvents"]
    names = {it["pid"]: it["args"]["name"] for it in events if it["name"] == "process_name"}
    found: dict[int, list[tuple[float, float]]] = {}
    for it in events:
        if it.get("cat") == "kernel":
            rank = int(names[it["pid"]].split()[1])
            found.setdefault(rank, []).append((it["ts"], it["dur"]))
    return found


def test_a_report_of_several_ranks_is_taken_apart(tp_tools: TpTools, tmp_path: Path) -> None:
    """Each process with GPU work is a rank, with its own calls; the others are named."""
    path = made.write(tmp_path / "report.sqlite", two_ranks())
    ran = tp_tools("merge", path, "-o", tmp_path / "all.json.gz", "--align", "base")
    assert ran.code == 0, ran.err
    assert (
        "2 processes use GPUs, and the export does not state a rank of each: they are counted"
        in ran.err
    )
    assert "left out: processes that use no GPU: loader (300)." in ran.err
    found = kernels_by_rank(tmp_path / "all.json.gz")
    assert [[dur for _, dur in found[rank]] for rank in (0, 1)] == [[1.0], [2.0]]
    assert found[1][0][0] - found[0][0][0] == pytest.approx(4.0)
    events = read(tmp_path / "all.json.gz")["traceEvents"]
    assert sum(it.get("cat") == "cuda_runtime" for it in events) == 2
    assert sum(it["ph"] == "s" for it in events) == 2


def test_ranks_of_several_reports_are_counted_on(tp_tools: TpTools, tmp_path: Path) -> None:
    """Two machines of two ranks each are four ranks, by the time of the day; a line says so."""
    for node in (0, 1):
        start = [{"utcEpochNs": made.UTC_NS + 1_000_000 * node}]
        tables = two_ranks(TARGET_INFO_SESSION_START_TIME=start)
        made.write(tmp_path / f"node{node}.sqlite", tables)
    ran = tp_tools("merge", tmp_path, "-o", tmp_path / "all.json.gz", "--align", "base")
    assert ran.code == 0, ran.err
    assert "counted on from file to file, in this order: node0.sqlite, node1.sqlite." in ran.err
    found = kernels_by_rank(tmp_path / "all.json.gz")
    assert sorted(found) == [0, 1, 2, 3]
    assert found[2][0][0] - found[0][0][0] == pytest.approx(1000.0)


def test_machines_of_reports_are_shown(tp_tools: TpTools, tmp_path: Path) -> None:
    """`merge --summary json` names the machine of each rank, `info` that of each export."""
    for node in (0, 1):
        system = [{"name": "Hostname", "value": f"gpu-{node}"}]
        made.write(tmp_path / f"node{node}.sqlite", two_ranks(TARGET_INFO_SYSTEM_ENV=system))
    merge = ("merge", tmp_path, "-o", tmp_path / "all.json.gz", "--align", "base")
    ran = tp_tools(*merge, "--summary", "json")
    assert ran.code == 0, ran.err
    hosts = [(it["rank"], it["host"]) for it in json.loads(ran.out)["ranks"]]
    assert hosts == [(0, "gpu-0"), (1, "gpu-0"), (2, "gpu-1"), (3, "gpu-1")]
    told = tp_tools("info", tmp_path / "node1.sqlite", "--format", "json")
    assert [it["host"] for it in json.loads(told.out)] == ["gpu-1"]


def test_ranks_that_a_report_states_are_kept(tp_tools: TpTools, tmp_path: Path) -> None:
    """Those of MPI_RANKS: nothing is counted, and nothing is said."""
    stated = [
        {"globalTid": made.global_tid(100, 100), "rank": 1},
        {"globalTid": made.global_tid(200, 200), "rank": 0},
    ]
    path = made.write(tmp_path / "report.sqlite", two_ranks(MPI_RANKS=stated))
    ran = tp_tools("merge", path, "-o", tmp_path / "all.json.gz", "--align", "base")
    assert ran.code == 0, ran.err
    assert "counted" not in ran.err
    found = kernels_by_rank(tmp_path / "all.json.gz")
    assert [found[rank][0][1] for rank in (0, 1)] == [2.0, 1.0]


def test_folders_of_parquet_files_are_merged(tp_tools: TpTools, tmp_path: Path) -> None:
    """One a rank, as rank%q{RANK} names them."""
    for rank in (0, 1):
        made.write_parquet(tmp_path / f"rank{rank}", made.job())
    given = [tmp_path / "rank0", tmp_path / "rank1"]
    ran = tp_tools("merge", *given, "-o", tmp_path / "all.json.gz", "--align", "base")
    assert ran.code == 0, ran.err
    assert sorted(kernels_by_rank(tmp_path / "all.json.gz")) == [0, 1]


def test_a_report_of_several_ranks_beside_others_is_merged_first(
    tp_tools: TpTools, tmp_path: Path
) -> None:
    """A query on several files takes each for one rank, and says what to do."""
    for node in (0, 1):
        made.write(tmp_path / f"node{node}.sqlite", two_ranks())
    ran = tp_tools("query", "allreduce", tmp_path / "node0.sqlite", tmp_path / "node1.sqlite")
    assert ran.code == 3
    assert (
        "holds 2 ranks: alone it is taken as it is; with other files, merge them first" in ran.err
    )


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


def test_no_event_is_trimmed(tp_tools: TpTools, tmp_path: Path) -> None:
    """Ranges and waits that cross by less than a microsecond get lanes: their times are exact."""
    place = {"deviceId": 0, "contextId": 1, "streamId": 7, "globalPid": made.global_pid(100)}
    crossing = [(1_000, 5_000), (4_500, 9_000)]
    tables: made.Tables = {
        made.KERNEL: [kernel(100, 200)],
        made.SYNC: [{"start": a, "end": b, **place, "syncType": 3} for a, b in crossing],
        "NVTX_EVENTS": [annotation(a, b, "range", kind=60) for a, b in crossing],
    }
    path = made.write(tmp_path / "report.sqlite", tables)
    sql = "SELECT ts, ts + dur AS ends, COUNT(*) AS n FROM slice WHERE "
    sql += "category IN ('cuda_sync', 'user_annotation') GROUP BY 1, 2 ORDER BY 1"
    out = tmp_path / "out.pftrace"
    assert tp_tools("fix", path, "-o", out, "--verify").code == 0
    for file in (path, out):
        rows = tp_tools("query", "-e", sql, file, "--format", "json").rows()
        first = rows[0]["ts"]
        assert [(it["ts"] - first, it["ends"] - first, it["n"]) for it in rows] == [
            (0, 4_000, 2),
            (3_500, 8_000, 2),
        ]
    assert tp_tools("fix", path, "--tolerance", "1us").code == 0
    trimmed = [it for it in read(tmp_path / "report.fixed.json.gz")["traceEvents"] if "dur" in it]
    assert sorted(it["dur"] for it in trimmed) == [0.1, 3.5, 3.5, 4.5, 4.5]
