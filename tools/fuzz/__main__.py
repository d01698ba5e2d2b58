"""Fuzz the commands with mutated inputs.

    python -m tools.fuzz                          200,000 inputs
    python -m tools.fuzz --count 150 --seed 7     a short run
    python -m tools.fuzz --kind merge             the merges among the inputs
    python -m tools.fuzz --first 8000             from this input on, where a run was stopped
    python -m tools.fuzz --only 1234              one input again, which is left in ./fuzz-1234/

An input ends in success or in one line with exit code 3, in time; whatever is written loads into
TraceProcessor without losses that the input had not, and shows each slice to the nanosecond. A
seed and a number decide an input, however many processes run. A process that dies or hangs costs
its input alone. Ctrl-C ends the run with its figures. Exit code 1 if anything was wrong.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from tools.fuzz.check import KINDS, kind_of, run
from tools.fuzz.corpus import corpus
from tp_tools.processes.bound import bound

if TYPE_CHECKING:
    from collections.abc import Collection

COUNT = 200_000
SAID_EACH = 1000
"""Inputs after which the run says how far it is."""
LONGEST_S = 120
"""Seconds after which an input counts as one that hangs."""


def serve(first: int, stop: int, step: int, seed: int, kinds: Collection[str]) -> None:
    """Run inputs first, first + step, ... of these kinds; print number, kind and faults of each."""
    whole = corpus()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        os.environ["TMPDIR"] = name
        tempfile.tempdir = None
        for number in range(first, stop, step):
            if kind_of(number, seed) not in kinds:
                continue
            signal.alarm(LONGEST_S)  # the default handler ends this process
            print(f"began\t{number}", flush=True)
            ran = run(number, seed, whole)
            faults = [" ".join(it.split()) for it in ran.faults]
            print("\t".join(["ended", str(number), ran.kind, *faults]), flush=True)
            for path in Path().iterdir():
                path.unlink() if path.is_file() else shutil.rmtree(path)
        os.chdir("/")


class Fuzzer:
    """Run inputs in several processes, and count how they end."""

    def __init__(self, seed: int, processes: int, kind: str | None) -> None:
        """Take the seed, the number of processes, and the kind of the inputs; None for all."""
        self.seed, self.processes = seed, processes
        self.kind = [] if kind is None else ["--kind", kind]
        self.kinds, self.faults = Counter[str](), list[str]()

    def run(self, first: int, stop: int, until: float) -> None:
        """Run a range of inputs, or as many as there is time for.

        Args:
            first: number of the first input.
            stop: number behind that of the last input.
            until: when to stop, by time.monotonic().
        """
        todo = {it: first + it for it in range(self.processes)}
        running = {it: self._start(number, stop) for it, number in todo.items()}
        try:
            while running:
                for it, process in list(running.items()):
                    again = self._read(it, process, todo, until)
                    if again:
                        running[it] = self._start(todo[it], stop)
                    elif again is False:
                        del running[it]
        finally:
            for process in running.values():
                process.kill()
                process.wait()

    def _start(self, first: int, stop: int) -> subprocess.Popen[str]:
        words = [str(it) for it in (first, stop, self.processes, self.seed)]
        return subprocess.Popen(  # noqa: S603  this program
            bound([sys.executable, "-m", "tools.fuzz", *self.kind, "--serve", *words]),
            start_new_session=True,  # Ctrl-C is for this process, which says the figures
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )

    def _read(
        self, it: int, process: subprocess.Popen[str], todo: dict[int, int], until: float
    ) -> bool | None:
        """Read a line of a process; True: it has to start again, False: it is done."""
        assert process.stdout is not None
        line = process.stdout.readline().rstrip("\n")
        if line:
            word, number, *rest = line.split("\t")
            todo[it] = int(number) + (self.processes if word == "ended" else 0)
            if word == "ended":
                self.kinds[rest[0]] += 1
                for fault in rest[1:]:
                    self._tell(f"{number}: {rest[0]}: {fault}")
                if (ran := sum(self.kinds.values())) % SAID_EACH == 0:
                    print(f"{ran} inputs, {len(self.faults)} faults", flush=True)
            if word == "began" or time.monotonic() < until:
                return None
            process.kill()
            process.wait()
            return False
        if process.wait() == 0:
            return False
        self.kinds["died"] += 1
        self._tell(f"{todo[it]}: the process ended with {process.returncode}")
        todo[it] += self.processes
        return True

    def _tell(self, fault: str) -> None:
        self.faults.append(fault)
        print(f"input {fault}", flush=True)


def _again(number: int, seed: int) -> None:
    """Run one input in a folder that stays."""
    folder = Path(f"fuzz-{number}")
    folder.mkdir()
    whole = corpus()
    os.chdir(folder)
    ran = run(number, seed, whole)
    print(ran.kind, *ran.faults, sep="\n")


def main() -> None:
    """Print the figures; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--count", type=int, default=COUNT, help="number behind the last input")
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--minutes", type=float, default=1e9, help="stop after so many")
    parser.add_argument("--processes", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--kind", choices=KINDS, help="run the inputs of one kind")
    parser.add_argument("--only", type=int, help="run one input")
    parser.add_argument("--serve", type=int, nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        serve(*given.serve, KINDS if given.kind is None else [given.kind])
        return
    if given.only is not None:
        _again(given.only, given.seed)
        return
    fuzzer = Fuzzer(given.seed, given.processes, given.kind)
    for number in (signal.SIGINT, signal.SIGTERM):  # which a shell may have set to be ignored
        signal.signal(number, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        fuzzer.run(given.first, given.count, time.monotonic() + 60 * given.minutes)
    for kind, count in sorted(fuzzer.kinds.items()):
        print(f"{count:7}  {kind}")
    ran, used = sum(fuzzer.kinds.values()), resource.getrusage(resource.RUSAGE_CHILDREN)
    each = (used.ru_utime + used.ru_stime) / max(ran, 1)
    print(
        f"{len(fuzzer.faults)} faults in {ran} inputs, seed {given.seed}, {each:.3f} s of CPU each"
    )
    sys.exit(bool(fuzzer.faults))


if __name__ == "__main__":
    main()
