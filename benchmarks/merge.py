"""`tp-tools merge` against the plain way, as whole processes in one run.

    python -m benchmarks.merge TRACE.json.gz [RANKS] [RUNS]

Copies of a trace of rank 0 are the ranks. Prints medians, spread, and the ratio to the plain way,
in time and in memory: the peak over time of what all processes of a command hold together, pages
that they share counted once (PSS, as the kernel accounts for it).
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.measure import Runs, table
from fixtures.generate_ranks import copies

if TYPE_CHECKING:
    from collections.abc import Iterator

EVERY_S = 0.05


def family(pid: int) -> Iterator[int]:
    """A process and all that came from it."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        found = [child for it in threads for child in (it / "children").read_text().split()]
    except OSError:
        return  # it ended meanwhile
    for child in found:
        yield from family(int(child))


def held(pid: int) -> int:
    """Bytes that a process holds; a page that n processes share counts one n-th."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # it ended meanwhile
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def run(command: list[str]) -> tuple[float, float]:
    """Seconds, and peak megabytes of all its processes together."""
    peak, start = 0, time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ended = threading.Event()
    ends: list[float] = []

    def wait() -> None:
        process.wait()
        ends.append(time.perf_counter())
        ended.set()

    threading.Thread(target=wait).start()
    while not ended.wait(EVERY_S):
        peak = max(peak, sum(held(pid) for pid in set(family(process.pid))))
    if process.returncode:
        raise SystemExit(f"exit {process.returncode}: {' '.join(command)}")
    return ends[0] - start, peak / 1e6


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
        results = {name: Runs() for name in commands}
        for turn in range(int(runs) + 1):
            for title, command in commands.items():
                seconds, megabytes = run(command)
                if turn:
                    results[title].seconds.append(seconds)
                    results[title].megabytes.append(megabytes)
    print(f"{ranks} x {Path(trace).name}")
    print(table(results, "plain way"))


if __name__ == "__main__":
    main(*sys.argv[1:])
