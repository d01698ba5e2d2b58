"""Name the tables of an export, and take its ids apart.

Source: NVIDIA's SQLite schema reference of Nsight Systems 2026.4, and exports of 2022 to 2026.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

KERNEL = "CUPTI_ACTIVITY_KIND_KERNEL"
MEMCPY = "CUPTI_ACTIVITY_KIND_MEMCPY"
MEMSET = "CUPTI_ACTIVITY_KIND_MEMSET"
GRAPH = "CUPTI_ACTIVITY_KIND_GRAPH_TRACE"
SYNC = "CUPTI_ACTIVITY_KIND_SYNCHRONIZATION"
API = "CUPTI_ACTIVITY_KIND_RUNTIME"
NVTX = "NVTX_EVENTS"
NVTX_SCHEMAS = "NVTX_PAYLOAD_SCHEMAS"
NVTX_ENTRIES = "NVTX_PAYLOAD_SCHEMA_ENTRIES"
NVTX_ENUMS = "NVTX_PAYLOAD_ENUMS"
NVTX_ENUM_ENTRIES = "NVTX_PAYLOAD_ENUM_ENTRIES"
OS_CALLS = "OSRT_API"
OVERHEAD = "CUPTI_ACTIVITY_KIND_OVERHEAD"
PROFILER_OVERHEAD = "PROFILER_OVERHEAD"
DIAGNOSTIC = "DIAGNOSTIC_EVENT"
STRINGS = "StringIds"
THREAD_NAMES = "ThreadNames"
PROCESSES = "PROCESSES"
START = "TARGET_INFO_SESSION_START_TIME"
GPU_INFO = "TARGET_INFO_GPU"
CUDA_DEVICES = "TARGET_INFO_CUDA_DEVICE"
CAPTURE = "META_DATA_CAPTURE"
SYSTEM = "TARGET_INFO_SYSTEM_ENV"
MPI_RANKS = "MPI_RANKS"
META = ("META_DATA_EXPORT", "EXPORT_META_DATA")
"""Tables of facts about the export: the name of today, and that until 2022."""

GPU_WORK = (KERNEL, MEMCPY, MEMSET, GRAPH)
"""Tables of work that occupies a GPU."""

ON_THREADS = (API, NVTX, OS_CALLS, OVERHEAD, PROFILER_OVERHEAD)
"""Tables of events of threads: they have a globalTid."""

DRAWN = (*GPU_WORK, SYNC, *ON_THREADS)
"""Tables whose rows become events."""

READ = frozenset(
    {
        *DRAWN,
        DIAGNOSTIC,
        STRINGS,
        THREAD_NAMES,
        PROCESSES,
        START,
        GPU_INFO,
        CUDA_DEVICES,
        CAPTURE,
        SYSTEM,
        MPI_RANKS,
        NVTX_SCHEMAS,
        NVTX_ENTRIES,
        NVTX_ENUMS,
        NVTX_ENUM_ENTRIES,
        *META,
    }
)
"""Tables of which more is read than how many rows there are."""

LEFT_OUT = {
    "SCHED_EVENTS": "switches of threads",
    "COMPOSITE_EVENTS": "CPU samples",
    "GPU_METRICS": "samples of GPU metrics",
    "CUPTI_ACTIVITY_KIND_CUDA_EVENT": "records of CUDA events",
    "CUDA_GRAPH_EVENTS": "events of CUDA graphs",
    "CUDA_GRAPH_NODE_EVENTS": "events of CUDA graph nodes",
    "CUDA_UM_CPU_PAGE_FAULT_EVENTS": "page faults of CPUs",
    "CUDA_UM_GPU_PAGE_FAULT_EVENTS": "page faults of GPUs",
    "CUDA_GPU_MEMORY_USAGE_EVENTS": "allocations of GPU memory",
    "GENERIC_EVENTS": "generic events",
    "MPI_P2P_EVENTS": "MPI calls",
    "MPI_COLLECTIVES_EVENTS": "MPI collectives",
    "MPI_START_WAIT_EVENTS": "MPI waits",
    "MPI_OTHER_EVENTS": "other MPI calls",
    "CUDNN_EVENTS": "cuDNN calls",
    "CUBLAS_EVENTS": "cuBLAS calls",
    "NET_NIC_METRIC": "samples of network cards",
}
"""What stands in tables that are not drawn, for messages; others are called by their names."""

TIMES = ("start", "timestamp", "rawTimestamp")
"""Columns that tables of events have, and tables of facts have not."""

_MARKS = ("CUPTI_ACTIVITY_", "TARGET_INFO_", "NVTX_", "OSRT_")

_PID_BITS = 24
_LOW = (1 << _PID_BITS) - 1
_PROCESS = ~_LOW


def is_of_nsight(names: Iterable[str]) -> bool:
    """Tell by the names of its tables whether a database is an export of Nsight Systems."""
    return any(name in META or name.startswith(_MARKS) for name in names)


def process_of(global_tid: int) -> int:
    """Return the globalPid of a globalTid: all but its 24 bits of thread id."""
    return global_tid & _PROCESS


def thread_id(global_tid: int) -> int:
    """Return the thread id of a globalTid."""
    return global_tid & _LOW


def process_id(global_pid: int) -> int:
    """Return the process id of a globalPid or globalTid."""
    return global_pid >> _PID_BITS & _LOW
