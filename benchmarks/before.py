"""Measure a command of this checkout and of an earlier one, side by side.

    git worktree add --detach EARLIER COMMIT
    python -m benchmarks.before EARLIER [--runs 15] -- fix TRACE -o OUT --force

A ratio of 1.05 says that the command takes 5 % more now; see `measure.ratios`. Both checkouts run
with the libraries of this Python; compile both first (`python -m compileall -q EARLIER .`).
"""

from __future__ import annotations

import argparse
import math
import sys
from pathlib import Path

from benchmarks.measure import ratios, rounds

_START = """
import runpy, sys
sys.path.insert(0, sys.argv.pop(1))
runpy.run_module("tp_tools", run_name="__main__", alter_sys=True)
"""


def main() -> None:
    """Print the ratios of one command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("earlier", type=Path)
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("line", nargs="+", metavar="COMMAND")
    given = parser.parse_args()
    folders = {"earlier": given.earlier.resolve(), "now": Path(__file__).resolve().parents[1]}
    commands = {
        name: [sys.executable, "-c", _START, str(folder), *given.line]
        for name, folder in folders.items()
    }
    print(f"tp-tools {' '.join(given.line)}")
    print(ratios(rounds(commands, given.runs, minutes=given.minutes), "earlier"))


if __name__ == "__main__":
    main()
