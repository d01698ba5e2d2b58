"""Facts of a trace's header are told; secrets and unknown keys of the header are not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from msgspec.structs import replace

from tests.support.handmade import kernel, text, trace_of
from tp_tools.chrome.metadata import Gpu, TraceMetadata, metadata
from tp_tools.chrome.reader import read
from tp_tools.files.source import Source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

NOTHING = TraceMetadata()


def said(**top: Any) -> TraceMetadata:  # noqa: ANN401
    """Metadata of a trace with these top-level keys."""
    return metadata(trace_of(text([kernel("k", 0, 1, 1)], **top)))


def test_a_trace_that_says_nothing() -> None:
    """An object without a header and a bare array say nothing."""
    assert said() == NOTHING
    assert metadata(trace_of(b'[{"ph":"X","ts":1,"dur":1,"pid":1,"tid":1,"name":"a"}]')) == NOTHING


def test_the_job() -> None:
    """Rank, size, backend and number of groups are those of distributedInfo."""
    job = {"backend": "nccl", "rank": 3, "world_size": 8, "pg_count": 71, "nccl_version": "2.27.5"}
    it = said(distributedInfo=job)
    assert (it.rank, it.world_size, it.backend, it.process_groups) == (3, 8, "nccl", 71)
    assert it.versions == {"NCCL": "2.27.5"}


def test_digits_as_text_are_a_number() -> None:
    """A rank "3" of "8" is rank 3 of 8; a word is no rank, nor are digits beyond all numbers."""
    it = said(distributedInfo={"rank": "3", "world_size": "8"})
    assert (it.rank, it.world_size) == (3, 8)
    for word in ("three", "", "9" * 5000):
        assert said(distributedInfo={"rank": word, "world_size": word}) == NOTHING


def test_a_header_behind_the_events() -> None:
    """On-demand profiles write it at the end of the file."""
    trace = trace_of(b'{"traceEvents": [], "distributedInfo": {"rank": 5}, "schemaVersion": 1}')
    assert (metadata(trace).rank, metadata(trace).versions) == (5, {"Kineto schema": "1"})


@pytest.mark.parametrize(
    ("key", "value", "name"),
    [
        ("nsys", {"product": "2026.2"}, "Nsight Systems"),
        ("rocpd", {"schema": "3.0"}, "rocprofv3"),
        ("xplane", {"planes": 1}, "the profiler of XLA"),
        ("schemaVersion", 1, "the PyTorch profiler"),
        ("other", 1, ""),
    ],
)
def test_the_profiler_is_told_by_its_keys(key: str, value: object, name: str) -> None:
    """Of a header that none of them writes it is not known."""
    assert said(**{key: value}).profiler == name


def test_versions_are_as_people_write_them() -> None:
    """CUDA and HIP pack their version into one number."""
    it = said(
        schemaVersion=1,
        cuda_runtime_version=12090,
        cuda_driver_version=13000,
        cupti_version=28,
        hip_runtime_version=60443483,
        roctracer_version=4.1,
    )
    assert it.versions == {
        "Kineto schema": "1",
        "CUDA runtime": "12.9",
        "CUDA driver": "13.0",
        "CUPTI": "28",
        "HIP runtime": "6.4.43483",
        "ROCtracer": "4.1",
    }


def test_options_are_those_that_were_on() -> None:
    """The profiler's options are the switches of the header that are 1."""
    assert said(record_shapes=1, with_stack=0, with_flops=True).options == [
        "record_shapes",
        "with_flops",
    ]


def test_the_name_of_all_gpus() -> None:
    """One name where they are alike, else none."""
    devices = [{"id": 0, "name": "NVIDIA H200"}, {"id": 1, "name": "NVIDIA H200"}]
    assert said(deviceProperties=devices).gpu_name == "NVIDIA H200"
    assert said(deviceProperties=[*devices, {"id": 2}]).gpu_name == ""
    assert said().gpu_name == ""


def test_gpus() -> None:
    """Each device has its name, memory and number of multiprocessors; what is missing is None."""
    devices = [
        {"id": 0, "name": "NVIDIA B200", "totalGlobalMem": 191503138816, "numSms": 148},
        {"id": 1},
    ]
    assert said(deviceProperties=devices).gpus == [
        Gpu(0, "NVIDIA B200", 191_503_138_816, 148),
        Gpu(1, None, None, None),
    ]


@pytest.mark.parametrize(
    "top",
    [
        {"distributedInfo": [], "deviceProperties": {}, "schemaVersion": "1"},
        {"distributedInfo": None, "deviceProperties": [1, None]},
        {"distributedInfo": {"rank": "r0", "world_size": True, "backend": 1, "nccl_version": 2}},
        {"cuda_runtime_version": None, "hip_driver_version": "6", "record_shapes": []},
        {"host_name": 3},
        {"host_name": "localhost"},
    ],
)
def test_what_is_no_fact_is_left_out(top: dict[str, Any]) -> None:
    """Facts of another type than Kineto writes are not taken for anything."""
    assert said(**top) == NOTHING


def test_a_number_that_no_double_holds() -> None:
    """It says nothing, and the other members are told."""
    data = b'{"trace_id":1e400,"host_name":"a","traceEvents":[{"ph":"M","name":"x"}]}'
    assert metadata(trace_of(data)).host == "a"


def test_a_base_time_that_is_no_integer() -> None:
    """It is kept as it is written, for whoever needs a base time to refuse it."""
    assert said(baseTimeNanoseconds="0") == replace(NOTHING, wrong_base="'0'")


def test_groups_and_host() -> None:
    """Members of process groups are known by the name of the group, the machine by its own."""
    groups = [{"pg_name": "0", "ranks": [0, 1]}, {"pg_name": 3, "ranks": [1, "x"]}, {"ranks": 1}]
    it = said(host_name="node3", distributedInfo={"pg_config": groups})
    assert it.groups == {"0": frozenset({0, 1}), "3": frozenset({1})}
    assert it.host == "node3"


def test_secrets_stay_where_they_are() -> None:
    """No key that is not a fact is kept, whatever it holds: headers carry whole environments."""
    secret = "hf_SECRET"  # noqa: S105  it is none
    it = said(
        trace_id=secret,
        traceName=secret,
        username=secret,
        environment={"HF_TOKEN": secret},
        metadata=[secret],
        distributedInfo={"rank": 0, "token": secret},
        deviceProperties=[{"id": 0, "uuid": secret}],
    )
    assert secret not in str(it)


def test_a_recorded_header(real_trace: Callable[[str], Path]) -> None:
    """A recorded header is understood."""
    path = real_trace("mi300_resnet_ddp8_rank0.json.gz")
    it = metadata(read(Source(path, path.name)))
    assert (it.rank, it.world_size, it.backend) == (0, 8, "nccl")
    assert {gpu.name for gpu in it.gpus} == {"AMD Instinct MI300X"}
    assert it.options == ["record_shapes", "with_stack"]
    assert it.base_ns == 1_767_189_312_000_000_000
