"""Record pairs of one workload with the real profiler, and count what `diff` says of them.

    python -m benchmarks.real_pairs --python venv-with-torch/bin/python --pairs 40 --recordings 3

The workload is that of `fixtures/slow_repository.py --real`: five ops of PyTorch on the CPU. A side
of a pair has several recordings (`diff --each`), made in turn with those of the other sides. The
figures are of pairs of equal programs, in which a row that is said to be slower or faster is a
false alarm, and of pairs in which one op has 10 % more work, which is to be named first. Both mean
something only on a machine that does nothing else, so its load is printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import tp_tools
from fixtures.slow_repository import Plan, make
from tp_tools.comparison.model import CHANGED, OP
from tp_tools.comparison.repository import Commit, Repository

if TYPE_CHECKING:
    from tp_tools.comparison import Comparison

SLOWER = 1.1
"""Work of the slower op, as a multiple of what it was."""


def record(python: str, commit: str, repository: Path, trace: Path) -> None:
    """Record one run of a commit into a trace."""
    Repository(repository).checkout(Commit(commit, ""))
    trace.parent.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run(
            [python, "bench.py"],
            cwd=repository,
            env={**os.environ, "TP_TOOLS_TRACE_DIR": folder},
            check=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        shutil.move(Path(folder) / "trace.json", trace)


def changed(found: Comparison) -> list[str]:
    """Return the ops that are said to have changed, the largest difference first."""
    return [it.key.name for it in found.of(OP) if it.verdict in CHANGED]


def main() -> None:
    """Record, compare and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--python", required=True, help="a Python that has PyTorch")
    arguments.add_argument("--pairs", type=int, default=40)
    arguments.add_argument("--recordings", type=int, default=3, help="of a side")
    given = arguments.parse_args()
    python = str(Path(given.python).absolute())
    alarms: list[list[str]] = []
    named: list[bool] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        plan = Plan(commits=2, slow=1, broken=(), factor=SLOWER, real=True)
        before, after = make(place / "repository", plan)
        for number in range(given.pairs):
            sides = {name: place / f"{number}-{name}" for name in ("first", "second", "slow")}
            for run in range(given.recordings):
                for name in sorted(sides, reverse=run % 2 == 1):
                    commit = after if name == "slow" else before
                    record(python, commit, place / "repository", sides[name] / f"{run}.json")
            equal, other = (
                tp_tools.diff(sides["first"], sides[name], each=True) for name in ("second", "slow")
            )
            alarms.append(
                [
                    f"{it.key.name} {100 * (it.mean_b / it.mean_a - 1):+.1f} %"
                    for it in (equal.step, *equal.changes)
                    if it.verdict in CHANGED
                ]
            )
            named.append("aten::sort" in changed(other)[:1])
            print(f"{number}: alarms {alarms[-1]}, slower: {changed(other)}", flush=True)
    print(
        f"{sum(map(bool, alarms))} of {given.pairs} equal pairs have a false alarm. "
        f"The op with 10 % more work is named first in {sum(named)} of {given.pairs}. "
        f"Load: {os.getloadavg()[1]:.1f} on {os.cpu_count()} processors."
    )


if __name__ == "__main__":
    main()
