"""Measure `tp-tools fix` and the alternatives, as whole processes in one run.

    python -m benchmarks.fix TRACE.json.gz [--runs 5] [--nuggets CHECKOUT]

The plain converter is what most people pass around (see plain_converter.py), the floor the least
that any repair must do (see floor.py); with a checkout, transformer_nuggets' converter to
`.pftrace` takes part. Prints medians, spread, and ratios to the plain converter.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.measure import compare, table


def main() -> None:
    """Measure on one trace."""
    parser = argparse.ArgumentParser()
    parser.add_argument("trace")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--nuggets", metavar="CHECKOUT")
    given = parser.parse_args()
    trace = given.trace
    with tempfile.TemporaryDirectory() as folder:
        out, packets = str(Path(folder) / "out.json.gz"), str(Path(folder) / "out.pftrace")
        python = [sys.executable, "-m"]
        fix = [*python, "tp_tools", "fix", trace, "--force", "--quiet", "-o"]
        commands = {
            "plain converter": [*python, "benchmarks.plain_converter", trace, out],
            "floor": [*python, "benchmarks.floor", trace, out],
            "tp-tools fix": [*fix, out],
            "tp-tools fix --jobs 1": [*fix, out, "--jobs", "1"],
            "tp-tools fix --verify": [*fix, out, "--verify"],
            "tp-tools fix to .pftrace": [*fix, packets],
            "tp-tools info": [*python, "tp_tools", "info", trace, "--quiet"],
            "tp-tools --help": [*python, "tp_tools", "--help"],
        }
        if given.nuggets:
            side = [*python, "benchmarks.nuggets_side", given.nuggets, "convert"]
            commands["nuggets to .pftrace"] = [*side, trace, packets]
        results = compare(commands, given.runs)
    print(Path(trace).name)
    print(table(results, "plain converter"))


if __name__ == "__main__":
    main()
