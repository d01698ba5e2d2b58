"""Time commands as whole processes, in turn, so that a drift of the machine meets them all.

Memory is the peak over time of what all processes of a command hold together; pages that they share
count once (PSS, as the kernel accounts for it). It is taken in a run of its own, since looking
takes time.
"""

from __future__ import annotations

import math
import os
import statistics
import subprocess
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

EVERY_S = 0.03


@dataclass
class Runs:
    """Times and memory of the runs of one command.

    Attributes:
        megabytes: peak memory (1e6 bytes).
        seconds: wall time of each run.
        busy: CPU seconds of each run, of all its processes.
    """

    megabytes: float
    seconds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)


def run(command: Sequence[str]) -> tuple[float, float]:
    """Return wall and CPU seconds of one run.

    Raises:
        SystemExit: the command failed.
    """
    start = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"exit {process.returncode}: {' '.join(command)}")
    return seconds, usage.ru_utime + usage.ru_stime


def peak(command: Sequence[str]) -> float:
    """Return peak megabytes of all processes of one run together.

    Raises:
        SystemExit: the command failed.
    """
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ended = threading.Event()

    def wait() -> None:
        process.wait()
        ended.set()

    threading.Thread(target=wait).start()
    most = 0
    while not ended.wait(EVERY_S):
        most = max(most, sum(_held(pid) for pid in set(_family(process.pid))))
    if process.returncode:
        raise SystemExit(f"exit {process.returncode}: {' '.join(command)}")
    return most / 1e6


def _family(pid: int) -> Iterator[int]:
    """Yield the id of a process and of all its descendants."""
    yield pid
    try:
        threads = list(Path(f"/proc/{pid}/task").iterdir())
        found = [child for it in threads for child in (it / "children").read_text().split()]
    except OSError:
        return  # it ended meanwhile
    for child in found:
        yield from _family(int(child))


def _held(pid: int) -> int:
    """Return the bytes that a process holds; a page that n processes share counts one n-th."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0  # it ended meanwhile
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


def compare(commands: Mapping[str, Sequence[str]], times: int) -> dict[str, Runs]:
    """Run all commands `times` times in turn, after one run of each for its memory.

    Before that each runs once: what is compiled once, or read from disk for the first time, is not
    what a command takes.
    """
    for command in commands.values():
        run(command)
    results = {name: Runs(peak(command)) for name, command in commands.items()}
    for _ in range(times):
        for name, command in commands.items():
            seconds, busy = run(command)
            results[name].seconds.append(seconds)
            results[name].busy.append(busy)
    return results


def table(results: Mapping[str, Runs], reference: str) -> str:
    """Write medians, spread, and ratios to the reference, as text."""
    base, base_megabytes = (
        statistics.median(results[reference].seconds),
        results[reference].megabytes,
    )
    heads = ("seconds", "min", "max", "ratio", "CPU s", "MB", "ratio")
    lines = [f"{'':32}" + "".join(f"{head:>8}" for head in heads)]
    for name, runs in results.items():
        seconds = statistics.median(runs.seconds)
        lines.append(
            f"{name:32}{seconds:>8.2f}{min(runs.seconds):>8.2f}{max(runs.seconds):>8.2f}"
            f"{seconds / base:>8.2f}{statistics.median(runs.busy):>8.2f}{runs.megabytes:>8.0f}"
            f"{runs.megabytes / base_megabytes:>8.2f}"
        )
    return "\n".join(lines)


def rounds(
    commands: Mapping[str, Sequence[str]], times: int, *, minutes: float = math.inf
) -> dict[str, Runs]:
    """Run all commands once per round, as on a machine that has other things to do.

    Whatever else runs meets the commands of a round alike, so `ratio` divides round by round. The
    order turns from round to round.

    Args:
        commands: the commands by name.
        times: number of rounds, two or more.
        minutes: time after which no further round begins, but for the first two.
    """
    end = time.monotonic() + 60 * minutes
    for command in commands.values():
        run(command)
    results = {name: Runs(peak(command)) for name, command in commands.items()}
    names = list(commands)
    for turn in range(times):
        if turn > 1 and time.monotonic() > end:
            break
        first = turn % len(names)
        for name in [*names[first:], *names[:first]]:
            seconds, busy = run(commands[name])
            results[name].seconds.append(seconds)
            results[name].busy.append(busy)
    return results


def ratios(results: Mapping[str, Runs], reference: str) -> str:
    """Write a table of ratios to the reference, of CPU seconds, wall time and memory.

    Of times it gives the median of the ratios by round with its quartiles, then the ratio of the
    least times of all rounds, which other work on the machine disturbs least.
    """
    base = results[reference]
    busy, seconds = statistics.median(base.busy), statistics.median(base.seconds)
    figures = f"{busy:.2f} CPU s, {seconds:.2f} s, {base.megabytes:.0f} MB"
    lines = [
        f"{reference}: {figures}; {len(base.busy)} rounds",
        "| | CPU | wall | memory |",
        "|---|---|---|---|",
    ]
    for name, runs in results.items():
        if name != reference:
            times = f"{_ratio(runs.busy, base.busy)} | {_ratio(runs.seconds, base.seconds)}"
            lines.append(f"| {name} | {times} | {runs.megabytes / base.megabytes:.2f} |")
    return "\n".join(lines)


def _ratio(values: Sequence[float], base: Sequence[float]) -> str:
    """Write median and quartiles of the ratios by round, then the ratio of the least values."""
    each = [value / other for value, other in zip(values, base, strict=True)]
    low, middle, high = statistics.quantiles(each, n=4)
    return f"{middle:.3f} ({low:.3f} to {high:.3f}), {min(values) / min(base):.3f}"
