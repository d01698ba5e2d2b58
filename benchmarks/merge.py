"""Measure `tp-tools merge` and the plain way, as whole processes in one run.

    python -m benchmarks.merge TRACE.json.gz [--ranks 8] [--runs 3] [--clocks]
        [--nuggets CHECKOUT] [--torch-utils CHECKOUT]

Copies of a trace of rank 0 are the ranks; with --clocks each has a clock of its own (see
clocks.py). With checkouts, transformer_nuggets' merger and that of
torch_utils take part. Prints medians, spread, and ratios to the plain way.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from benchmarks.clocks import give_own_clocks
from benchmarks.measure import compare, table
from fixtures.generate_ranks import copies


def main() -> None:
    """Measure on copies of one trace."""
    parser = argparse.ArgumentParser()
    parser.add_argument("trace", type=Path)
    parser.add_argument("--ranks", type=int, default=8)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--clocks", action="store_true")
    parser.add_argument("--nuggets", metavar="CHECKOUT")
    parser.add_argument("--torch-utils", metavar="CHECKOUT")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ranks = copies(given.trace, given.ranks, folder)
        if given.clocks:
            give_own_clocks(ranks)
        files = [str(file) for file in ranks]
        out = str(folder / "all.json.gz")
        python = [sys.executable, "-m"]
        merge = [*python, "tp_tools", "merge", *files, "--force", "--quiet", "-o"]
        commands = {
            "plain way": [*python, "benchmarks.plain_merger", out, *files],
            "tp-tools merge": [*merge, out],
            "tp-tools merge --jobs 1": [*merge, out, "--jobs", "1"],
            "tp-tools merge .pftrace": [*merge, str(folder / "all.pftrace")],
        }
        if given.nuggets:
            side = [*python, "benchmarks.nuggets_side", given.nuggets, "merge"]
            commands["nuggets"] = [*side, out, *files]
        if given.torch_utils:
            side = [*python, "benchmarks.torch_utils_side", given.torch_utils]
            commands["torch_utils"] = [*side, out, *files]
        results = compare(commands, given.runs)
    print(f"{given.ranks} x {given.trace.name}")
    print(table(results, "plain way"))


if __name__ == "__main__":
    main()
