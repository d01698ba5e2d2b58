"""The SQL library answers on a recorded export what independent SQL on the export itself says."""

from __future__ import annotations

import gzip
import sqlite3
import warnings
from collections import defaultdict
from contextlib import closing
from typing import TYPE_CHECKING, Any

import pandas as pd
import pytest

import tp_tools

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

CALLS = """
    SELECT w.globalPid, w.start, r.start FROM CUPTI_ACTIVITY_KIND_{table} AS w
    LEFT JOIN CUPTI_ACTIVITY_KIND_RUNTIME AS r
      ON r.correlationId = w.correlationId
      AND w.globalPid = (r.globalTid & 0xFFFFFFFFFF000000)"""
WORK = """
    SELECT globalPid, deviceId, streamId, start, end FROM CUPTI_ACTIVITY_KIND_KERNEL UNION ALL
    SELECT globalPid, deviceId, streamId, start, end FROM CUPTI_ACTIVITY_KIND_MEMCPY UNION ALL
    SELECT globalPid, deviceId, streamId, start, end FROM CUPTI_ACTIVITY_KIND_MEMSET"""


@pytest.fixture(scope="module")
def export(real_trace: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The export of two processes, each with a GPU; their ranks are in the order of their pids."""
    packed = real_trace("nsys/train_2gpu_before.sqlite.gz")
    path = tmp_path_factory.mktemp("export") / "two.sqlite"
    path.write_bytes(gzip.decompress(packed.read_bytes()))
    return path


def by_sql(export: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query on the export; its first column is the globalPid, a rank then."""
    with closing(sqlite3.connect(f"{export.as_uri()}?mode=ro", uri=True)) as connection:
        rows = connection.execute(sql).fetchall()
    ranks = {process: rank for rank, process in enumerate(sorted({row[0] for row in rows}))}
    return sorted((ranks[process], *rest) for process, *rest in rows)


def answer(query: str, export: Path) -> pd.DataFrame:
    """The rows of a query of the library; that ranks are counted is told with a warning."""
    with pytest.warns(tp_tools.InputWarning, match="they are counted in the order of their GPUs"):
        return tp_tools.query(query, export)


def columns(frame: pd.DataFrame, *names: str) -> list[tuple[Any, ...]]:
    """Sorted rows of some columns."""
    return sorted(frame[list(names)].itertuples(index=False, name=None))


def test_kernels(export: Path) -> None:
    """Count and time of each kernel of each rank."""
    found = answer("kernels", export)
    found = found[found["kind"] != "copy"]
    truth = by_sql(
        export,
        "SELECT globalPid, value, COUNT(*), SUM(end - start) FROM CUPTI_ACTIVITY_KIND_KERNEL "
        "JOIN StringIds ON id = demangledName GROUP BY 1, 2",
    )
    assert columns(found, "rank", "name", "count", "total_ns") == truth


def test_copies(export: Path) -> None:
    """Bytes and time of copies by their direction."""
    found = answer("copies", export)
    found = found[found["kind"] != "Memset"]
    truth = by_sql(
        export,
        "SELECT globalPid, CASE copyKind WHEN 1 THEN 'HtoD' WHEN 8 THEN 'DtoD' END, COUNT(*), "
        "SUM(bytes), SUM(end - start) FROM CUPTI_ACTIVITY_KIND_MEMCPY GROUP BY 1, 2",
    )
    assert columns(found, "rank", "kind", "count", "bytes", "total_ns") == truth


def test_busy_time_of_streams_and_gpus(export: Path) -> None:
    """The union of all work of a stream, computed here interval by interval."""
    busy: dict[tuple[int, int, int], int] = defaultdict(int)
    until: dict[tuple[int, int, int], int] = {}
    for rank, device, stream, start, end in sorted(by_sql(export, WORK), key=lambda row: row[3]):
        key = rank, device, stream
        begin = max(start, until.get(key, start))
        busy[key] += max(end - begin, 0)
        until[key] = max(end, until.get(key, end))
    truth = sorted((*key, time) for key, time in busy.items())
    found = answer("streams", export)
    assert columns(found, "rank", "device", "stream", "busy_ns") == truth
    gpu = answer("gpu_time", export)
    assert columns(gpu, "rank", "device", "busy_ns") == [
        (rank, device, time) for rank, device, _, time in truth
    ], "each GPU has one stream"


def test_calls_of_launches(export: Path) -> None:
    """Each piece of work has the start of its call, within its process."""
    truth = [
        row
        for table in ("KERNEL", "MEMCPY", "MEMSET")
        for row in by_sql(export, CALLS.format(table=table))
    ]
    found = answer("launches", export).sort_values(["rank", "ts"])
    shown = found[["rank", "ts", "launch_ts"]].astype("Int64")
    assert sorted(shown.itertuples(index=False, name=None), key=str) == sorted(
        [(rank, ts, pd.NA if call is None else call) for rank, ts, call in truth], key=str
    )


def test_operators(export: Path) -> None:
    """How often each operator of emit_nvtx was called, and how long."""
    found = answer("ops", export)
    found = found[found["calls"] > 0]
    truth = by_sql(
        export,
        """
        SELECT globalTid & 0xFFFFFFFFFF000000,
          CASE WHEN INSTR(text, ', seq') THEN SUBSTR(text, 1, INSTR(text, ', seq') - 1)
          ELSE SUBSTR(text, 1, INSTR(text, ', op_id') - 1) END,
          COUNT(*), SUM(end - start)
        FROM NVTX_EVENTS
        WHERE text LIKE '%, op_id = %' AND text NOT LIKE 'nccl:%' AND text NOT LIKE 'FSDP::%'
        GROUP BY 1, 2""",
    )
    names = {name for _, name, *_ in truth}
    shown = columns(found, "rank", "name", "calls", "total_ns")
    assert [row for row in shown if row[1] in names] == [
        row for row in truth if (row[0], row[1]) in {(it[0], it[1]) for it in shown}
    ]
    assert len(shown) > 50


def test_collectives_have_the_name_of_the_range_around_their_launch(export: Path) -> None:
    """NCCL's SendRecv kernels are all-to-alls where PyTorch launched them in `nccl:all_to_all`."""
    truth = by_sql(
        export,
        """
        SELECT k.globalPid, k.start, EXISTS (
          SELECT 1 FROM NVTX_EVENTS AS n
          WHERE n.text LIKE 'nccl:all_to_all,%' AND n.globalTid = r.globalTid
            AND r.start BETWEEN n.start AND n.end)
        FROM CUPTI_ACTIVITY_KIND_KERNEL AS k
        JOIN StringIds ON id = k.demangledName AND value LIKE 'nccl%'
        LEFT JOIN CUPTI_ACTIVITY_KIND_RUNTIME AS r
          ON r.correlationId = k.correlationId
          AND k.globalPid = (r.globalTid & 0xFFFFFFFFFF000000)""",
    )
    found = answer("collectives", export)
    shown = columns(
        found.assign(inside=(found["kind"] == "all_to_all").astype(int)), "rank", "ts", "inside"
    )
    assert shown == truth


def test_replays_of_graphs_are_busy_time(real_trace: Callable[[str], Path], tmp_path: Path) -> None:
    """Two replays without their kernels count beside three kernels and a copy; none overlap."""
    path = tmp_path / "graphs.sqlite"
    path.write_bytes(gzip.decompress(real_trace("nsys/graphs_2025.sqlite.gz").read_bytes()))
    truth = by_sql(
        path,
        """
        SELECT globalPid, MAX(end) - MIN(start), SUM(end - start) FROM (
          SELECT globalPid, start, end FROM CUPTI_ACTIVITY_KIND_KERNEL UNION ALL
          SELECT globalPid, start, end FROM CUPTI_ACTIVITY_KIND_MEMCPY UNION ALL
          SELECT globalPid, start, end FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE)""",
    )
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        found = tp_tools.query("gpu_time", path)
    assert [(span, busy) for _, span, busy in truth] == columns(found, "span_ns", "busy_ns")
    told = " ".join(str(it.message) for it in warned)
    assert "2 replays of CUDA graphs were recorded as a whole" in told
    assert "Nsight Systems says: Installed CUDA driver version (13.2) is not supported" in told
