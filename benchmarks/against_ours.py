"""Ask the SQL library for the numbers that its peers give, by the peers' names and units."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import tp_tools
from tp_tools import engine
from tp_tools.querying import lookup
from tp_tools.querying.frames import frame

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    import pandas as pd

LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cudaMemcpyAsync", "cudaMemsetAsync")
"""The calls that HTA's launch statistics look at."""

UNKNOWN = "unknown"
PATH_KINDS = {
    "compute": "compute and copies",
    "copy": "compute and copies",
    "communication": "communication",
    "dependency": "between kernels",
    "front end": "after a launch",
    "launch call": "CPU",
    "cpu": "CPU",
    "sync": "CPU",
    "unknown": UNKNOWN,
}
"""HTA's kinds of what is on a critical path, by that of `critical_path`."""

Answers = dict[str, Any]


def hta(trace: Path) -> Answers:
    """Return the numbers of HTA; a launch delay begins when the call has returned."""
    rows = _ask(trace, "kernels", "gpu_time", "comm_overlap", "launches", "critical_path")
    gpu, overlap, launches = (rows[name] for name in ("gpu_time", "comm_overlap", "launches"))
    seen = launches[launches["launch_name"].isin(LAUNCHES)]
    delays = (seen["delay_ns"] - seen["launch_dur"]).clip(lower=0)
    hidden = overlap["hidden_percent"].iloc[0]
    return {
        "numbers": {
            "span of the GPU, us": gpu["span_ns"].sum() / 1000,
            "idle, us": gpu["idle_ns"].sum() / 1000,
            "compute, us": gpu["compute_ns"].sum() / 1000,
            "communication hidden, %": None if hidden is None else round(float(hidden), 2),
            "launches": len(delays),
            "launch delay, summed, us": delays.sum() / 1000,
        },
        "by name": {
            "time of a kernel, us": (
                rows["kernels"].groupby("name")["total_ns"].sum() / 1000
            ).to_dict(),
            **_critical_paths(rows["critical_path"]),
        },
    }


def _critical_paths(rows: pd.DataFrame) -> Mapping[str, dict[str, float]]:
    """Return the length of the path of each ProfilerStep and of what is on it, us, by label."""
    steps = rows[rows["step"].fillna("").str.startswith("ProfilerStep#")]
    if steps.empty:
        return {}
    by_kind = steps.assign(kind=steps["kind"].map(PATH_KINDS)).pivot_table(
        "path_ns", "step", "kind", "sum", fill_value=0
    )
    length = by_kind.sum(axis=1)
    by_kind = by_kind.reindex(columns=sorted({*PATH_KINDS.values()} - {UNKNOWN}), fill_value=0)
    return {
        "critical path: length, us": (length / 1000).to_dict(),
        **{f"critical path: {kind}, us": (by_kind[kind] / 1000).to_dict() for kind in by_kind},
    }


def tracelens(trace: Path) -> Answers:
    """Return the numbers of TraceLens: operations and bytes of the ops of which both are known."""
    rows = _ask(trace, "gpu_time", "roofline")
    gpu, roofline = rows["gpu_time"], rows["roofline"]
    known = roofline[roofline["flops"].notna() | roofline["bytes"].notna()]
    sums = known.assign(
        operations=known["flops"] * known["calls"], moved=known["bytes"] * known["calls"]
    )
    by_op = sums.groupby("op")[["operations", "moved", "gpu_ns"]].sum(min_count=1)
    return {
        "numbers": {
            "span of the GPU, us": gpu["span_ns"].sum() / 1000,
            "busy, us": gpu["busy_ns"].sum() / 1000,
            "compute, us": gpu["compute_ns"].sum() / 1000,
            "exposed communication, us": gpu["exposed_communication_ns"].sum() / 1000,
            "exposed copies, us": gpu["exposed_copy_ns"].sum() / 1000,
        },
        "by name": {
            "GPU time of an op, us": (by_op["gpu_ns"] / 1000).to_dict(),
            "operations": by_op["operations"].dropna().to_dict(),
            "bytes": by_op["moved"].dropna().to_dict(),
        },
    }


def plugin(trace: Path) -> Answers:
    """Return the numbers of the TensorBoard plugin."""
    rows = _ask(trace, "occupancy", "gpu_time", "memory")
    occupancy, gpu, memory = (rows[name] for name in ("occupancy", "gpu_time", "memory"))
    known = occupancy[occupancy["occupancy_percent"].notna()]
    time = known["known_ns"].sum()
    peaks = memory[memory["part"] == "all"]
    devices = [
        "CPU" if kind == "CPU" else f"GPU {int(device)}"
        for kind, device in zip(peaks["device_type"], peaks["device"], strict=True)
    ]
    by_name = occupancy.groupby("name")
    return {
        "numbers": {
            "GPU utilization, %": 100 * gpu["busy_ns"].sum() / gpu["span_ns"].sum(),
            "occupancy of the GPU, %": float(
                (known["occupancy_percent"] * known["known_ns"]).sum() / time if time else 0.0
            ),
        }
        | {
            f"peak of memory, {it}": int(peak)
            for it, peak in zip(devices, peaks["bytes"], strict=True)
        },
        "by name": {
            "calls of a kernel": by_name["count"].sum().to_dict(),
            "time of a kernel, us": (by_name["total_ns"].sum() / 1000).to_dict(),
            "blocks per SM of a kernel": by_name["blocks_per_sm"].first().dropna().to_dict(),
            "occupancy of a kernel, %": by_name["occupancy_percent"].first().dropna().to_dict(),
        },
    }


OURS: dict[str, Callable[[Path], Answers]] = {
    "hta": hta,
    "tracelens": tracelens,
    "plugin": plugin,
}
"""The numbers of tp-tools, by the peer that gives the same."""


def _ask(trace: Path, *names: str) -> dict[str, pd.DataFrame]:
    with tp_tools.open_trace(trace) as tp:
        queries = [lookup.from_file(name) for name in names]
        return {
            it.title: frame(engine.query_rows(tp, it.sql_on(tp.gpu), it.name)) for it in queries
        }
