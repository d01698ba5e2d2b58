"""How long each query of the library takes on a trace, the load aside.

    python -m benchmarks.queries TRACE.json.gz [--runs 5]

The trace is repaired and loaded once, whole, into the embedded engine; then the queries run in
turn. Each creates its tables anew, as when it is pasted into the UI.
"""

from __future__ import annotations

import argparse
import statistics
import time
from pathlib import Path

import tp_tools
from tp_tools import queries


def seconds(trace: Path, runs: int) -> dict[str, list[float]]:
    """Wall time of every run, by query."""
    taken: dict[str, list[float]] = {name: [] for name in queries.library()}
    with tp_tools.open_trace(trace) as tp:
        for _ in range(runs):
            for name, path in queries.library().items():
                start = time.perf_counter()
                queries.run_rows(tp, path)
                taken[name].append(time.perf_counter() - start)
    return taken


def main() -> None:
    """Print a row per query: the median of its runs and the slowest, in seconds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("trace", type=Path)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print("| query | median, s | slowest, s |\n|---|---|---|")
    for name, taken in seconds(options.trace, options.runs).items():
        print(f"| `{name}` | {statistics.median(taken):.2f} | {max(taken):.2f} |")


if __name__ == "__main__":
    main()
