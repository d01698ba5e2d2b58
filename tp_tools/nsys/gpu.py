"""Write the work of GPUs as Kineto does: kernels, copies, memsets, and replays of graphs.

Names and arguments: Kineto, libkineto/src/CuptiActivity.cpp and MetadataFieldCatalog.h.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.nsys import tables
from tp_tools.nsys.recording import arrow
from tp_tools.nsys.values import json_text, members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tp_tools.nsys.database import Row
    from tp_tools.nsys.layout import Stream
    from tp_tools.nsys.recording import Recording

_PLACE = ["start", "end", "globalPid", "deviceId", "contextId", "streamId"]
_COMMON = [*_PLACE, "correlationId", "graphNodeId"]

_NAMES = ["demangledName", "shortName", "mangledName"]
_SHAPE = ["gridX", "gridY", "gridZ", "blockX", "blockY", "blockZ"]
_USE = ["registersPerThread", "staticSharedMemory", "dynamicSharedMemory", "gridId", "graphId"]
_COPY = ["bytes", "copyKind", "srcKind", "dstKind"]
_SET = ["bytes", "value", "memKind"]
_GRAPH = ["graphId", "graphExecId"]

_COPY_KINDS = {
    1: "HtoD",
    2: "DtoH",
    3: "HtoA",
    4: "AtoH",
    5: "AtoA",
    6: "AtoD",
    7: "DtoA",
    8: "DtoD",
    9: "HtoH",
    10: "PtoP",
    11: "HtoD",
    12: "DtoH",
    13: "DtoD",
}
"""CUpti_ActivityMemcpyKind; Nsight Systems adds 11 to 13, migrations of managed memory."""

_MEMORIES = {
    0: "Pageable",
    1: "Pinned",
    2: "Device",
    3: "Array",
    4: "Managed",
    5: "Device Static",
    6: "Managed Static",
}
"""ENUM_CUDA_MEM_KIND; 7 is Unknown."""

_WARP = 32


class _Kind(Struct, frozen=True):
    """A table of GPU work.

    Attributes:
        table: its name.
        category: of its events.
        columns: its own columns, behind the common ones.
        describe: returns the name (JSON) and the arguments of a row, by its own columns.
    """

    table: str
    category: str
    columns: list[str]
    describe: Callable[[Recording, Row, int | None], tuple[str, dict[str, Any]]]


def gpu_events(recording: Recording, processors: dict[tuple[int, int], int]) -> Iterator[list[str]]:
    """Yield the events of all GPU work as JSON, and the ends of their arrows.

    Args:
        recording: the export.
        processors: number of multiprocessors by globalPid and deviceId, where it is known.

    Raises:
        InputError: the file is damaged.
    """
    for kind in _KINDS:
        for rows in recording.database.rows(kind.table, _COMMON + kind.columns):
            yield list(_events(recording, kind, rows, processors))


def _events(
    recording: Recording, kind: _Kind, rows: list[Row], processors: dict[tuple[int, int], int]
) -> Iterator[str]:
    keys = [recording.layout.key(row[2], row[6]) for row in rows]
    launched = recording.launches.contain(keys).tolist()
    for row, key, is_launched in zip(rows, keys, launched, strict=True):
        times = recording.times(row[0], row[1], kind.category)
        if times is None:
            continue
        stream = recording.layout.stream_key(*row[2:6])
        place = recording.layout.streams[stream]
        own = row[len(_COMMON) :]
        name, described = kind.describe(recording, own, processors.get(stream[:2]))
        args = _common_args(row, key, place) | described
        size, dur = described.get("bytes"), row[1] - row[0]
        if isinstance(size, int) and dur:
            args["memory bandwidth (GB/s)"] = size / dur
        yield (
            f'{{"ph":"X","cat":"{kind.category}","name":{name},"pid":{place.pid},'
            f'"tid":{place.tid},{times},"args":{members(args)}}}'
        )
        if is_launched:
            ts = recording.moment(row[0])
            yield arrow(key, place.pid, place.tid, ts, is_start=False)
        recording.drawn[kind.table] += 1


def _common_args(row: Row, key: int, place: Stream) -> dict[str, Any]:
    """Return the arguments of all GPU work; numbers that were changed also as recorded."""
    device, context, stream, correlation, node = row[3:8]
    return {
        "device": place.device,
        "context": context,
        "stream": place.tid,
        "correlation": key or None,
        "graph node id": node or None,
        "nsys device": device if device != place.device else None,
        "nsys stream": stream if stream != place.tid else None,
        "nsys correlation": correlation if correlation != key else None,
    }


def _kernel(recording: Recording, own: Row, processors: int | None) -> tuple[str, dict[str, Any]]:
    names, sizes, (registers, fixed, dynamic, grid_id, graph) = own[:3], own[3:9], own[9:]
    known = [name for name in names if name in recording.strings]
    recording.unnamed += not known
    args: dict[str, Any] = {"registers per thread": registers}
    if isinstance(fixed, int) and isinstance(dynamic, int):
        args["shared memory"] = fixed + dynamic
    if all(isinstance(size, int) for size in sizes):
        x, y, z, *block = sizes
        if processors:
            args["blocks per SM"] = x * y * z / processors
            args["warps per SM"] = x * y * z * block[0] * block[1] * block[2] / _WARP / processors
        args["grid"], args["block"] = [x, y, z], block
    args["graph id"] = graph or None
    args["short name"] = recording.strings.get(names[1])
    args["nsys grid id"] = grid_id
    return recording.name(known[0] if known else None, "kernel"), args


def _copy(recording: Recording, own: Row, _: int | None) -> tuple[str, dict[str, Any]]:
    del recording
    size, kind, source, target = own
    ways = f"{_MEMORIES.get(source, 'Unknown')} -> {_MEMORIES.get(target, 'Unknown')}"
    return json_text(f"Memcpy {_COPY_KINDS.get(kind, 'Unknown')} ({ways})"), {"bytes": size}


def _set(recording: Recording, own: Row, _: int | None) -> tuple[str, dict[str, Any]]:
    del recording
    size, value, memory = own
    return json_text(f"Memset ({_MEMORIES.get(memory, 'Unknown')})"), {
        "bytes": size,
        "value": value,
    }


def _graph(recording: Recording, own: Row, _: int | None) -> tuple[str, dict[str, Any]]:
    del recording
    graph, executable = own
    return json_text(f"CUDA graph {graph}, its kernels not recorded"), {
        "graph id": graph,
        "graph exec id": executable,
    }


_KINDS = (
    _Kind(tables.KERNEL, "kernel", _NAMES + _SHAPE + _USE, _kernel),
    _Kind(tables.MEMCPY, "gpu_memcpy", _COPY, _copy),
    _Kind(tables.MEMSET, "gpu_memset", _SET, _set),
    _Kind(tables.GRAPH, "cuda_graph", _GRAPH, _graph),
)
