"""Compare `.pftrace` with JSON: time and memory of writing it, its size, how fast it loads.

    python -m benchmarks.pftrace TRACE.json.gz [RUNS]

Writing is measured as whole processes, against the plain converter; loading in this process, in the
embedded engine, as CPU time: the best of the runs.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measure import compare, table
from tp_tools import engine
from tp_tools.files.source import Source

MEGABYTE = 1e6


def write(trace: str, folder: Path, runs: int) -> None:
    """Print times of writing, and sizes of the results."""
    fix = [sys.executable, "-m", "tp_tools", "fix", trace, "--force", "--quiet", "-o"]
    outputs = {name: str(folder / f"out{name}") for name in (".json.gz", ".pftrace", ".pftrace.gz")}
    plain = str(folder / "plain.json.gz")
    results = compare(
        {
            "plain converter": [sys.executable, "-m", "benchmarks.plain_converter", trace, plain],
            **{f"tp-tools fix to {name}": [*fix, out] for name, out in outputs.items()},
        },
        runs,
    )
    print(table(results, "plain converter"))
    print()
    for path in map(Path, (trace, plain, *outputs.values())):
        print(f"{path.name:44}{path.stat().st_size / MEGABYTE:>8.2f} MB")


def load(paths: list[Path], runs: int) -> None:
    """Print times of loading, in turn, so that a drift of the machine meets all."""
    texts = {path: b"".join(Source(path, path.name).blocks()) for path in paths}
    best = dict.fromkeys(paths, float("inf"))
    for _ in range(runs + 1):
        for path, text in texts.items():
            start = time.process_time()
            engine.load([text], source=path.name, engine="embedded32").close()
            best[path] = min(best[path], time.process_time() - start)
    for path, seconds in best.items():
        print(f"{path.name:44}{seconds:>8.2f} s{seconds / best[paths[0]]:>8.2f}")


def main(trace: str, runs: str = "5") -> None:
    """Measure on one trace."""
    print(Path(trace).name)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write(trace, folder, int(runs))
        print("\nloading, and the ratio to JSON")
        load([folder / f"out{name}" for name in (".json.gz", ".pftrace", ".pftrace.gz")], int(runs))


if __name__ == "__main__":
    main(*sys.argv[1:])
