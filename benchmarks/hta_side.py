"""Print HolisticTraceAnalysis' numbers of a trace as JSON, in a Python that has it.

    PYTHON hta_side.py TRACE

It keeps the last ProfilerStep, and does not round starts up and ends down to whole microseconds.
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
            }
        },
    }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
