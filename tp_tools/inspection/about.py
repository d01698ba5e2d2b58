"""What a trace says about itself around its events: its job, GPUs and versions.

A header may hold a whole environment, with access tokens in it. So facts are picked by name here;
nothing else of it is even decoded.

Format: PyTorch's Kineto, libkineto/src/output_json.cpp and what torch.profiler adds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.trace.model import Trace

_Object: TypeAlias = "dict[str, Any]"

_DECODER = msgspec.json.Decoder(dict[str, msgspec.Raw])

OPTIONS = ("record_shapes", "profile_memory", "with_stack", "with_flops", "with_modules")
"""What the profiler was asked to record, as torch.profiler.profile calls it."""


@dataclass(frozen=True)
class Gpu:
    """One entry of `deviceProperties`; None where it says nothing.

    Attributes:
        number: its device id.
        name: "NVIDIA B200".
        memory_bytes: of its memory.
        processors: multiprocessors or compute units.
    """

    number: int | None
    name: str | None
    memory_bytes: int | None
    processors: int | None


@dataclass(frozen=True)
class About:
    """What the header says; None where it says nothing.

    Attributes:
        rank, world_size: of the job.
        backend: "nccl".
        process_groups: how many there are.
        gpus: those of the machine, recorded or not.
        versions: as people write them, by what they are the version of.
        options: those of `OPTIONS` that were on.
        base_ns: what is to be added to times to have nanoseconds since the epoch.
    """

    rank: int | None
    world_size: int | None
    backend: str | None
    process_groups: int | None
    gpus: list[Gpu]
    versions: dict[str, str]
    options: list[str]
    base_ns: int | None


def about(trace: Trace) -> About:
    """What the text around the events says."""
    said = _members(trace)
    job = said.get("distributedInfo")
    job = job if isinstance(job, dict) else {}
    return About(
        rank=_whole(job, "rank"),
        world_size=_whole(job, "world_size"),
        backend=_text(job, "backend"),
        process_groups=_whole(job, "pg_count"),
        gpus=list(_gpus(said.get("deviceProperties"))),
        versions=dict(_versions(said, job)),
        options=[option for option in OPTIONS if said.get(option) == 1],
        base_ns=_whole(said, "baseTimeNanoseconds"),
    )


def _members(trace: Trace) -> _Object:
    """The members of the outermost object that are facts; a bare array has none."""
    if trace.head.text.lstrip().startswith(b"["):
        return {}
    before = _DECODER.decode(trace.head.text + b"]}")
    behind = _DECODER.decode(b'{"":[' + trace.tail.text)
    return {
        key: msgspec.json.decode(raw) for key, raw in {**before, **behind}.items() if key in _FACTS
    }


def _gpus(devices: object) -> Iterator[Gpu]:
    for device in devices if isinstance(devices, list) else []:
        if isinstance(device, dict):
            yield _gpu(device)


def _gpu(device: _Object) -> Gpu:
    return Gpu(
        _whole(device, "id"),
        _text(device, "name"),
        _whole(device, "totalGlobalMem"),
        _whole(device, "numSms"),
    )


def _versions(said: _Object, job: _Object) -> Iterator[tuple[str, str]]:
    schema = _whole(said, "schemaVersion")
    if schema is not None:
        yield "Kineto schema", str(schema)
    for key, name, written in _VERSIONS:
        value = said.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, written(value)
    nccl = _text(job, "nccl_version")
    if nccl is not None:
        yield "NCCL", nccl


def _cuda(value: float) -> str:
    """CUDA_VERSION, cuda.h: 1000 * major + 10 * minor."""
    return f"{int(value) // 1000}.{int(value) % 1000 // 10}"


def _hip(value: float) -> str:
    """HIP_VERSION, hip_version.h: 10,000,000 * major + 100,000 * minor + patch."""
    major, rest = divmod(int(value), 10_000_000)
    return f"{major}.{rest // 100_000}.{rest % 100_000}"


_VERSIONS: tuple[tuple[str, str, Callable[[float], str]], ...] = (
    ("cuda_runtime_version", "CUDA runtime", _cuda),
    ("cuda_driver_version", "CUDA driver", _cuda),
    ("cupti_version", "CUPTI", str),
    ("hip_runtime_version", "HIP runtime", _hip),
    ("hip_driver_version", "HIP driver", _hip),
    ("roctracer_version", "ROCtracer", str),
)


_FACTS = frozenset(
    {
        "baseTimeNanoseconds",
        "deviceProperties",
        "distributedInfo",
        "schemaVersion",
        *OPTIONS,
        *(key for key, _, _ in _VERSIONS),
    }
)


def _whole(members: _Object, key: str) -> int | None:
    value = members.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _text(members: _Object, key: str) -> str | None:
    value = members.get(key)
    return value if isinstance(value, str) else None
