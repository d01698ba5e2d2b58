"""A query gives the same rows whatever form the trace has."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.support.command_line import TpTools
from tests.support.gpu_traces import Row, answer
from tests.support.handmade import overlap_options, source_of
from tests.support.recorded import LoadedRecording, repaired
from tp_tools.engine import load
from tp_tools.files.source import Source
from tp_tools.repair import analysis
from tp_tools.writing.pftrace import writer

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from tp_tools.engine.processor import Processor

QUERIES = [
    "collectives",
    "comm_overlap",
    "copies",
    "gaps",
    "gpu_time",
    "idle",
    "kernel_families",
    "kernels",
    "launch_sequence",
    "launches",
    "memory",
    "memory_timeline",
    "module_ops",
    "modules",
    "occupancy",
    "ops",
    "phases",
    "python_lines",
    "roofline",
    "step_modules",
    "step_ops",
    "step_samples",
    "steps",
    "streams",
    "syncs",
]
# PDL and a CPU op on lanes; AMD: stream 0, two streams, collectives with args, trimmed slices
TRACES = ["b200_vllm_tp8_rank0", "mi300_resnet_ddp8_rank0.cut1500"]


def answers(trace: bytes) -> dict[str, list[Row]]:
    """The rows of every query."""
    with load([trace], source="trace") as tp:
        return rows_of(tp)


def rows_of(tp: Processor) -> dict[str, list[Row]]:
    """The rows of every query on a trace that is loaded."""
    return {query: answer(query, tp) for query in QUERIES}


@pytest.fixture(scope="module", params=TRACES)
def recorded(request: pytest.FixtureRequest, real_trace: Callable[[str], Path]) -> Path:
    """Each trace in turn."""
    return real_trace(f"{request.param}.json.gz")


@pytest.fixture(scope="module")
def fixed(recorded: Path) -> bytes:
    """It, as `tp-tools fix` writes it."""
    return repaired(recorded)


@pytest.fixture(scope="module")
def expected(recorded: Path, loaded_recording: LoadedRecording) -> dict[str, list[Row]]:
    """The rows of every query on that."""
    return rows_of(loaded_recording(recorded))


def differing(one: Mapping[str, list[Row]], other: Mapping[str, list[Row]]) -> list[str]:
    """The queries whose rows are not the same."""
    return [query for query in QUERIES if one[query] != other[query]]


def test_pftrace(recorded: Path, expected: dict[str, list[Row]]) -> None:
    """Perfetto's own format: args are `debug.args`, streams are named tracks of a process."""
    source = Source(recorded, recorded.name)
    it = analysis.analyze(source, overlap_options())
    written = b"".join(writer.rewrite(source, it.trace, it.table, it.plan))
    assert differing(expected, answers(written)) == []


def merged(fixed: bytes, labels: list[str]) -> bytes:
    """Copies of a trace in one file, each with its label before every pid: torch_utils, SGLang."""
    events = [
        event | {"pid": f"[{label}] {event['pid']}"}
        for label in labels
        for event in json.loads(fixed)["traceEvents"]
        # arrows of all ranks would share ids, as they do in those merges
        if event["ph"] in "XM"
    ]
    return json.dumps({"traceEvents": events}, ensure_ascii=False).encode()


def test_merge_of_sglang(fixed: bytes, expected: dict[str, list[Row]]) -> None:
    """Of a merge with "[TP03] 0" for pids each rank has its own rows."""
    rows = answers(merged(fixed, ["TP00", "TP03"]))
    for rank in (0, 3):
        of_rank = {
            query: [row | {"rank": None} for row in rows[query] if row["rank"] == rank]
            for query in QUERIES
        }
        assert differing(expected, of_rank) == []


def named(fixed: bytes) -> bytes:
    """The trace as a merge of ours names its processes."""
    trace = json.loads(fixed)
    devices = {event["args"].get("device") for event in trace["traceEvents"] if _is_kernel(event)}
    events = [event for event in trace["traceEvents"] if event["name"] != "process_name"]
    for pid in {event["pid"] for event in events}:
        kind = f"GPU {pid}" if pid in devices else "python3"
        args = {"name": f"rank 5 (TP1 DP2) {kind}"}
        events.append({"ph": "M", "name": "process_name", "pid": pid, "tid": 0, "args": args})
    return json.dumps(trace | {"traceEvents": events}, ensure_ascii=False).encode()


def _is_kernel(event: dict[str, Any]) -> bool:
    return event["ph"] == "X" and event.get("cat") == "kernel"


def test_merge_of_ours(fixed: bytes, expected: dict[str, list[Row]], tmp_path: Path) -> None:
    """Of a merge with "rank 5 (TP1 DP2) GPU 0" for names the rank is told; as .pftrace too."""
    data = named(fixed)
    source = source_of(data, tmp_path)
    it = analysis.analyze(source, overlap_options())
    for form in (data, b"".join(writer.rewrite(source, it.trace, it.table, it.plan))):
        rows = answers(form)
        assert {row["rank"] for query in QUERIES for row in rows[query]} == {5}
        unranked = {query: [row | {"rank": None} for row in rows[query]] for query in QUERIES}
        assert differing(expected, unranked) == []


TIMES = {"ts", "step_ts", "gpu_ts", "launch_ts", "first_ts", "last_ts", "longest_ts"}
"""Columns that a merge moves onto one clock."""


WAITS = {("time", "communication"), ("time", "waiting")}
"""Parts of a step that only a merge tells apart: it knows whom a rank waits for."""


def unplaced(rows: list[Row]) -> list[Row]:
    """Rows without their place on the clock, without a rank, and without what a merge adds."""
    return [
        {k: v for k, v in row.items() if k not in {"rank", *TIMES}}
        for row in rows
        if (row.get("level"), row.get("name")) not in WAITS
    ]


@pytest.mark.parametrize("suffix", ["json", "pftrace"])
def test_merged_by_tp_tools(
    real_trace: Callable[[str], Path],
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
    loaded_recording: LoadedRecording,
    suffix: str,
) -> None:
    """Of two recorded ranks in one file each has the rows that it has alone, under its rank."""
    paths = {rank: real_trace(f"train128_rank{rank}.json.gz") for rank in (0, 1)}
    out = tmp_path / f"job.{suffix}"
    ran = TpTools(capfdbinary)("merge", *paths.values(), "-o", out, "--allow-missing")
    assert ran.code == 0, ran.err
    together = answers(out.read_bytes())
    for rank, path in paths.items():
        for query in QUERIES:
            of_rank = [row for row in together[query] if row["rank"] == rank]
            alone = loaded_recording.rows(path, query)
            assert unplaced(of_rank) == unplaced(alone), query
