"""Measure how time and memory of `tp-tools fix` grow with a trace of the same structure.

    python -m benchmarks.scale TRACE.json.gz FOLDER 250 500 1000 [--plain 1000] [--to .pftrace]

The sizes are of the JSON text, in MB (1e6); the traces are made once, in FOLDER, and kept. Up to
the size of --plain the plain converter and the floor are measured as well, in the same run: both
hold the whole trace in memory, the converter eight times over.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import large
from benchmarks.measure import peak, run


def main() -> None:
    """Measure each size once for memory and once for time."""
    parser = argparse.ArgumentParser()
    parser.add_argument("trace")
    parser.add_argument("folder", type=Path)
    parser.add_argument("sizes", type=int, nargs="+")
    parser.add_argument("--plain", type=int, default=0, metavar="MB")
    parser.add_argument("--to", default=".json.gz", metavar="SUFFIX")
    given = parser.parse_args()
    print(f"{'':28}{'MB of text':>12}{'seconds':>10}{'s per GB':>10}{'CPU s':>8}{'MB':>8}")
    for size in given.sizes:
        trace = given.folder / f"{size}.json.gz"
        if not trace.exists():
            large.main(given.trace, str(trace), str(size))
        out = str(given.folder / f"out{given.to}")
        python = [sys.executable, "-m"]
        fix = [*python, "tp_tools", "fix", str(trace), "--force", "--quiet", "-o", out]
        commands = {"tp-tools fix": fix, "tp-tools fix --jobs 1": [*fix, "--jobs", "1"]}
        if size <= given.plain:
            for name in ("plain_converter", "floor"):
                commands[name] = [*python, f"benchmarks.{name}", str(trace), out]
        for name, command in commands.items():
            megabytes = peak(command)
            seconds, busy = run(command)
            print(
                f"{name:28}{size:>12}{seconds:>10.2f}{seconds / size * 1000:>10.2f}"
                f"{busy:>8.1f}{megabytes:>8.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
