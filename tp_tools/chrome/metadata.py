"""Read the metadata of a trace: rank, GPUs, versions and clock, from the text around its events.

A header may hold a whole environment, access tokens included. So only members named here are
decoded.

Format: PyTorch's Kineto, libkineto/src/output_json.cpp and what torch.profiler adds.
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TypeAlias

import msgspec
from msgspec import Struct, field

from tp_tools.chrome.digits import number
from tp_tools.chrome.stream import SPACE

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.trace import Trace

MERGED_KEY = "tpToolsMerge"
"""A top-level key that `tp-tools merge` writes."""

EXPORT_KEY = "nsys"
"""A top-level key of the text of an export of Nsight Systems: its versions."""

NOTES_KEY = "exportNotes"
"""A top-level key of the text of any export (rocpd, too): lines on what the export lacks."""

OPTIONS = ("record_shapes", "profile_memory", "with_stack", "with_flops", "with_modules")
"""Options of torch.profiler.profile that a trace records."""

NO_HOST = "localhost"
"""A name of a machine that says nothing: every machine calls itself so."""

_Object: TypeAlias = "dict[str, Any]"

_MEMBERS = msgspec.json.Decoder(dict[str, msgspec.Raw])
_JOB = re.compile(r'"distributedInfo"\s*:\s*(?=\{)')


class Gpu(Struct, frozen=True):
    """One entry of `deviceProperties`; None for members that it lacks.

    Attributes:
        number: the device id.
        name: such as "NVIDIA B200".
        memory_bytes: size of the memory.
        processors: number of multiprocessors or compute units.
    """

    number: int | None
    name: str | None
    memory_bytes: int | None
    processors: int | None


class TraceMetadata(Struct, frozen=True):
    """Metadata from the text around the events; None, "" or empty where the text has none.

    Attributes:
        rank, world_size: of the job (`distributedInfo`).
        backend: such as "nccl".
        process_groups: number of process groups.
        groups: ranks of each process group, by the name of the group.
        host: the name of the machine.
        gpus: the GPUs of the machine, recorded or not.
        versions: such as "12.4", by product.
        options: the `OPTIONS` that were on.
        base_ns: ns to add to times to get ns since the epoch.
        wrong_base: repr of a base time that is not an integer.
        is_merged: whether `tp-tools merge` wrote the trace.
        exported_ranks: number of processes with GPU work in an export of Nsight Systems, else 0.
        notes: what the reader of an export says of it, a line each.
        profiler: who recorded it, such as "the PyTorch profiler"; "" if that is not known.
    """

    rank: int | None = None
    world_size: int | None = None
    backend: str | None = None
    process_groups: int | None = None
    groups: dict[str, frozenset[int]] = field(default_factory=dict)
    host: str = ""
    gpus: list[Gpu] = field(default_factory=list)
    versions: dict[str, str] = field(default_factory=dict)
    options: list[str] = field(default_factory=list)
    base_ns: int | None = None
    wrong_base: str = ""
    is_merged: bool = False
    exported_ranks: int = 0
    notes: tuple[str, ...] = ()
    profiler: str = ""

    @property
    def gpu_name(self) -> str:
        """The name of the GPUs; empty if none has a name, or they are not all alike."""
        names = {gpu.name or "" for gpu in self.gpus}
        return names.pop() if len(names) == 1 else ""


def metadata(trace: Trace) -> TraceMetadata:
    """Return the metadata of a trace that was read; empty for an array of events."""
    return _metadata(_head_members(trace.head.text) | _tail_members(trace))


def is_exported(trace: Trace) -> bool:
    """Tell whether a trace is that of an export, with the times that its database holds."""
    return NOTES_KEY in _tail_members(trace)


def header_metadata(head: bytes, tail: bytes = b"") -> TraceMetadata:
    """Return the metadata of a file whose events are not read.

    Args:
        head: the text up to and including the `[` of the events.
        tail: the end of the text, where on-demand profiles have `distributedInfo`.

    Returns:
        The metadata of the head, and the job of the tail.
    """
    before = _head_members(head)
    job = _last_job(tail)
    return _metadata(before | {"distributedInfo": job} if job else before)


def _head_members(text: bytes) -> _Object:
    if text.lstrip(SPACE).startswith(b"["):
        return {}
    return _decoded(_MEMBERS.decode(text + b"]}"))


def _tail_members(trace: Trace) -> _Object:
    if trace.head.text.lstrip(SPACE).startswith(b"["):
        return {}
    return _decoded(_MEMBERS.decode(b'{"":[' + trace.tail.text))


def _decoded(members: dict[str, msgspec.Raw]) -> _Object:
    """Decode the members that are read; one with a number that no double holds is left out."""
    decoded: _Object = {}
    for key in members.keys() & set(_DECODED_KEYS):
        with suppress(msgspec.DecodeError):
            decoded[key] = msgspec.json.decode(members[key])
    return decoded


def _last_job(text: bytes) -> _Object:
    """Return the last whole `distributedInfo` of a text; empty if there is none."""
    job: _Object = {}
    decoded = text.decode(errors="replace")
    for match in _JOB.finditer(decoded):
        with suppress(ValueError, RecursionError):
            job, _ = json.JSONDecoder().raw_decode(decoded, match.end())
    return job


def _metadata(members: _Object) -> TraceMetadata:
    job = members.get("distributedInfo")
    job = job if isinstance(job, dict) else {}
    base = members.get("baseTimeNanoseconds")
    base_ns = _whole(members, "baseTimeNanoseconds")
    host = _text(members, "host_name")
    return TraceMetadata(
        rank=_digits(job, "rank"),
        world_size=_digits(job, "world_size"),
        backend=_text(job, "backend"),
        process_groups=_whole(job, "pg_count"),
        groups=dict(_groups(job.get("pg_config"))),
        host=host if host and host != NO_HOST else "",
        gpus=list(_gpus(members.get("deviceProperties"))),
        versions=dict(_versions(members, job)),
        options=[option for option in OPTIONS if members.get(option) == 1],
        base_ns=base_ns,
        wrong_base=repr(base) if base is not None and base_ns is None else "",
        is_merged=MERGED_KEY in members,
        exported_ranks=_whole(_export(members), "processes") or 0,
        notes=tuple(_lines(members.get(NOTES_KEY))),
        profiler=next((name for key, name in _PROFILERS.items() if _is_stated(members, key)), ""),
    )


def _export(members: _Object) -> _Object:
    export = members.get(EXPORT_KEY)
    return export if isinstance(export, dict) else {}


def _lines(notes: object) -> Iterator[str]:
    return (
        (note for note in notes if isinstance(note, str)) if isinstance(notes, list) else iter(())
    )


def _groups(config: object) -> Iterator[tuple[str, frozenset[int]]]:
    for group in config if isinstance(config, list) else []:
        if isinstance(group, dict) and isinstance(group.get("ranks"), list):
            members = [
                rank
                for rank in group["ranks"]
                if isinstance(rank, int) and not isinstance(rank, bool)
            ]
            if members:
                yield str(group.get("pg_name")), frozenset(members)


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


def _versions(members: _Object, job: _Object) -> Iterator[tuple[str, str]]:
    schema = _whole(members, "schemaVersion")
    if schema is not None:
        yield "Kineto schema", str(schema)
    for key, name, formatted in _VERSIONS:
        value = members.get(key)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, formatted(value)
    nccl = _text(job, "nccl_version")
    if nccl is not None:
        yield "NCCL", nccl
    product = _text(_export(members), "product")
    if product:
        yield "Nsight Systems", product


def _cuda(value: float) -> str:
    """Format CUDA_VERSION (cuda.h): 1000 * major + 10 * minor."""
    return f"{int(value) // 1000}.{int(value) % 1000 // 10}"


def _hip(value: float) -> str:
    """Format HIP_VERSION (hip_version.h): 10,000,000 * major + 100,000 * minor + patch."""
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

_PROFILERS = {
    EXPORT_KEY: "Nsight Systems",
    "rocpd": "rocprofv3",
    "xplane": "the profiler of XLA",
    "schemaVersion": "the PyTorch profiler",
}
"""Who writes a top-level key."""

_DECODED_KEYS = (
    "baseTimeNanoseconds",
    "deviceProperties",
    "distributedInfo",
    "host_name",
    MERGED_KEY,
    NOTES_KEY,
    *_PROFILERS,
    *OPTIONS,
    *(key for key, _, _ in _VERSIONS),
)
"""Top-level keys that are decoded."""


def _is_stated(members: _Object, key: str) -> bool:
    return isinstance(members.get(key), dict) or _whole(members, key) is not None


def _whole(members: _Object, key: str) -> int | None:
    value = members.get(key)
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _digits(members: _Object, key: str) -> int | None:
    """Return a whole number, which may be written as text."""
    return _whole({key: number(members.get(key))}, key)


def _text(members: _Object, key: str) -> str | None:
    value = members.get(key)
    return value if isinstance(value, str) else None
