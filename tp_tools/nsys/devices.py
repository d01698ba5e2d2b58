"""Number the GPUs of an export, and describe them as Kineto does."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tp_tools.nsys import tables

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.nsys.database import Database

_PROPERTIES = {
    "id": "id",
    "name": "name",
    "totalGlobalMem": "totalMemory",
    "computeMajor": "computeMajor",
    "computeMinor": "computeMinor",
    "maxThreadsPerBlock": "maxThreadsPerBlock",
    "regsPerBlock": "maxRegistersPerBlock",
    "warpSize": "threadsPerWarp",
    "sharedMemPerBlock": "maxShmemPerBlock",
    "numSms": "smCount",
    "regsPerMultiprocessor": "maxRegistersPerSm",
    "sharedMemPerBlockOptin": "maxShmemPerBlockOptin",
    "sharedMemPerMultiprocessor": "maxShmemPerSm",
}
"""Column of TARGET_INFO_GPU for each member of Kineto's deviceProperties (output_json.cpp)."""


def gpu_numbers(
    database: Database, ordinals: Sequence[tuple[int, int]], notes: list[str]
) -> dict[tuple[int, int], int]:
    """Number the GPUs that processes use.

    A deviceId is an ordinal of its process (CUDA_VISIBLE_DEVICES), so two processes may call
    different GPUs 0. TARGET_INFO_CUDA_DEVICE says which GPU it is. Without it equal ordinals of
    several processes are taken for different GPUs: rows of one may then be idle while another
    process uses it, but no two GPUs become one.

    Args:
        database: the export.
        ordinals: pairs of globalPid and deviceId, sorted.
        notes: receives a line where numbers had to be chosen.

    Returns:
        The number of the GPU by globalPid and deviceId.
    """
    rows = database.all(tables.CUDA_DEVICES, ["pid", "cudaId", "gpuId"])
    stated = {(pid, ordinal): gpu for pid, ordinal, gpu in rows if isinstance(gpu, int)}
    known = {
        key: stated[tables.process_id(key[0]), key[1]]
        for key in ordinals
        if (tables.process_id(key[0]), key[1]) in stated
    }
    numbers = dict(known)
    taken = set(known.values())
    for key in ordinals:
        if key not in numbers:
            number = key[1]
            if number in taken:
                number = max(taken) + 1
                notes.append(
                    f"Process {tables.process_id(key[0])} calls its GPU {key[1]}, as another "
                    f"process does, and the export does not say whether they are one: it is "
                    f"GPU {number} here."
                )
            numbers[key] = number
            taken.add(number)
    return numbers


def properties(database: Database) -> list[dict[str, Any]]:
    """Return Kineto's deviceProperties of the GPUs; empty where the export has none."""
    rows = database.all(tables.GPU_INFO, list(_PROPERTIES.values()))
    return [
        {key: value for key, value in zip(_PROPERTIES, row, strict=True) if value is not None}
        for row in rows
    ]


def multiprocessors(
    database: Database, gpus: Sequence[dict[str, Any]], numbers: dict[tuple[int, int], int]
) -> dict[tuple[int, int], int]:
    """Return how many multiprocessors each process has on its GPUs.

    A part of a GPU (MIG) has fewer than the GPU: what the export says of the process's own device
    counts.

    Args:
        database: the export.
        gpus: what `properties` gives.
        numbers: the number of the GPU by globalPid and deviceId.

    Returns:
        The count by globalPid and deviceId, where it is known.
    """
    rows = database.all(tables.CUDA_DEVICES, ["pid", "cudaId", "numMultiprocessors"])
    of_device = {(pid, ordinal): count for pid, ordinal, count in rows}
    of_gpu = {gpu["id"]: gpu.get("numSms") for gpu in gpus if "id" in gpu}
    found = {
        (process, ordinal): of_device.get((tables.process_id(process), ordinal)) or of_gpu.get(gpu)
        for (process, ordinal), gpu in numbers.items()
    }
    return {key: count for key, count in found.items() if isinstance(count, int)}
