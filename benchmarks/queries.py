"""Measure how long each query of the library takes on a trace, the load aside.

    python -m benchmarks.queries TRACE.json.gz [--runs 5]
    python -m benchmarks.large TRACE.json.gz 62.json.gz 62
    python -m benchmarks.large TRACE.json.gz 250.json.gz 250
    python -m benchmarks.queries 62.json.gz 250.json.gz
    python -m benchmarks.queries TRACE.json.gz --together kernels,streams,gaps

The trace is repaired and loaded once, whole, into the embedded engine; then the queries run in
turn. Each creates its tables anew, as when it is pasted into the UI; queries that include modules
share these in a session, and take less after the first. The engine runs in this
process on one core, so on a machine with nothing else to do CPU and wall time are the same. Of two
traces the CPU times stand side by side, with the growth from the first to the second. With
`--together` these queries alone run in turn in one session, a new one for each run, and share
modules; the last row is their sum.
"""

from __future__ import annotations

import argparse
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path

import tp_tools
from tp_tools import engine, library


@dataclass
class Taken:
    """Times of the runs of one query, in seconds."""

    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)


def seconds(trace: Path, runs: int) -> dict[str, Taken]:
    """Return the times of all runs, by query."""
    texts = {name: library.expand(library.read(it)) for name, it in library.queries().items()}
    taken = {name: Taken() for name in texts}
    with tp_tools.open_trace(trace) as tp:
        for _ in range(runs):
            for name, text in texts.items():
                wall, cpu = time.perf_counter(), time.process_time()
                engine.query_rows(tp, text)
                taken[name].cpu.append(time.process_time() - cpu)
                taken[name].wall.append(time.perf_counter() - wall)
    return taken


def together(trace: Path, names: list[str], runs: int) -> dict[str, Taken]:
    """Return the times of queries that share a session, one for each run, and of all of them."""
    found = library.queries()
    taken = {name: Taken() for name in [*names, "all"]}
    for _ in range(runs):
        with tp_tools.open_trace(trace) as tp:
            begun = time.perf_counter(), time.process_time()
            for name in names:
                wall, cpu = time.perf_counter(), time.process_time()
                engine.run_file(tp, found[name])
                taken[name].cpu.append(time.process_time() - cpu)
                taken[name].wall.append(time.perf_counter() - wall)
            taken["all"].wall.append(time.perf_counter() - begun[0])
            taken["all"].cpu.append(time.process_time() - begun[1])
    return taken


def main() -> None:
    """Print a row per query: the medians of its runs, in seconds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("traces", type=Path, nargs="+")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--together", metavar="NAMES", help="names with commas between them")
    options = parser.parse_args()
    small, *large = [
        together(trace, options.together.split(","), options.runs)
        if options.together
        else seconds(trace, options.runs)
        for trace in options.traces[:2]
    ]
    print(
        f"| query | CPU, s | {'CPU, s | growth' if large else 'wall, s'} |\n|---|---|---|", end=""
    )
    print("---|" if large else "")
    for name, taken in small.items():
        cpu, wall = statistics.median(taken.cpu), statistics.median(taken.wall)
        if large:
            grown = statistics.median(large[0][name].cpu)
            print(f"| `{name}` | {cpu:.2f} | {grown:.2f} | {grown / cpu:.1f} |")
        else:
            print(f"| `{name}` | {cpu:.2f} | {wall:.2f} |")


if __name__ == "__main__":
    main()
