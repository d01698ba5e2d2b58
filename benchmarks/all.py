"""Measure everything beside the plain ways in one run, and write the tables of docs/performance.md.

    python -m benchmarks.all TRACE.json.gz SMALL.json.gz RANK0.json.gz [--runs 7] [--only TABLE]
        [--nuggets CHECKOUT] [--torch-utils CHECKOUT]

Each table stands between `<!-- table NAME -->` and `<!-- end of table -->`; TRACE is the xDiT trace
there, SMALL that of SGLang with 37 kB, RANK0 that of B200, whose copies are 8 ranks with clocks of
their own. Ratios are to the first row, of medians: of wall time and of CPU time of all processes.
"""

from __future__ import annotations

import argparse
import re
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.clocks import give_own_clocks
from benchmarks.measure import compare
from fixtures.generate_ranks import copies

if TYPE_CHECKING:
    from collections.abc import Mapping

    from benchmarks.measure import Runs

PAGE = Path(__file__).parents[1] / "docs" / "performance.md"
RANKS = 8

Commands = dict[str, list[str]]


def commands(given: argparse.Namespace, folder: Path) -> dict[str, Commands]:
    """List the commands of each table, the one that others are compared with first."""
    out, packets = str(folder / "out.json.gz"), str(folder / "out.pftrace")
    ranks = copies(Path(given.rank0), RANKS, folder)
    give_own_clocks(ranks)
    files = [str(file) for file in ranks]
    python = [sys.executable, "-m"]
    ours = [*python, "tp_tools"]
    written = ["--force", "--quiet", "-o"]
    fix, merge = [*ours, "fix", given.trace, *written], [*ours, "merge", *files, *written]
    tables: dict[str, Commands] = {
        "one": {
            "plain converter": [*python, "benchmarks.plain_converter", given.trace, out],
            "floor": [*python, "benchmarks.floor", given.trace, out],
            "`fix`": [*fix, out],
            "`fix --jobs 1`": [*fix, out, "--jobs", "1"],
            "`fix --verify`": [*fix, out, "--verify"],
            "`fix` to `.pftrace`": [*fix, packets],
            "`info`": [*ours, "info", given.trace, "--quiet"],
            "`query kernels`": [*ours, "query", "kernels", given.trace],
            "all of it loaded as it is (`query --raw`)": [
                *(*ours, "query", "--raw", "-e"),
                *("SELECT COUNT(*) AS slices FROM slice", given.trace),
            ],
            "`report`": [*ours, "report", given.trace, *written, str(folder / "report.html")],
        },
        "small": {
            "`import numpy`": [sys.executable, "-c", "import numpy"],
            "`--help`": [*ours, "--help"],
            "`fix`": [*ours, "fix", given.small, *written, out],
            "`query kernels`": [*ours, "query", "kernels", given.small],
        },
        "ranks": {
            "plain way": [*python, "benchmarks.plain_merger", out, *files],
            "`merge`": [*merge, out],
            "`merge --jobs 1`": [*merge, out, "--jobs", "1"],
            "`merge` to `.pftrace`": [*merge, packets],
            "`query allreduce,stragglers`": [*ours, "query", "allreduce,stragglers", *files],
            "`query kernels`": [*ours, "query", "kernels", *files],
        },
    }
    if given.nuggets:
        side = [*python, "benchmarks.nuggets_side", given.nuggets]
        tables["one"]["transformer_nuggets"] = [*side, "convert", given.trace, packets]
        tables["ranks"]["transformer_nuggets"] = [*side, "merge", out, *files]
    if given.torch_utils:
        side = [*python, "benchmarks.torch_utils_side", given.torch_utils]
        tables["ranks"]["torch_utils"] = [*side, "merge", out, *files]
    return tables


def written_table(results: Mapping[str, Runs]) -> str:
    """Write the results of a table in Markdown; ratios are to the first row."""
    first = next(iter(results.values()))
    seconds, busy = statistics.median(first.seconds), statistics.median(first.busy)
    lines = ["| | seconds | ratio | CPU s | ratio | memory |", "|---|---|---|---|---|---|"]
    for name, runs in results.items():
        wall, cpu = statistics.median(runs.seconds), statistics.median(runs.busy)
        spread = f"{wall:.2f} ({min(runs.seconds):.2f} to {max(runs.seconds):.2f})"
        ratios = f"{wall / seconds:.2f} | {cpu:.2f} | {cpu / busy:.2f}"
        lines.append(f"| {name} | {spread} | {ratios} | {runs.megabytes:.0f} MB |")
    return "\n".join(lines)


def with_table(page: str, name: str, table: str) -> str:
    """Put a table into the page, in the place of the one of its name.

    Raises:
        ValueError: the page has no place for it.
    """
    place = re.compile(rf"(<!-- table {name} -->\n).*?(\n<!-- end of table -->)", re.DOTALL)
    page, found = place.subn(lambda match: match[1] + table + match[2], page)
    if found != 1:
        raise ValueError(f"{found} places for the table {name}")
    return page


def main() -> None:
    """Measure each table, and write it as soon as it is measured."""
    parser = argparse.ArgumentParser()
    for name in ("trace", "small", "rank0"):
        parser.add_argument(name)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--only", action="append", metavar="TABLE")
    parser.add_argument("--nuggets", metavar="CHECKOUT")
    parser.add_argument("--torch-utils", metavar="CHECKOUT")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        tables = commands(given, Path(folder))
        for name in given.only or tables:
            table = written_table(compare(tables[name], given.runs))
            print(f"{name}, {given.runs} runs in turn\n{table}\n", flush=True)
            PAGE.write_text(with_table(PAGE.read_text(), name, table))


if __name__ == "__main__":
    main()
