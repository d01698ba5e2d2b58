"""Compare the SQL library with HolisticTraceAnalysis (HTA), number by number, on the same trace.

    python -m venv /some/folder && /some/folder/bin/pip install HolisticTraceAnalysis
    python -m benchmarks.against_hta --hta /some/folder/bin/python TRACE.json.gz...

HTA stands in two columns: as it comes, and with its rounding of nanoseconds off and the last
ProfilerStep kept, which is the nearest it gets to the trace as recorded. docs/sql.md says where
and why the two differ.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

import tp_tools
from tp_tools import engine, library
from tp_tools.querying.frames import frame

SIDE = Path(__file__).with_name("hta_side.py")
LAUNCHES = ("cudaLaunchKernel", "cudaLaunchKernelExC", "cudaMemcpyAsync", "cudaMemsetAsync")
"""The calls that HTA's launch statistics look at."""

Answers = dict[str, Any]
METRICS = {
    "kernel names": "names",
    "kernels, copies, memsets, summed, us": "total",
    "span of the GPU, us": "span",
    "idle, us": "idle",
    "compute, union, us": "compute",
    "communication hidden behind compute, %": "hidden_percent",
    "launches": "launches",
    "launch delay, median, us": "delay_median",
    "launch delay, summed, us": "delay_sum",
}


def hta(python: str, trace: Path, *, exact: bool) -> Answers:
    """Return HTA's answers; none but `error` if it fails on the trace."""
    environment = os.environ | ({"HTA_DISABLE_NS_ROUNDING": "1"} if exact else {})
    command = [python, str(SIDE), str(trace), "1" if exact else "0"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        return {"error": done.stderr.strip().splitlines()[-1]}
    answers: Answers = json.loads(done.stdout[done.stdout.index("{") :])
    kernels = answers["kernels"]
    return answers | {"names": len(kernels), "total": sum(kernels.values())}


def tp_tools_answers(trace: Path) -> Answers:
    """Return the same from the SQL library; a launch delay begins when the call has returned."""
    with tp_tools.open_trace(trace) as tp:
        frames = {
            name: frame(engine.run_file(tp, library.queries()[name]))
            for name in ("kernels", "gpu_time", "comm_overlap", "launches")
        }
    (gpu,) = frames["gpu_time"].to_dict("records")
    (overlap,) = frames["comm_overlap"].to_dict("records")
    launches = frames["launches"]
    seen = launches[launches["launch_name"].isin(LAUNCHES)]
    delays = [max(0, it) / 1000 for it in seen["delay_ns"] - seen["launch_dur"]]
    kernels = frames["kernels"]
    return {
        "names": kernels["name"].nunique(),
        "total": kernels["total_ns"].sum() / 1000,
        "span": gpu["span_ns"] / 1000,
        "idle": gpu["idle_ns"] / 1000,
        "compute": gpu["compute_ns"] / 1000,
        "hidden_percent": overlap["hidden_percent"],
        "launches": len(delays),
        "delay_median": statistics.median(delays) if delays else None,
        "delay_sum": sum(delays),
        "kernels": dict(zip(kernels["name"], kernels["total_ns"] / 1000, strict=True)),
    }


def compared(trace: Path, rounded: Answers, exact: Answers, ours: Answers) -> Table:
    """Write both sides, a row per number."""
    table = Table("", "HTA", "HTA, unrounded, all steps", "tp-tools", title=trace.name)
    for title, key in METRICS.items():
        table.add_row(title, *(_shown(side.get(key)) for side in (rounded, exact, ours)))
    theirs = exact.get("kernels", {})
    names = theirs.keys() | ours["kernels"].keys()
    equal = sum(abs(theirs.get(it, -1) - ours["kernels"].get(it, -1)) < 0.001 for it in names)
    table.add_row("kernel names with the same total", "", _shown(equal), _shown(len(names)))
    return table


def _shown(value: float | None) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else f"{value:,.3f}"


def main() -> None:
    """Print a table per trace."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--hta", required=True, help="the Python that has HTA installed")
    parser.add_argument("traces", nargs="+", type=Path)
    options = parser.parse_args()
    console = Console(width=120)
    for trace in options.traces:
        rounded, exact = (hta(options.hta, trace, exact=exact) for exact in (False, True))
        console.print(compared(trace, rounded, exact, tp_tools_answers(trace)))
        for error in {side["error"] for side in (rounded, exact) if "error" in side}:
            console.print(f"HTA failed: {error}")


if __name__ == "__main__":
    main()
