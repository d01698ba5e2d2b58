"""Collectives across ranks on real traces: sizes and times against plain Python, in every form."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.gpu_traces import Row, answer
from tests.support.handmade import overlap_options
from tests.support.recorded import (
    CALLS,
    GPU,
    LoadedRecording,
    repaired,
    slices,
    spans,
    union,
)
from tp_tools.engine import load
from tp_tools.files.source import Source
from tp_tools.repair import analysis
from tp_tools.writing.pftrace import writer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tp_tools.engine.processor import Processor

QUERIES = ("allreduce", "broadcast", "collectives_by_rank", "stragglers")
ANNOTATIONS = {"user_annotation", "gpu_user_annotation"}
PARTS = ["b200_vllm_tp8_rank0.cut700", "mi300_resnet_ddp8_rank0.cut1500"]
ELEMENT = {"Float": 4, "BFloat16": 2, "Long": 8}


def answers(trace: bytes) -> dict[str, list[Row]]:
    """The rows of the queries."""
    with load([trace], source="trace") as tp:
        return rows_of(tp)


def rows_of(tp: Processor) -> dict[str, list[Row]]:
    """The rows of the queries on a trace that is loaded."""
    return {query: answer(query, tp) for query in QUERIES}


def recorded_rows(recording: LoadedRecording, path: Path) -> dict[str, list[Row]]:
    """The rows of the queries on a recorded trace."""
    return {query: recording.rows(path, query) for query in QUERIES}


def merged(traces: Iterable[bytes]) -> bytes:
    """Traces in one file in the shape of SGLang's merger."""
    events = [
        event | {"pid": f"[TP{rank:02d}] {event['pid']}"}
        for rank, trace in enumerate(traces)
        for event in json.loads(trace)["traceEvents"]
        if event["ph"] == "M" or event.get("cat") in GPU | CALLS | ANNOTATIONS
    ]
    return json.dumps({"traceEvents": events}, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    ("name", "ranks", "count"),
    [("nccl_args_rank0", 2, 15), ("mi300_resnet_ddp8_rank0", 8, 6)],
)
def test_bandwidths(
    name: str,
    ranks: int,
    count: int,
    real_trace: Callable[[str], Path],
    loaded_recording: LoadedRecording,
) -> None:
    """Each all-reduce and broadcast with full args has the busbw that Python computes."""
    path = real_trace(f"{name}.json.gz")
    rows = recorded_rows(loaded_recording, path)
    found = {
        row["first_arrival"]: row for query in ("allreduce", "broadcast") for row in rows[query]
    }
    told = [it for it in slices(path) if it.is_collective() and "Collective name" in it.args]
    assert len(found) == len(told)
    assert len(rows["allreduce"]) == count
    start = min(it.ts for it in told) - min(found)
    for it in told:
        row, args = found[it.ts - start], it.args
        size = args["In msg nelems"] * ELEMENT[args["dtype"]]
        factor = 2 * (ranks - 1) / ranks if args["Collective name"] == "allreduce" else 1
        # bytes per ns are GB/s
        assert row["busbw"] == pytest.approx(size / it.dur * factor, rel=1e-3)
        assert (row["bytes"], row["ranks"], row["ranks_expected"]) == (size, 1, ranks)


def test_compute_that_hides_all_reduces(
    real_trace: Callable[[str], Path], loaded_recording: LoadedRecording
) -> None:
    """The time in which other kernels run beside each all-reduce of DDP, to the nanosecond."""
    path = real_trace("nccl_args_rank0.json.gz")
    rows = recorded_rows(loaded_recording, path)["allreduce"]
    everything = [it for it in slices(path) if it.cat == "kernel"]
    reductions = [it for it in everything if "AllReduce" in it.name]
    compute = [it for it in everything if not it.is_collective()]
    for row, whole in zip(rows, sorted(reductions, key=lambda it: it.ts), strict=True):
        inside = [
            (max(it.ts, whole.ts), min(it.end, whole.end))
            for it in compute
            if it.ts < whole.end and it.end > whole.ts
        ]
        assert round(row["hidden_compute_us"] * 1000) == union(inside)
    assert sum(row["hidden_compute_us"] for row in rows) > 1000
    assert union(spans(reductions)) == sum(it.dur for it in reductions)


def test_two_ranks_of_a_large_job(real_trace: Callable[[str], Path]) -> None:
    """Sampled profiles without args: annotations name the kinds; what ends together is sure."""
    pair = [real_trace(f"train128_rank{rank}.json.gz") for rank in range(2)]
    rows = answers(merged(map(repaired, pair)))["collectives_by_rank"]
    by_number: dict[int, list[Row]] = {}
    for row in rows:
        by_number.setdefault(row["collective"], []).append(row)
    matches = [parts for parts in by_number.values() if len(parts) > 1]
    assert len(rows) == 20
    assert len(matches) == 7
    assert {row["kind"] for row in rows} == {"all_to_all", "all_reduce", "all_gather"}
    for parts in matches:
        assert {row["rank"] for row in parts} == {0, 1}
    tested = [parts for parts in matches if parts[0]["confidence"] == "tested"]
    assert len(tested) == 4
    for parts in tested:
        first, second = (row["ts_end"] for row in parts)
        # ends are 0 to 340 us apart, where collectives take 8 to 90 ms
        assert abs(first - second) < 400_000


@pytest.mark.parametrize("name", PARTS)
def test_copies_of_a_rank_as_ranks(
    name: str, real_trace: Callable[[str], Path], loaded_recording: LoadedRecording
) -> None:
    """Eight copies arrive at the same ns everywhere: all match, nobody waits for anybody."""
    path = real_trace(f"{name}.json.gz")
    alone, together = recorded_rows(loaded_recording, path), answers(merged([repaired(path)] * 8))
    assert len(together["allreduce"]) == len(alone["allreduce"]) > 0
    for one, all_ in zip(alone["allreduce"], together["allreduce"], strict=True):
        assert (all_["ranks"], all_["confidence"], all_["matched_by"]) == (8, "tested", "order")
        assert (all_["skew_us"], all_["wait_us"], all_["straggler"]) == (0, 0, None)
        for column in ("bytes", "transfer_us", "busbw", "first_arrival", "window_end", "step"):
            assert all_[column] == one[column]
        assert all_["hidden_compute_us"] == pytest.approx(8 * one["hidden_compute_us"])
    assert [row["rank"] for row in together["stragglers"]] == list(range(8))


@pytest.mark.parametrize("name", PARTS)
def test_pftrace(
    name: str, real_trace: Callable[[str], Path], loaded_recording: LoadedRecording
) -> None:
    """Perfetto's own format gives the same rows."""
    source = Source(path := real_trace(f"{name}.json.gz"), path.name)
    it = analysis.analyze(source, overlap_options())
    written = b"".join(writer.rewrite(source, it.trace, it.table, it.plan))
    assert answers(written) == recorded_rows(loaded_recording, path)
