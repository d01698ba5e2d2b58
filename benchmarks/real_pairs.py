"""Record pairs of one workload with the real profiler, and count what `diff` says of them.

    python -m benchmarks.real_pairs --python venv-with-torch/bin/python --pairs 40

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

SERVER = """
import importlib, os, runpy, sys
sys.dont_write_bytecode = True  # of two commits in one second, the second's would not be read
import torch

def run(folder, repository):
    os.environ["TP_TOOLS_TRACE_DIR"] = folder
    os.chdir(repository)
    sys.path.insert(0, repository)
    runpy.run_path("bench.py")

def fork(work):
    if child := os.fork():
        return os.waitpid(child, 0)[1]
    work()
    os._exit(0)

def first(names, *where):
    run(*where)
    with open(names, "w") as file:
        file.write(chr(10).join(sys.modules))

for line in sys.stdin:
    *names, folder, repository = line.rstrip(chr(10)).split(chr(9))
    failed = fork(lambda: (first if names else run)(*names, folder, repository))
    for name in open(names[0]).read().split() if names and not failed else ():
        if name.startswith("torch."):
            importlib.import_module(name)
    print(failed, flush=True)
"""
"""Run by the Python that has PyTorch: a line of stdin is a run of `bench.py`, in a fork."""


class Recorder:
    """Records runs of commits, each in a fork of one process that has imported PyTorch.

    A run takes 0.2 s, and the imports before it 5 s. The first run, which is not kept, tells which
    modules of PyTorch are imported while it runs.
    """

    def __init__(self, python: str, repository: Path, folder: Path) -> None:
        self._repository = repository
        self._server = subprocess.Popen(
            [python, "-c", SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        (folder / "first").mkdir()
        self._run(str(folder / "names"), str(folder / "first"))

    def _run(self, *where: str) -> None:
        """Run `bench.py` and wait for its end."""
        server = self._server
        assert server.stdin is not None
        assert server.stdout is not None
        server.stdin.write("\t".join((*where, str(self._repository))) + "\n")
        server.stdin.flush()
        # Lines before the last are what the workload prints.
        while (line := server.stdout.readline().strip()) and not line.isdigit():
            pass
        if line != "0":
            raise SystemExit("bench.py failed: is PyTorch in this Python?")

    def record(self, commit: str, trace: Path) -> None:
        """Record one run of a commit into a trace."""
        Repository(self._repository).checkout(Commit(commit, ""))
        trace.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory() as folder:
            self._run(folder)
            shutil.move(Path(folder) / "trace.json", trace)


def changed(found: Comparison) -> list[str]:
    """Return the ops that are said to have changed, the largest difference first."""
    return [it.key.name for it in found.of(OP) if it.verdict in CHANGED]


def main() -> None:
    """Record, compare and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--python", required=True, help="a Python that has PyTorch")
    arguments.add_argument("--pairs", type=int, default=40)
    arguments.add_argument("--recordings", type=int, default=10, help="of a side")
    given = arguments.parse_args()
    alarms: list[list[str]] = []
    named: list[bool] = []
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        plan = Plan(commits=2, slow=1, broken=(), factor=SLOWER, real=True)
        before, after = make(place / "repository", plan)
        recorder = Recorder(str(Path(given.python).absolute()), place / "repository", place)
        for number in range(given.pairs):
            sides = {name: place / f"{number}-{name}" for name in ("first", "second", "slow")}
            for run in range(given.recordings):
                for name in sorted(sides, reverse=run % 2 == 1):
                    commit = after if name == "slow" else before
                    recorder.record(commit, sides[name] / f"{run}.json")
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
