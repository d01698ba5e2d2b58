"""Recorded exports give the sums that SQL on the export itself gives, to the nanosecond."""

from __future__ import annotations

import gzip
import json
import re
import sqlite3
from collections import defaultdict
from contextlib import closing
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tp_tools.engine import rows
from tp_tools.files.source import Source
from tp_tools.querying.trace_loader import LoadOptions, load_trace

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

EXPORTS = ("train_2gpu_before", "train_2gpu_after", "graphs_2025")
TWO_GPUS = "nsys/train_2gpu_before.sqlite.gz"

Sums = dict[str, tuple[int, int]]
"""Count and summed duration in ns by name."""

TABLES = {
    "kernel": """
        SELECT value, COUNT(*), SUM(end - start) FROM CUPTI_ACTIVITY_KIND_KERNEL
        JOIN StringIds ON id = demangledName GROUP BY value""",
    "gpu_memcpy": """
        SELECT '', COUNT(*), SUM(end - start) FROM CUPTI_ACTIVITY_KIND_MEMCPY""",
    "gpu_memset": """
        SELECT '', COUNT(*), SUM(end - start) FROM CUPTI_ACTIVITY_KIND_MEMSET""",
    "cuda_runtime": """
        SELECT RTRIM(RTRIM(value, '0123456789'), 'v'), COUNT(*), SUM(end - start)
        FROM CUPTI_ACTIVITY_KIND_RUNTIME JOIN StringIds ON id = nameId
        WHERE eventClass = 0 GROUP BY 1""",
    "cuda_driver": """
        SELECT value, COUNT(*), SUM(end - start)
        FROM CUPTI_ACTIVITY_KIND_RUNTIME JOIN StringIds ON id = nameId
        WHERE eventClass = 1 GROUP BY 1""",
    "cuda_sync": """
        SELECT '', COUNT(*), SUM(end - start) FROM CUPTI_ACTIVITY_KIND_SYNCHRONIZATION""",
    "cuda_graph": """
        SELECT '', COUNT(*), SUM(end - start) FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE""",
    "os_runtime": """
        SELECT value, COUNT(*), SUM(end - start)
        FROM OSRT_API JOIN StringIds ON id = nameId GROUP BY 1""",
    "overhead": """
        SELECT '', COUNT(*), SUM(end - start) FROM (
          SELECT start, end FROM PROFILER_OVERHEAD UNION ALL
          SELECT start, end FROM CUPTI_ACTIVITY_KIND_OVERHEAD)""",
}
NVTX = """
    WITH event AS (
      SELECT COALESCE(value, text) AS name, end - start AS dur
      FROM NVTX_EVENTS LEFT JOIN StringIds ON id = textId WHERE eventType IN (59, 60))
    SELECT
      CASE
        WHEN INSTR(name, ', seq = ') THEN SUBSTR(name, 1, INSTR(name, ', seq = ') - 1)
        WHEN INSTR(name, ', op_id = ') THEN SUBSTR(name, 1, INSTR(name, ', op_id = ') - 1)
        ELSE name
      END,
      COUNT(*), SUM(dur)
    FROM event GROUP BY 1"""


def told_by_export(export: Path, sql: str) -> list[tuple[Any, ...]]:
    """The rows of a query on an export; none where it lacks the table."""
    with closing(sqlite3.connect(f"{export.as_uri()}?mode=ro", uri=True)) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
        known = {name for (name,) in tables}
        used = set(re.findall(r"\b(?:CUPTI|NVTX|OSRT|PROFILER|TARGET)_[A-Z_]+", sql))
        return connection.execute(sql).fetchall() if used <= known else []


def ns(value: str) -> int:
    """Decimal microseconds as nanoseconds."""
    return int(Decimal(value) * 1000)


def text_sums(trace: dict[str, Any], categories: set[str], *, named: bool) -> Sums:
    """Count and summed duration of the slices of a trace by name."""
    found: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for event in trace["traceEvents"]:
        if event["ph"] == "X" and event["cat"] in categories:
            sums = found[event["name"] if named else ""]
            sums[0] += 1
            sums[1] += ns(event["dur"])
    return {name: (count, dur) for name, (count, dur) in found.items()}


@pytest.fixture(params=EXPORTS)
def export(
    request: pytest.FixtureRequest, real_trace: Callable[[str], Path], tmp_path: Path
) -> Path:
    """A recorded export, decompressed."""
    path = tmp_path / f"{request.param}.sqlite"
    path.write_bytes(gzip.decompress(real_trace(f"nsys/{request.param}.sqlite.gz").read_bytes()))
    return path


def test_sums_are_those_of_sql_on_the_export(export: Path) -> None:
    """Count and time of kernels, copies, calls, waits, overhead and ranges of each name."""
    text = b"".join(Source(export, export.name).blocks())
    trace = json.loads(text, parse_float=str, parse_int=str)
    for category, sql in TABLES.items():
        told = told_by_export(export, sql)
        named = category not in {
            "gpu_memcpy", "gpu_memset", "cuda_sync", "cuda_graph", "overhead"
        }  # fmt: skip
        truth = {str(name).rstrip("_"): (n, dur) for name, n, dur in told if n}
        found = text_sums(trace, {category}, named=named)
        assert {name.rstrip("_"): value for name, value in found.items()} == truth, category
    ranges = {name: (n, dur) for name, n, dur in told_by_export(export, NVTX)}
    assert text_sums(trace, {"cpu_op", "user_annotation"}, named=True) == ranges


def test_the_machine_is_that_of_the_export(export: Path) -> None:
    """Each recorded export states its machine once."""
    sql = "SELECT value FROM TARGET_INFO_SYSTEM_ENV WHERE name = 'Hostname'"
    [(name,)] = told_by_export(export, sql)
    text = b"".join(Source(export, export.name).blocks())
    assert json.loads(text)["host_name"] == name != ""


def test_perfetto_shows_each_row_of_the_export_with_its_times(export: Path) -> None:
    """Start, end, stream and correlation of all kernels, and of all calls, survive the repair."""
    kernels = "SELECT start, end - start FROM CUPTI_ACTIVITY_KIND_KERNEL ORDER BY 1, 2"
    calls = "SELECT start, end - start FROM CUPTI_ACTIVITY_KIND_RUNTIME ORDER BY 1, 2"
    with load_trace(Source(export, export.name), LoadOptions()) as tp:
        shown = rows(tp, "SELECT ts, dur FROM slice WHERE category = 'kernel' ORDER BY 1, 2")
        assert [tuple(row) for row in shown] == told_by_export(export, kernels)
        shown = rows(
            tp,
            "SELECT ts, dur FROM slice WHERE category IN ('cuda_runtime', 'cuda_driver') "
            "ORDER BY 1, 2",
        )
        assert [tuple(row) for row in shown] == told_by_export(export, calls)


def test_launches_are_joined_within_their_process(
    real_trace: Callable[[str], Path], tmp_path: Path
) -> None:
    """78 ids are used by both processes; each kernel gets the call of its own, or none."""
    path = tmp_path / "two.sqlite"
    path.write_bytes(gzip.decompress(real_trace(TWO_GPUS).read_bytes()))
    join = """
        SELECT k.start, r.start FROM CUPTI_ACTIVITY_KIND_KERNEL AS k
        LEFT JOIN CUPTI_ACTIVITY_KIND_RUNTIME AS r
          ON r.correlationId = k.correlationId
          AND k.globalPid = (r.globalTid & 0xFFFFFFFFFF000000)
        ORDER BY 1, 2"""
    clashes = """
        SELECT COUNT(*) FROM (
          SELECT 1 FROM CUPTI_ACTIVITY_KIND_KERNEL
          GROUP BY correlationId HAVING COUNT(DISTINCT globalPid) > 1)"""
    assert told_by_export(path, clashes) == [(78,)]
    with load_trace(Source(path, path.name), LoadOptions()) as tp:
        shown = rows(
            tp,
            "INCLUDE PERFETTO MODULE tpt.launched; SELECT work.ts, launch_ts "
            "FROM tpt_launched AS work JOIN slice USING (id) "
            "WHERE slice.category = 'kernel' ORDER BY 1, 2",
        )
        arrows = rows(
            tp,
            "SELECT k.ts, c.ts FROM flow JOIN slice AS c ON c.id = slice_out "
            "JOIN slice AS k ON k.id = slice_in WHERE k.category = 'kernel' ORDER BY 1, 2",
        )
    truth = told_by_export(path, join)
    assert [tuple(row) for row in shown] == truth
    assert [tuple(row) for row in arrows] == [row for row in truth if row[1] is not None]


def test_the_one_overlap_of_kernels_is_on_a_lane(real_trace: Callable[[str], Path]) -> None:
    """The second kernel begins 12.4 us before the first has ended; both keep their times."""
    path = real_trace(TWO_GPUS)
    with load_trace(Source(path, path.name), LoadOptions()) as tp:
        shown = rows(
            tp,
            "SELECT ts, ts + dur, thread.name FROM slice JOIN thread_track ON "
            "track_id = thread_track.id JOIN thread USING (utid) WHERE category = 'kernel' AND "
            "ts IN (60362719623, 60362772749) ORDER BY ts",
        )
    assert [tuple(row) for row in shown] == [
        (60362719623, 60362785191, "stream 7"),
        (60362772749, 60362815885, "stream 7 (2)"),
    ]
