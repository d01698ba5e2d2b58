"""Measure what each setting of the process gains: a command with and without it, side by side.

    python -m benchmarks.settings [--runs 15] [--only NAME] -- fix TRACE -o OUT --force

In each round the command runs once with all settings, and once without each (`benchmarks.without`).
A ratio of 1.05 says that the command takes 5 % more without the setting; see `measure.ratios`.
"""

from __future__ import annotations

import argparse
import math
import sys

from benchmarks.measure import ratios, rounds
from benchmarks.without import OFF

BASE = "none"


def main() -> None:
    """Print a row per setting."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--minutes", type=float, default=math.inf)
    parser.add_argument("--only", choices=[*OFF], action="append")
    parser.add_argument("line", nargs="+", metavar="COMMAND")
    given = parser.parse_args()
    names = given.only or [name for name in OFF if name != BASE]
    start = [sys.executable, "-m", "benchmarks.without"]
    commands = {"all settings": [*start, BASE, *given.line]}
    commands |= {f"without {name}": [*start, name, *given.line] for name in names}
    print(f"tp-tools {' '.join(given.line)}")
    print(ratios(rounds(commands, given.runs, minutes=given.minutes), "all settings"))


if __name__ == "__main__":
    main()
