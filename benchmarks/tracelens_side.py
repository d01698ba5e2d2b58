"""Print TraceLens' numbers of a trace as JSON, in a Python that has it.

    PYTHON tracelens_side.py TRACE

TraceLens is no package of that name on PyPI: github.com/AMD-AGI/TraceLens, `pip install -e`.
"""

import contextlib
import json
import sys
import warnings

warnings.filterwarnings("ignore")
with contextlib.redirect_stdout(sys.stderr):
    from TraceLens import TreePerfAnalyzer


SAME = {
    "aten::_scaled_dot_product_flash_attention": "aten::_flash_attention_forward",
    "aten::batch_norm": "aten::native_batch_norm",
    "aten::convolution": "aten::_convolution",
    "aten::layer_norm": "aten::native_layer_norm",
    "vllm::rocm_unquantized_gemm": "aten::mm",
}
"""Ops of which TraceLens counts the outer, tp-tools the inner one."""


def main(trace: str) -> None:
    """Print one JSON object: times in us, operations and bytes by op."""
    with contextlib.redirect_stdout(sys.stderr):
        analyzer = TreePerfAnalyzer.from_file(trace)
        timeline = analyzer.get_df_gpu_timeline()
        table = analyzer.build_df_unified_perf_table()
    ms = dict(zip(timeline["type"], timeline["time ms"], strict=True))
    by_name: dict[str, dict[str, float]] = {}
    if "GFLOPS" in table:
        known = table[table["GFLOPS"].notna() | table["Data Moved (MB)"].notna()]
        known = known.assign(name=known["name"].replace(SAME))
        sums = known.groupby("name")[["GFLOPS", "Data Moved (MB)", "Kernel Time (µs)"]].sum()
        scales = {"operations": 1e9, "bytes": 1024**2, "GPU time of an op, us": 1.0}
        by_name = {
            label: {str(name): float(value * scale) for name, value in sums[column].items()}
            for (label, scale), column in zip(scales.items(), sums.columns, strict=True)
        }
    answers = {
        "numbers": {
            "span of the GPU, us": 1000 * ms["total_time"],
            "busy, us": 1000 * ms["busy_time"],
            "compute, us": 1000 * ms["computation_time"],
            "exposed communication, us": 1000 * ms["exposed_comm_time"],
            "exposed copies, us": 1000 * ms["exposed_memcpy_time"],
        },
        "by name": by_name,
    }
    json.dump(answers, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
