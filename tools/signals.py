"""End commands at random moments, by signals or by SIGKILL, and report what that led to.

    python -m tools.signals                 300 signals
    python -m tools.signals --kill          500 kills, each followed by a whole run
    python -m tools.signals --count 20 --seed 7

Every end has to come within a second, with its exit code and one line, and leave neither files nor
processes. After SIGKILL, the next run has to leave its output and nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

LATEST_S = 1.0
PATIENCE_S = 30.0
ENDLESS = "WITH RECURSIVE t(x) AS (SELECT 1 UNION ALL SELECT x+1 FROM t) SELECT COUNT(*) FROM t"
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
RANKS = 2
PYTHON_STARTS_S = 0.3
"""Seconds until Python runs this project, where the system cannot tell."""


@dataclass(frozen=True)
class Case:
    """A command to end.

    Attributes:
        name: how it is called in the figures.
        arguments: of the command line.
        longest_s: when it has surely done most of its work.
        outputs: what it may have written, if it was done before the signal came.
    """

    name: str
    arguments: tuple[str, ...]
    longest_s: float
    outputs: tuple[str, ...] = ()


CASES = (
    Case("fix", ("fix", "-q", "r0.json", "-o", "out.json.gz", "-j", "2"), 0.8, ("out.json.gz",)),
    Case(
        "fix --verify", ("fix", "-q", "r0.json", "-o", "out.json", "--verify"), 1.6, ("out.json",)
    ),
    Case("query", ("query", "-q", "-e", ENDLESS, "r0.json"), 2.0),
    Case("query --raw", ("query", "-q", "-e", ENDLESS, "--raw", "r0.json"), 1.5),
    Case("query job", ("query", "-q", "allreduce", "r0.json", "r1.json"), 1.5),
    Case(
        "merge",
        ("merge", "-q", "r0.json", "r1.json", "-o", "out.json", "-j", "2"),
        1.6,
        ("out.json",),
    ),
    Case("info", ("info", "-q", "r0.json", "r1.json"), 0.6),
)


@dataclass(frozen=True)
class Ended:
    """How an end went.

    Attributes:
        code: the exit status, as a shell gives it.
        took_s: from the signal to the end of the last process.
        lines: what it said on stderr that is no warning.
        left: files that are neither input nor output, and processes.
        early: whether the signal came before the command handled signals, so that it ended Python.
    """

    code: int
    took_s: float
    lines: tuple[str, ...]
    left: tuple[str, ...]
    early: bool


def write_ranks(folder: Path) -> None:
    """Write two ranks with overlaps, launches and collectives, about half a megabyte each."""
    for rank in range(RANKS):
        events = [event for step in range(1000) for event in _step(step, rank)]
        about = {"distributedInfo": {"rank": rank, "world_size": RANKS, "backend": "nccl"}}
        text = json.dumps({**about, "traceEvents": events})
        (folder / f"r{rank}.json").write_text(text)


def _step(step: int, rank: int) -> list[dict[str, object]]:
    ts = 1000 * step + rank
    ids = {"pid": 0, "tid": 7, "ph": "X"}
    called = {"External id": step, "correlation": step}
    group = {
        "Collective name": "allreduce",
        "Process Group Name": "0",
        "Seq": step,
        "In msg nelems": 8,
    }
    return [
        {"cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 9, "tid": 9, "ph": "X"}
        | {"ts": ts, "dur": 2, "args": called},
        {"cat": "kernel", "name": "gemm", **ids, "ts": ts + 10, "dur": 500, "args": called},
        {"cat": "kernel", "name": "ncclDevKernel_AllReduce", **ids}
        | {"ts": ts + 400, "dur": 300, "args": group},
    ]


def end(
    case: Case, number: int, after_s: float, folder: Path, *, group: bool, ready: bool = False
) -> Ended:
    """Run a command in `folder`, send it a signal, and look at what is left.

    Args:
        case: the command.
        number: the signal.
        after_s: when it is sent, in seconds from the start.
        folder: where the command runs.
        group: whether the whole process group gets the signal.
        ready: whether `after_s` counts from when the command handles signals: however long Python
            takes to start on a busy machine.
    """
    before = {path.name for path in folder.iterdir()}
    program = Path(sys.executable).parent / "tp-tools"
    process = subprocess.Popen(  # noqa: S603  this project's command
        [str(program), *case.arguments],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        env={**os.environ, "TMPDIR": str(folder)},
        preexec_fn=_default_handlers,  # noqa: PLW1509  it calls only sigaction(2)
    )
    while ready and not _handles_signals(process.pid) and process.poll() is None:
        time.sleep(0.002)
    time.sleep(after_s)
    early = not _handles_signals(process.pid)
    began = time.monotonic()
    if process.poll() is None:
        (os.killpg if group else os.kill)(process.pid, number)
    try:
        _, said = process.communicate(timeout=PATIENCE_S)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        _, said = process.communicate()
    running = _processes(process.pid, began + PATIENCE_S)
    took = time.monotonic() - began
    code = process.returncode if process.returncode >= 0 else 128 - process.returncode
    lines = tuple(line for line in said.splitlines() if "warning:" not in line)
    left = {path.name for path in folder.iterdir()} - before
    for output in case.outputs:
        if output in left:
            left.discard(output)
            (folder / output).unlink()
    return Ended(code, took, lines, (*sorted(left), *running), early)


def _default_handlers() -> None:
    """Have no signal ignored: under nohup, or as a job of a script, the command would ignore it."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_DFL)


def _handles_signals(process: int) -> bool:
    """Tell whether a process handles all of `SIGNALS`; see proc(5) for its status."""
    status = Path("/proc") / str(process) / "status"
    try:
        caught = re.search(r"^SigCgt:\s*(\w+)$", status.read_text(), re.MULTILINE)
    except OSError:  # no Linux, or it has ended
        time.sleep(PYTHON_STARTS_S if not status.parents[1].exists() else 0)
        return True
    wanted = sum(1 << (number - 1) for number in SIGNALS)
    return caught is None or int(caught[1], 16) & wanted == wanted


def _processes(group: int, until: float) -> list[str]:
    """Name the processes of a group that still run at a time of `time.monotonic`.

    The system takes some time to end those that were killed. A process that has ended, but whose
    parent has not asked for its exit status yet (a zombie), runs no more.
    """
    while running := _running(group):
        if time.monotonic() > until:
            return [f"process {it}" for it in running]
        time.sleep(0.01)
    return []


def _running(group: int) -> list[int]:
    """List the processes of a group that are no zombies; see proc(5) for the fields of `stat`."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return []
    running = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended
            number, _, rest = stat.read_text().partition(" (")
            state, _, its_group = rest.rpartition(") ")[2].split()[:3]
            if int(its_group) == group and state not in "ZX":
                running.append(int(number))
    return running


def faults(
    case: Case, number: int, ended: Ended, after_s: float, *, latest_s: float = LATEST_S
) -> list[str]:
    """List the faults of an end; empty if the command was done before the signal came.

    Args:
        case: the command.
        number: the signal.
        ended: how it went.
        after_s: when the signal was sent.
        latest_s: the most seconds that an end may take.
    """
    early = ended.early and ended.code in {1, 128 + number}
    found = []
    if ended.took_s > latest_s and ended.code != 0:
        found.append(f"{ended.took_s:.1f} s late")
    if ended.code not in {0, 128 + number} and not early:
        found.append(f"exit code {ended.code}")
    if ended.code != 0 and len(ended.lines) != 1 and not early:
        found.append(f"{len(ended.lines)} lines: {ended.lines[-3:]}")
    if ended.left:
        found.append(f"left {', '.join(ended.left)}")
    return [
        f"{case.name}, {signal.Signals(number).name} after {after_s:.2f} s: {it}" for it in found
    ]


def run(count: int, seed: int, *, kill: bool) -> tuple[Counter[str], list[float], list[str]]:
    """End `count` runs; return the number of each end, the seconds it took, and the faults."""
    choose = random.Random(seed)  # noqa: S311  no secret
    codes, took, wrong = Counter[str](), list[float](), list[str]()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_ranks(folder)
        inputs = {path: path.read_bytes() for path in folder.iterdir()}
        for _ in range(count):
            case = choose.choice([it for it in CASES if it.outputs] if kill else CASES)
            number = signal.SIGKILL if kill else choose.choice(SIGNALS)
            after, group = choose.uniform(0, case.longest_s), choose.choice([True, False])
            ended = end(case, number, after, folder, group=group)
            codes[f"{case.name}: {ended.code}"] += 1
            took.append(ended.took_s)
            wrong += _after_kill(case, folder) if kill else faults(case, number, ended, after)
            wrong += [
                f"{it.name} was touched" for it, was in inputs.items() if it.read_bytes() != was
            ]
    return codes, took, wrong


def _after_kill(case: Case, folder: Path) -> list[str]:
    """List the faults of a whole run that follows a kill."""
    again = end(case, 0, PATIENCE_S / 1e3, folder, group=False)
    wrong = [f"{case.name} after a kill: exit code {again.code}"] if again.code else []
    left = [path.name for path in folder.iterdir() if not path.name.startswith("r")]
    return wrong + [f"{case.name} after a kill: left {it}" for it in left]


def main() -> None:
    """Print the figures; exit code 1 if anything was wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--kill", action="store_true", help="SIGKILL in place of other signals")
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    codes, took, wrong = run(
        given.count or (500 if given.kill else 300), given.seed, kill=given.kill
    )
    for name, count in sorted(codes.items()):
        print(f"{count:4}  {name}")
    print(f"longest end: {max(took):.2f} s; median: {sorted(took)[len(took) // 2]:.3f} s")
    print(*wrong, f"{len(wrong)} faults in {sum(codes.values())}", sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
