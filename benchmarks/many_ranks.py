"""Measure how the work that is done on one machine grows with the number of ranks of a job.

    python -m benchmarks.many_ranks 64 256 1024 [--steps 20] [--args none seq] [--ask FOLDER]

Ranks are generated columns of collectives: what a cluster sends to the machine that asks. They are
put on one clock, in a process of its own for each number of ranks. With --ask the same ranks are
written as traces of collectives alone into FOLDER, and `tp-tools query stragglers` is asked.
"""

from __future__ import annotations

import argparse
import os
import pickle
import sys
import time
from pathlib import Path

from benchmarks.cluster import run
from fixtures.generate_ranks import ARGS, Wishes, generate, structure, written
from tests.support import generated
from tp_tools.alignment import align


def print_fit_cost(ranks: int, steps: int, args: str) -> None:
    """Align a job, in a process of its own, and print its cost and what came of it."""
    members = generated.ranks(generated.job(ranks=ranks, steps=steps, args=args, seed=2))
    rows = sum(len(it.collectives.ts) for it in members)
    sent = sum(len(pickle.dumps(it.collectives, pickle.HIGHEST_PROTOCOL)) for it in members)
    began = time.process_time()
    found = align(members, "auto")
    busy = time.process_time() - began
    fitted = sum(it.how == "collectives" for it in found.ranks)
    print(
        f"{ranks:>7}{args:>10}{rows:>12,}{sent / rows:>8.0f}{busy:>10.1f}"
        f"{busy / ranks * 1000:>10.1f}{fitted:>9}",
        end="",
        flush=True,
    )


def print_answer_cost(ranks: int, steps: int, args: str, folder: Path) -> None:
    """Ask who came late to the collectives of a job, and print what that cost."""
    folder.mkdir(parents=True)
    wishes = Wishes(ranks=ranks, steps=steps, args=args, seed=2, only_collectives=True)
    for _ in written(generate(structure(generated.STEP), wishes), folder):
        pass
    ran = run([sys.executable, "-m", "tp_tools", "query", "stragglers", str(folder), "--quiet"])
    print(f"{ran.busy:>12.1f}{ran.busy / ranks * 1000:>10.1f}{ran.megabytes:>8.0f}", end="")


def main() -> None:
    """Measure each number of ranks in a process of its own."""
    parser = argparse.ArgumentParser()
    parser.add_argument("ranks", type=int, nargs="+")
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--args", choices=ARGS, nargs="+", default=["none", "seq"])
    parser.add_argument("--ask", type=Path, metavar="FOLDER")
    given = parser.parse_args()
    head = (
        f"{'ranks':>7}{'args':>10}{'rows':>12}{'B/row':>8}{'CPU s':>10}{'ms/rank':>10}{'fitted':>9}"
    )
    more = f"{'asked CPU s':>12}{'ms/rank':>10}{'MB':>8}" if given.ask else ""
    print(f"{head}{'MB':>8}{more}", flush=True)
    for args in given.args:
        for ranks in given.ranks:
            child = os.fork()
            if not child:
                print_fit_cost(ranks, given.steps, args)
                os._exit(0)
            usage = os.wait4(child, 0)[2]
            print(f"{usage.ru_maxrss * 1024 / 1e6:>8.0f}", end="", flush=True)
            if given.ask:
                print_answer_cost(ranks, given.steps, args, given.ask / f"{ranks}{args}")
            print(flush=True)


if __name__ == "__main__":
    main()
