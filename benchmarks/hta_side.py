"""Print HolisticTraceAnalysis' numbers of a trace as JSON, in a Python that has it.

    PYTHON hta_side.py TRACE

It keeps the last ProfilerStep, and does not round starts up and ends down to whole microseconds.
Critical paths are those of ProfilerSteps, each from the start of its annotation on the CPU.
"""

import json
import logging
import math
import os
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)
os.environ["HTA_DISABLE_NS_ROUNDING"] = "1"

from hta.trace_analysis import TraceAnalysis  # noqa: E402  it warns and logs while it is imported

STEP = "ProfilerStep#"
KINDS = {
    "cpu_bound": "CPU",
    "gpu_compute_bound": "compute and copies",
    "gpu_communication_bound": "communication",
    "gpu_kernel_kernel_overhead": "between kernels",
    "gpu_kernel_launch_overhead": "after a launch",
}
"""Our names of what bounds an edge of the path."""


def critical_paths(analysis: TraceAnalysis) -> dict[str, dict[str, float]]:
    """Return the length of the path of each step, and that of each kind on it, us, by label.

    A step on which HTA fails is in none.
    """
    symbols = analysis.t.symbol_table.get_sym_table()
    names = {symbols[number] for number in analysis.t.get_trace(0)["name"].unique()}
    found: dict[str, dict[str, float]] = {}
    for step in sorted(name for name in names if name.startswith(STEP)):
        try:
            graph, _ = analysis.critical_path_analysis(rank=0, annotation=step, instance_id=0)
        except AssertionError:  # it asserts what a trace may lack
            continue
        edges = graph.get_critical_path_breakdown()
        found.setdefault("critical path: length, us", {})[step] = float(edges["duration"].sum())
        by_kind = edges.groupby("bound_by")["duration"].sum()
        for kind, ours in KINDS.items():
            found.setdefault(f"critical path: {ours}, us", {})[step] = float(by_kind.get(kind, 0))
    return found


def main(trace: str) -> None:
    """Print one JSON object; times in us, as it gives them."""
    analysis = TraceAnalysis(trace_files={0: trace}, trace_dir="", include_last_profiler_step=True)
    temporal = analysis.get_temporal_breakdown(visualize=False).iloc[0]
    _, kernels = analysis.get_gpu_kernel_breakdown(
        visualize=False, duration_ratio=1.0, num_kernels=1_000_000, include_memory_kernels=True
    )
    overlap = analysis.get_comm_comp_overlap(visualize=False).iloc[0]
    launches = analysis.get_cuda_kernel_launch_stats(visualize=False)[0]
    hidden = float(overlap["comp_comm_overlap_pctg"])
    answers = {
        "numbers": {
            "span of the GPU, us": float(temporal["kernel_time(us)"]),
            "idle, us": float(temporal["idle_time(us)"]),
            "compute, us": float(temporal["compute_time(us)"]),
            "communication hidden, %": None if math.isnan(hidden) else hidden,
            "launches": len(launches),
            "launch delay, summed, us": float(launches["launch_delay"].sum()),
        },
        "by name": {
            "time of a kernel, us": {
                str(row["name"]): float(row["sum (us)"]) for _, row in kernels.iterrows()
            },
            **critical_paths(analysis),
        },
    }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
