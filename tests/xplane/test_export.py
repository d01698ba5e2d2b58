"""Profiles of XLA, made byte by byte from xplane.proto, as traces."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

import tp_tools
from fixtures import xplane as made
from fixtures.xplane import Event, Line, plane
from tests.support.command_line import TpTools
from tp_tools.errors import InputError
from tp_tools.files import open_source

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path) -> dict[str, list[dict[str, Any]]]:
    """Events by category; flows and metadata by their phase."""
    with open_source(str(path)) as source:
        trace = json.loads(b"".join(source.blocks()))
    found: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for it in trace["traceEvents"]:
        found[it["cat"] if it["ph"] == "X" else it["ph"]].append(it)
    return found


def written(tmp_path: Path, data: bytes) -> Path:
    """A profile as a file."""
    path = tmp_path / "host.xplane.pb"
    path.write_bytes(data)
    return path


def test_a_job(tmp_path: Path) -> None:
    """Kernels, a copy, calls, a step, frames, with Kineto's names; times rounded down to ns."""
    found = read(written(tmp_path, made.job()))
    one, other = found["kernel"]
    assert (one["name"], one["pid"], one["tid"], one["ts"], one["dur"]) == (
        "fusion_1",
        0,
        7,
        2.0,
        3.0,
    )
    assert (other["ts"], other["dur"], other["args"]["hlo_op"]) == (4.4, 2.6, "add")
    assert one["args"] == {
        "device": 0,
        "stream": 7,
        "correlation": 11,
        "grid": [4, 2, 1],
        "block": [128, 1, 1],
        "registers per thread": 32,
        "shared memory": 1040,
    }
    [copy] = found["gpu_memcpy"]
    assert (copy["name"], copy["args"]["bytes"]) == ("Memcpy HtoD", 4096)
    assert [it["name"] for it in found["gpu_user_annotation"]] == ["fusion.1"]
    assert [(it["name"], it["tid"]) for it in found["cuda_driver"]] == [("cuLaunchKernel", 4243)]
    assert [it["name"] for it in found["user_annotation"]] == ["train"]
    assert [it["name"] for it in found["python_function"]] == ["loop.py:3 step"]
    assert [it["name"] for it in found["cpu_op"]] == ["PjitFunction(f)"]
    assert [(it["id"], it["ts"]) for it in (*found["s"], *found["f"])] == [(11, 1.0), (11, 2.0)]
    named = {(it["pid"], it["tid"], it["name"]): it["args"]["name"] for it in found["M"]}
    assert named[0, 0, "process_name"] == "GPU 0"
    assert named[0, 7, "thread_name"] == "Stream #7(Compute,MemcpyH2D)"


def test_overlapping_kernels_are_moved_to_lanes(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """`fix` repairs it as any trace, and names its output after the profile."""
    path = written(tmp_path, made.job())
    ran = TpTools(capsysbinary)("fix", path, "--verify")
    assert ran.code == 0, ran.err
    fixed = json.loads(gzip.decompress((tmp_path / "host.fixed.json.gz").read_bytes()))
    kernels = [it for it in fixed["traceEvents"] if it.get("cat") == "kernel"]
    assert sorted((it["ts"], it["dur"]) for it in kernels) == [(2.0, 3.0), (4.4, 2.6)]
    assert len({it["tid"] for it in kernels}) == 2


def test_the_library_answers(tmp_path: Path) -> None:
    """Also on a compressed one."""
    path = tmp_path / "host.xplane.pb.gz"
    path.write_bytes(gzip.compress(made.job()))
    kernels = tp_tools.query("kernels", path)
    assert kernels[kernels["kind"] == "compute"]["total_ns"].sum() == 5_600


def test_numbers_of_threads_that_no_trace_holds(tmp_path: Path) -> None:
    """A line whose id is too large, or 0, gets a free number; a name that is no UTF-8 is read."""
    lines = [Line(it, "t", 0, (Event("a", 0, 1),)) for it in (1 << 40, 0, 5)]
    data = made.text(1, plane("/host:CPU", *lines).replace(b"/host:CPU", b"/host:\xff\xfeU"))
    found = read(written(tmp_path, data))
    assert [it["tid"] for it in found["cpu_op"]] == [1_000_000_000, 1_000_000_001, 5]


def test_lines_of_other_devices(tmp_path: Path) -> None:
    """Those of a TPU are no work of the host, and no kernels."""
    line = Line(3, "XLA Ops", 0, (Event("fusion.1", 0, 5_000),))
    found = read(written(tmp_path, made.text(1, plane("/device:TPU:0", line))))
    assert [(it["name"], it["dur"]) for it in found["gpu_user_annotation"]] == [("fusion.1", 0.005)]
    assert set(found) == {"gpu_user_annotation", "M"}


def test_a_damaged_profile_is_named(tmp_path: Path) -> None:
    """One line says what to do."""
    with pytest.raises(InputError, match=r"host\.xplane\.pb: is damaged, or no profile of XLA"):
        read(written(tmp_path, made.job()[:-5]))


def test_the_json_of_jax(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    """perfetto_trace.json.gz has no categories: slices that overlap on a line go to lanes."""
    events = [
        {"ph": "M", "name": "process_name", "pid": 1, "args": {"name": "/device:GPU:0"}},
        {"ph": "X", "name": "fusion_1", "pid": 1, "tid": 7, "ts": 2.0, "dur": 30.0},
        {"ph": "X", "name": "fusion_2", "pid": 1, "tid": 7, "ts": 24.0, "dur": 26.0},
    ]
    path = tmp_path / "perfetto_trace.json.gz"
    path.write_bytes(gzip.compress(json.dumps({"traceEvents": events}).encode()))
    assert TpTools(capsysbinary)("fix", path, "--verify").code == 0
    fixed = json.loads(gzip.decompress((tmp_path / "perfetto_trace.fixed.json.gz").read_bytes()))
    slices = [it for it in fixed["traceEvents"] if it["ph"] == "X"]
    assert sorted((it["ts"], it["dur"]) for it in slices) == [(2.0, 30.0), (24.0, 26.0)]
    assert len({it["tid"] for it in slices}) == 2


def device(**stats: int | str) -> bytes:
    """A plane of GPU 0 that says this of it."""
    return made.text(1, plane("/device:GPU:0", Line(7, "Stream #7", 5, ()), stats=stats))


def test_info_says_which_gpus_there_are(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """By what the plane of each says: vendor, memory, cores; no model where it names none."""
    data = device(device_vendor="Nvidia", core_count=132, memory_size=80 << 30, clock_rate=1)
    host = made.text(4, "node7")
    ran = TpTools(capsysbinary)("info", written(tmp_path, made.job() + data + host))
    assert (ran.code, ran.err) == (0, "")
    facts = dict(line.split(maxsplit=1) for line in ran.out.decode().splitlines()[1:5])
    assert facts["GPUs"] == ("1 x GPU without a name, 1 x Nvidia (85.9 GB, 132 multiprocessors)")
    assert facts["Host"] == "node7"


@pytest.mark.parametrize(
    ("stamp", "started", "base"),
    [
        (1_780_000_000_000_000_000, None, 1_780_000_000_000_000_000),
        (2_000, 1_780_000_000_000_000_000, 1_780_000_000_000_002_000),
        (2_000, None, None),
    ],
)
def test_the_time_of_the_day(
    tmp_path: Path, stamp: int, started: int | None, base: int | None
) -> None:
    """Of the lines, else of the session that they count from; else it is not known."""
    lines = [Line(5, "t", stamp, (Event("a", 0, 5_000),)), Line(6, "empty", 0, ())]
    stats = {} if started is None else {"profile_start_time": started}
    data = plane("/host:CPU", *lines), plane("Task Environment", stats=stats)
    path = written(tmp_path, b"".join(made.text(1, it) for it in data))
    with open_source(str(path)) as source:
        trace = json.loads(b"".join(source.blocks()))
    assert trace.get("baseTimeNanoseconds") == base
    assert [it["ts"] for it in trace["traceEvents"] if it["ph"] == "X"] == [0.0]


def test_what_is_no_work_of_a_stream_is_counted(tmp_path: Path) -> None:
    """Allocations on the line of a stream are no kernels; sums have no times; warnings are told."""
    events = (
        Event("fusion", 0, 3_000_000, {"kernel_details": "regs:32"}),
        Event("MemoryAlloc", 1_000, 1_000, {"memalloc_details": "kind:device num_bytes:64"}),
        Event("Memset", 5_000_000, 1_000, {"memset_details": "kind:device num_bytes:64 async:1"}),
        Event("sum", None, 9_000),
    )
    data = made.text(1, plane("/device:GPU:0", Line(7, "Stream #7(Compute)", 0, events)))
    path = written(tmp_path, data + made.text(3, "Events were\n dropped."))
    with open_source(str(path)) as source:
        trace = json.loads(b"".join(source.blocks()))
    shown = [(it["cat"], it["name"]) for it in trace["traceEvents"] if it["ph"] == "X"]
    assert shown == [("kernel", "fusion"), ("gpu_memset", "Memset")]
    assert trace["traceEvents"][-1]["args"]["bytes"] == 64
    assert trace["exportNotes"] == [
        "Left out: allocations of memory (1), sums of events without times (1).",
        "The profiler of XLA says: Events were dropped.",
    ]
