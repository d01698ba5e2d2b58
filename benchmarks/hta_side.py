"""Print HolisticTraceAnalysis' numbers of a trace as JSON, run by the Python that has it installed.

    PYTHON hta_side.py TRACE LAST_STEP    LAST_STEP: 1 keeps the last ProfilerStep, 0 is its default

$HTA_DISABLE_NS_ROUNDING=1 keeps it from rounding starts up and ends down to whole microseconds.
"""

import json
import logging
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

from hta.trace_analysis import TraceAnalysis  # noqa: E402  it warns and logs while it is imported


def main(trace: str, last_step: str) -> None:
    """Print one JSON object; times in us, as it gives them."""
    analysis = TraceAnalysis(
        trace_files={0: trace}, trace_dir="", include_last_profiler_step=last_step == "1"
    )
    temporal = analysis.get_temporal_breakdown(visualize=False).iloc[0]
    _, kernels = analysis.get_gpu_kernel_breakdown(
        visualize=False, duration_ratio=1.0, num_kernels=1_000_000, include_memory_kernels=True
    )
    overlap = analysis.get_comm_comp_overlap(visualize=False).iloc[0]
    launches = analysis.get_cuda_kernel_launch_stats(visualize=False)[0]
    answers = {
        "span": float(temporal["kernel_time(us)"]),
        "idle": float(temporal["idle_time(us)"]),
        "compute": float(temporal["compute_time(us)"]),
        "hidden_percent": float(overlap["comp_comm_overlap_pctg"]),
        "launches": len(launches),
        "delay_median": float(launches["launch_delay"].median()) if len(launches) else None,
        "delay_sum": float(launches["launch_delay"].sum()),
        "kernels": {str(row["name"]): float(row["sum (us)"]) for _, row in kernels.iterrows()},
    }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:3])
