"""Pairs of files, generated and recorded: from Python, whole."""

from __future__ import annotations

import gzip
import json
import warnings
from contextlib import closing
from typing import TYPE_CHECKING

import tp_tools
from fixtures.pairs import Seen, Workload, write
from tp_tools.crosscheck.model import KINETO, NSYS
from tp_tools.nsys import read_text

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def test_a_pair_of_files(tmp_path: Path) -> None:
    """Known losses of both profilers, overlaps of one, and slower kernels are found."""
    paths = write(
        tmp_path,
        Workload(steps=6),
        Seen(first=5, last=25, lost=[12], records=[17, 18]),
        Seen(slower=1.1, seed=2, early=[8], lost=[14]),
    )
    found = tp_tools.compare(*paths)
    assert [(it.missing_in, it.reason, it.count) for it in found.losses] == [
        (KINETO, "before", 5),
        (KINETO, "neither", 1),
        (KINETO, "records", 2),
        (KINETO, "after", 5),
        (NSYS, "neither", 1),
    ]
    assert (found.matched, found.anchors, found.places) == (16, 4, 1)
    assert found.overlaps is not None
    assert found.overlaps.only == {KINETO: 0, NSYS: 1}
    assert all(1.05 < (it.ratio or 0) < 1.15 for it in found.durations)
    assert found.busy_ns[NSYS] > found.busy_ns[KINETO]


def test_a_recorded_export_against_what_kineto_would_have_written(
    real_trace: Callable[[str], Path], tmp_path: Path
) -> None:
    """Of 1,993 kernels each tenth loses its record: all of these are found, and no other.

    No pair of the two profilers is public. So one process of an export of two becomes the trace
    that Kineto would have written, and is held against the export.
    """
    export = tmp_path / "two.sqlite"
    export.write_bytes(gzip.decompress(real_trace("nsys/train_2gpu_before.sqlite.gz").read_bytes()))
    with closing(read_text(export, "two.sqlite")) as blocks:
        trace = json.loads(b"".join(blocks))
    del trace["nsys"], trace["exportNotes"]
    gpu = {
        it["pid"]
        for it in trace["traceEvents"]
        if it.get("name") == "process_name" and it["args"]["name"].startswith("rank 1 ")
    }
    kernels = [it for it in trace["traceEvents"] if it.get("cat") == "kernel" and it["pid"] in gpu]
    kernels.sort(key=lambda it: it["args"]["nsys grid id"])
    correlations = {it["args"]["correlation"] for it in kernels}
    lost = {kernels[at]["args"]["correlation"] for at in range(100, len(kernels), 10)}
    called = [it for it in trace["traceEvents"] if it.get("cat") in {"cuda_runtime", "cuda_driver"}]
    host = {it["pid"] for it in called if it["args"].get("correlation") in correlations}
    calls = [it for it in called if it["pid"] in host]
    kept = [it for it in kernels if it["args"]["correlation"] not in lost]
    made = tmp_path / "rank1.json"
    job = {"distributedInfo": {"rank": 1, "world_size": 2}}
    made.write_text(json.dumps({**job, "traceEvents": [*kept, *calls]}))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", tp_tools.InputWarning)  # ranks are counted
        found = tp_tools.compare(made, export)
    assert (found.kernels, found.matched) == ({KINETO: 1_825, NSYS: 2_017}, 1_825)
    assert {(it.missing_in, it.reason, it.count) for it in found.losses} == {(KINETO, "records", 1)}
    assert [it.first for it in found.losses] == [*range(100, len(kernels), 10)]
    assert {it.ratio for it in found.durations} == {1.0}
