"""Name the processes of GPUs after them: Kineto names each after the recorded program, or not."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools.trace.categories import GPU_WORK, HOST_WORK
from tp_tools.trace.tracks import process_names, tracks_of

if TYPE_CHECKING:
    from tp_tools.trace.model import Trace
    from tp_tools.trace.plan import Plan

_DEVICE = re.compile("gpu|npu|xpu|hpu|tpu|mlu|device|ascend|cann", re.IGNORECASE)


def gpu_names(trace: Trace) -> dict[int, str]:
    """Return the new names of processes by recorded pid: "GPU 0".

    Those get one that hold work of a GPU and none of the host, and whose name tells of no device.
    """
    names = process_names(trace)
    host = {trace.tracks[track][0] for track in tracks_of(trace, HOST_WORK)}
    gpus = dict.fromkeys(trace.tracks[track][0] for track in tracks_of(trace, GPU_WORK))
    return {
        pid: f"GPU {pid}"
        for pid in gpus
        if type(pid) is int and pid not in host and not _DEVICE.search(names.get(pid, ""))
    }


def with_gpu_names(trace: Trace, plan: Plan) -> Plan:
    """Return the plan with the names of `gpu_names`.

    They go into the events that name these processes, and into new ones where there are none.
    """
    wanted = gpu_names(trace)
    renamed = {
        event: wanted[pid]
        for event in trace.metadata
        if trace.names[trace.name[event]] == "process_name"
        and type(pid := trace.tracks[trace.track[event]][0]) is int
        and pid in wanted
    }
    named = {trace.tracks[trace.track[event]][0] for event in renamed}
    added = []
    for (recorded, _), pid, tid in zip(trace.tracks, plan.ids.pids, plan.ids.tids, strict=True):
        if type(recorded) is int and recorded in wanted.keys() - named and type(pid) is int:
            named.add(recorded)
            added.append(("process_name", pid, tid if type(tid) is int else pid, wanted[recorded]))
    return replace(plan, process_names=renamed, names=[*plan.names, *added])


def new_gpu_names(trace: Trace, plan: Plan) -> dict[str, str]:
    """Return the recorded name by new name, "python3" of "GPU 0"; "" for a process without one."""
    recorded = process_names(trace) if plan.process_names else {}
    found = {
        name: recorded.get(trace.tracks[trace.track[event]][0], "")
        for event, name in plan.process_names.items()
    }
    added = [name for key, _, _, name in plan.names if key == "process_name"]
    wanted = set(gpu_names(trace).values()) if added else set()
    return {**dict.fromkeys((name for name in added if name in wanted), ""), **found}
