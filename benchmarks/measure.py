"""Times commands as whole processes, in turn, so that a drift of the machine meets them all."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass
class Runs:
    """What the runs of one command took.

    Attributes:
        seconds: wall time of each run.
        megabytes: peak memory of each run: its own and its largest child's (1e6 bytes).
    """

    seconds: list[float] = field(default_factory=list)
    megabytes: list[float] = field(default_factory=list)

    def median(self) -> tuple[float, float]:
        """Seconds and megabytes."""
        return statistics.median(self.seconds), statistics.median(self.megabytes)


def run(command: Sequence[str]) -> tuple[float, float]:
    """Seconds and peak megabytes of one run.

    Raises:
        RuntimeError: the command failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"exit {process.returncode}: {' '.join(command)}")
    return seconds, usage.ru_maxrss * 1024 / 1e6


def compare(commands: Mapping[str, Sequence[str]], times: int) -> dict[str, Runs]:
    """Runs all commands `times` times in turn, after one run of each that does not count."""
    results = {name: Runs() for name in commands}
    for turn in range(times + 1):
        for name, command in commands.items():
            seconds, megabytes = run(command)
            if turn:
                results[name].seconds.append(seconds)
                results[name].megabytes.append(megabytes)
    return results


def table(results: Mapping[str, Runs], reference: str) -> str:
    """Medians, spread, and ratios to the reference, as text."""
    base_seconds, base_megabytes = results[reference].median()
    lines = [f"{'':28}{'seconds':>9}{'min':>8}{'max':>8}{'ratio':>8}{'MB':>8}{'ratio':>8}"]
    for name, runs in results.items():
        seconds, megabytes = runs.median()
        lines.append(
            f"{name:28}{seconds:>9.2f}{min(runs.seconds):>8.2f}{max(runs.seconds):>8.2f}"
            f"{seconds / base_seconds:>8.2f}{megabytes:>8.0f}{megabytes / base_megabytes:>8.2f}"
        )
    return "\n".join(lines)
