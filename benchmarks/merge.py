"""`tp-tools merge` against the plain way, as whole processes in one run.

    python -m benchmarks.merge TRACE.json.gz [RANKS] [RUNS]

Copies of a trace of rank 0 are the ranks. Prints medians, spread, and ratios to the plain way.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import compare, table
from fixtures.generate_ranks import copies


def main(trace: str, ranks: str = "8", runs: str = "3") -> None:
    """Measures on copies of one trace."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = [str(file) for file in copies(Path(trace), int(ranks), folder)]
        merge = [sys.executable, "-m", "tp_tools", "merge", *files, "--force", "--quiet", "-o"]
        commands = {
            "plain way": [
                *(sys.executable, "-m", "benchmarks.plain_merger"),
                *(str(folder / "plain.json.gz"), *files),
            ],
            "tp-tools merge": [*merge, str(folder / "all.json.gz")],
            "tp-tools merge --jobs 1": [*merge, str(folder / "all.json.gz"), "--jobs", "1"],
            "tp-tools merge .pftrace": [*merge, str(folder / "all.pftrace")],
        }
        results = compare(commands, int(runs))
    print(f"{ranks} x {Path(trace).name}")
    print(table(results, "plain way"))


if __name__ == "__main__":
    main(*sys.argv[1:])
