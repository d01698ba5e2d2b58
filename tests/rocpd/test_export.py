"""Databases of rocprofv3, made by the published schema, as traces."""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pytest

import tp_tools
from fixtures import rocpd as made
from fixtures.rocpd import GUID, copy, dispatch, event, region
from tests.support.command_line import TpTools
from tp_tools.errors import InputError
from tp_tools.files import open_source
from tp_tools.rocpd import is_export

if TYPE_CHECKING:
    from pathlib import Path

Event = dict[str, Any]


def read(path: Path) -> tuple[dict[str, list[Event]], dict[str, Any]]:
    """Events by category, flows and metadata by their phase; and what stands around them."""
    with open_source(str(path)) as source:
        trace = json.loads(b"".join(source.blocks()))
    found: dict[str, list[Event]] = defaultdict(list)
    for it in trace.pop("traceEvents"):
        found[it["cat"] if it["ph"] == "X" else it["ph"]].append(it)
    return found, trace


def test_a_job(tmp_path: Path) -> None:
    """Kernels, a copy, calls and a range, with Kineto's names and times to the nanosecond."""
    found, around = read(made.write(tmp_path / "4242_results.db", made.job()))
    one, other = found["kernel"]
    assert (one["name"], one["pid"], one["tid"]) == ("gemm(float*)", 0, 1)
    assert (one["ts"], one["dur"], other["ts"], other["dur"]) == (2.0, 3.0, 4.4, 2.6)
    assert one["args"] == {
        "device": 0,
        "stream": 1,
        "queue": 1,
        "correlation": 11,
        "kind": "Dispatch Kernel",
        "dispatch": 3,
        "grid": [4, 2, 1],
        "block": [64, 1, 1],
        "shared memory": 512,
    }
    [moved] = found["gpu_memcpy"]
    assert moved["name"] == "Memcpy HtoD (Host -> Device)"
    assert (moved["args"]["bytes"], moved["args"]["memory bandwidth (GB/s)"]) == (4096, 40.96)
    assert [it["name"] for it in found["cuda_runtime"]] == [
        "hipLaunchKernel",
        "hipLaunchKernel",
        "hipMemcpyAsync",
    ]
    assert [it["name"] for it in found["cuda_driver"]] == ["hsa_signal_create"]
    assert [(it["name"], it["pid"], it["tid"]) for it in found["user_annotation"]] == [
        ("step 0", 4242, 4243)
    ]
    assert [(it["id"], it["ts"]) for it in found["s"]] == [(11, 1.0), (12, 1.6), (13, 8.0)]
    assert [(it["id"], it["ts"]) for it in found["f"]] == [(11, 2.0), (12, 4.4), (13, 8.3)]
    names = {(it["pid"], it["name"]): it["args"]["name"] for it in found["M"]}
    assert names[0, "process_name"] == "GPU 0"
    assert names[4242, "thread_name"] == "main"
    assert around["rocpd"] == {"schema": "3"}
    assert "secret" not in json.dumps(around) + json.dumps(found)


def test_overlapping_kernels_keep_their_times_on_lanes(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """ROCm's own converter moves both ends to 4.7 us; here they stay, and both are shown."""
    path = made.write(tmp_path / "4242_results.db", made.job())
    ran = TpTools(capsysbinary)("fix", path, "--verify")
    assert ran.code == 0, ran.err
    fixed = json.loads(gzip.decompress((tmp_path / "4242_results.fixed.json.gz").read_bytes()))
    kernels = [it for it in fixed["traceEvents"] if it.get("cat") == "kernel"]
    assert sorted((it["ts"], it["dur"]) for it in kernels) == [(2.0, 3.0), (4.4, 2.6)]
    assert len({it["tid"] for it in kernels}) == 2


def test_the_library_answers(tmp_path: Path) -> None:
    """Kernels, copies and launches of the database."""
    path = made.write(tmp_path / "4242_results.db", made.job())
    kernels = tp_tools.query("kernels", path)
    assert kernels[kernels["kind"] == "compute"]["total_ns"].tolist() == [5_600]
    assert tp_tools.query("copies", path)["bytes"].tolist() == [4096]
    launches = tp_tools.query("launches", path)
    assert launches["launch_name"].tolist() == ["hipLaunchKernel"] * 2 + ["hipMemcpyAsync"]


def test_two_processes(tmp_path: Path) -> None:
    """Both call their GPU 0, and count correlations alike: rows and arrows stay apart."""
    tables = made.job()
    tables["rocpd_info_process"].append({"id": 2, "pid": 5000})
    tables["rocpd_info_thread"].append({"id": 2, "pid": 2, "tid": 5001})
    tables["rocpd_event"] += [event(9, 11, 1), event(10, 11, 2)]
    tables["rocpd_region"].append(region(1_000, 1_400, 9, pid=2, tid=2))
    tables["rocpd_kernel_dispatch"].append(dispatch(2_000, 2_500, 10, pid=2, tid=2))
    found, _ = read(made.write(tmp_path / "two.db", tables))
    assert [it["args"]["correlation"] for it in found["kernel"]] == [11, 12, 111]
    assert len({it["pid"] for it in found["kernel"]}) == 2
    assert [it["id"] for it in found["f"]] == [11, 12, 111, 13]
    assert sorted(it["id"] for it in found["s"]) == [11, 12, 13, 111]


def test_what_is_not_recorded(tmp_path: Path) -> None:
    """No stream, event, call, symbol or times: what is known is shown, the rest counted."""
    tables = made.job()
    tables["rocpd_region"] = [region(1_000, 1_500, 1)]
    tables["rocpd_kernel_dispatch"] = [
        dispatch(2_000, 5_000, 3, stream_id=None, queue_id=4, kernel_id=9),
        dispatch(6_000, 7_000, 4, event_id=None, grid_size_x=None),
        dispatch(9_000, 8_000, 9),
    ]
    tables["rocpd_memory_copy"] = [copy(8_300, 8_300, 6, dst_agent_id=1, src_agent_id=2)]
    tables["rocpd_sample"] = [{"id": 1}, {"id": 2}]
    found, around = read(made.write(tmp_path / "a.db", tables))
    one, other = found["kernel"]
    assert (one["name"], one["tid"]) == ("kernel", 4)
    assert "grid" not in other["args"]
    assert "correlation" not in other["args"]
    assert found["gpu_memcpy"][0]["name"] == "Memcpy DtoH (Device -> Host)"
    assert [it["id"] for it in found["f"]] == [11]
    assert around["exportNotes"] == ["Not shown: 2 samples.", "Left out: kernel without times (1)."]


@pytest.mark.parametrize(
    "change", [{"schema": "4"}, {"schema": ""}, {"without": ["workgroup_size_z"]}]
)
def test_unknown_versions_are_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    """Another schema, or columns that are missing: no trace is better than a wrong one."""
    path = made.write(tmp_path / "a.db", made.job(), **change)
    assert is_export(path, "a.db")
    with pytest.raises(InputError, match=r"a\.db: its tables are of an unknown version"):
        read(path)


def test_guids_are_told_apart(tmp_path: Path) -> None:
    """In a database that was merged, equal ids of another guid are another row."""
    tables = made.job()
    other = "ffff"
    tables["rocpd_info_kernel_symbol"].append({"guid": other, "id": 1, "display_name": "norm"})
    tables["rocpd_info_agent"].append({"guid": other, "id": 2, "type": "GPU", "type_index": 3})
    tables["rocpd_event"].append(event(3, 77, 2) | {"guid": other})
    tables["rocpd_kernel_dispatch"].append(dispatch(9_000, 9_500, 3, guid=other))
    found, _ = read(made.write(tmp_path / "merged.db", tables))
    shown = [(it["name"], it["args"]["device"]) for it in found["kernel"]]
    assert sorted(shown) == [("gemm(float*)", 0), ("gemm(float*)", 0), ("norm", 3)]
    assert other != GUID


def test_info_says_which_gpus_there_are(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    """Each GPU once, by the name of its product, else of its kind; CPUs are none."""
    tables = made.job()
    tables["rocpd_info_node"] = [{"id": 1, "hash": 7}, {"guid": "ffff", "id": 1, "hash": 7}]
    cpu, gpu = (it | {"nid": 1} for it in tables["rocpd_info_agent"])
    named = gpu | {"product_name": "AMD Instinct MI300X", "extdata": '{"cu_count": 304}'}
    tables["rocpd_info_agent"] = [
        cpu,
        named,
        named | {"id": 3, "type_index": 1},
        named | {"guid": "ffff"},  # what another process of the machine says of the first one
        gpu | {"id": 4, "type_index": 2, "extdata": "no JSON"},
    ]
    path = made.write(tmp_path / "4242_results.db", tables)
    ran = TpTools(capsysbinary)("info", path)
    assert (ran.code, ran.err) == (0, "")
    [gpus] = [line for line in ran.out.decode().splitlines() if line.split()[:1] == ["GPUs"]]
    assert gpus.split(maxsplit=1)[1] == "2 x AMD Instinct MI300X (304 multiprocessors), 1 x gfx942"


def test_a_database_without_agents_names_no_gpu(tmp_path: Path) -> None:
    """Nothing is made up."""
    path = made.write(tmp_path / "a.db", made.job() | {"rocpd_info_agent": [{"id": None}]})
    _, around = read(path)
    assert around["deviceProperties"] == []
