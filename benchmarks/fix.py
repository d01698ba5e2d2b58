"""`tp-tools fix` against the plain converter, as whole processes in one run.

    python -m benchmarks.fix TRACE.json.gz [RUNS]

Prints medians, spread, and the ratio to the plain converter, in time and peak memory.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from benchmarks.measure import compare, table


def main(trace: str, runs: str = "5") -> None:
    """Measures on one trace."""
    with tempfile.TemporaryDirectory() as folder:
        out = str(Path(folder) / "out.json.gz")
        fix = [sys.executable, "-m", "tp_tools", "fix", trace, "-o", out, "--force", "--quiet"]
        results = compare(
            {
                "plain converter": [
                    *(sys.executable, "-m", "benchmarks.plain_converter", trace, out),
                ],
                "tp-tools fix": fix,
                "tp-tools fix --verify": [*fix, "--verify"],
                "tp-tools --help": [sys.executable, "-m", "tp_tools", "--help"],
            },
            int(runs),
        )
    print(Path(trace).name)
    print(table(results, "plain converter"))


if __name__ == "__main__":
    main(*sys.argv[1:])
