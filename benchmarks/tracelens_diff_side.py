"""Print what TraceLens' TraceDiff says of two traces as JSON, in a Python that has it.

PYTHON tracelens_diff_side.py A B
"""

import contextlib
import json
import sys
import time
import warnings

warnings.filterwarnings("ignore")
with contextlib.redirect_stdout(sys.stderr):
    from TraceLens import TraceDiff, TreePerfAnalyzer


def main(a: str, b: str) -> None:
    """Print one JSON object: us of each kernel in both traces, and CPU seconds."""
    start = time.process_time()
    with contextlib.redirect_stdout(sys.stderr):
        found = TraceDiff(*(TreePerfAnalyzer.from_file(it).tree for it in (a, b)))
        found.generate_tracediff_report()
    us: dict[str, list[float]] = {}
    for name, source, taken in found.diff_stats_df[["name", "source", "kernel_time"]].itertuples(
        index=False
    ):
        us.setdefault(str(name), [0.0, 0.0])[source == "trace2"] += float(taken)
    json.dump({"us": us, "cpu_s": time.process_time() - start}, sys.stdout)


if __name__ == "__main__":
    main(*sys.argv[1:])
