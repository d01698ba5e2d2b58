"""Print the numbers of PyTorch's TensorBoard plugin on a trace as JSON, in a Python that has it.

    PYTHON plugin_side.py TRACE

The plugin is torch-tb-profiler; it needs pandas below 3.
"""

import json
import logging
import sys
import warnings

warnings.filterwarnings("ignore")
logging.disable(logging.CRITICAL)

from torch_tb_profiler.profiler.data import RunProfileData  # noqa: E402  it logs on import


def main(trace: str) -> None:
    """Print one JSON object; times in us."""
    run = RunProfileData.parse("worker", None, trace, None)
    kernels, gpu = run.kernel_stat, run.gpu_metrics_parser
    answers = {
        "numbers": {
            "GPU utilization, %": 100 * sum(it for it in gpu.gpu_utilization if it is not None),
            "occupancy of the GPU, %": sum(
                it for it in gpu.avg_occupancy_per_device if it is not None
            ),
        },
        "by name": {
            label: {str(name): float(value) for name, value in kernels[column].items()}
            for label, column in {
                "calls of a kernel": "count",
                "time of a kernel, us": "sum",
                "blocks per SM of a kernel": "blocks_per_sm",
                "occupancy of a kernel, %": "occupancy",
            }.items()
        },
    }
    if run.memory_snapshot is not None:
        for (kind, device), peak in run.memory_snapshot.get_peak_memory().items():
            answers["numbers"][f"peak of memory, {'CPU' if kind == 0 else f'GPU {device}'}"] = peak
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
