"""Compare `diff` with HTA's TraceDiff and TraceLens' TraceDiff on a pair of traces: who finds what.

    python -m venv hta && hta/bin/pip install HolisticTraceAnalysis 'pandas<3'
    python -m venv lens && lens/bin/pip install ./TraceLens    # a clone of AMD-AGI/TraceLens
    python -m benchmarks.diff_against hta/bin/python lens/bin/python A.json.gz B.json.gz

Peers run in their own Python. Prints Markdown: the kernels with the largest differences of any of
them, each with the difference that each says, over the whole recording; then what else each says.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

import tp_tools
from tp_tools.comparison.model import KERNEL

if TYPE_CHECKING:
    from tp_tools.comparison import Comparison

Us: TypeAlias = dict[str, list[float]]
"""us of a kernel in the first and the second trace, by full name."""

TOP = 6
_LONGEST = 60
_US = 1000


def ask(side: str, python: str, traces: list[str]) -> tuple[Us, float]:
    """Return us of each kernel in both traces, and CPU seconds, as a peer says."""
    script = Path(__file__).with_name(f"{side}_diff_side.py")
    done = subprocess.run([python, script, *traces], capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout[done.stdout.index('{"us"') :])
    return answer["us"], answer["cpu_s"]


def ours(traces: list[str]) -> tuple[Comparison, float]:
    """Return what `diff` says, by full names, and its CPU seconds."""
    start = time.process_time()
    found = tp_tools.diff(*traces, exact=True)
    return found, time.process_time() - start


def rows(found: Comparison, peers: list[Us]) -> list[tuple[str, ...]]:
    """Return the kernels with the largest differences of any side, and what each side says."""
    changes = {it.key.name: it for it in found.of(KERNEL)}
    before = {it.was: name for name, it in changes.items() if it.was}
    own = {name: [it.total_a / _US, it.total_b / _US] for name, it in changes.items()}
    largest: dict[str, float] = {}
    for us in (own, *peers):
        for name in sorted(us, key=lambda it: -_size(us[it]))[:TOP]:
            now = before.get(name, name)
            largest[now] = max(largest.get(now, 0), _size(us[name]))
    found_rows = []
    for name in sorted(largest, key=lambda it: -largest[it]):
        change = changes.get(name)
        names = [name, change.was] if change and change.was else [name]
        verdict = "-" if change is None else change.verdict + " under a new name" * bool(change.was)
        found_rows.append((name, _cell(own, [name]), verdict, *(_cell(it, names) for it in peers)))
    return found_rows


def _size(us: list[float]) -> float:
    return abs(us[1] - us[0])


def _cell(us: Us, names: list[str]) -> str:
    there = [f"{(us[it][1] - us[it][0]) / _US:+.1f} ms" for it in names if it in us]
    return " and ".join(there) or "-"


def _short(name: str) -> str:
    name = name.replace("|", "/")
    return name if len(name) <= _LONGEST else f"{name[: _LONGEST - 3]}..."


def main() -> None:
    """Ask all, and print."""
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("hta", help="a Python that has HTA")
    arguments.add_argument("tracelens", help="a Python that has TraceLens")
    arguments.add_argument("traces", nargs=2)
    given = arguments.parse_args()
    found, cpu_s = ours(given.traces)
    hta, hta_s = ask("hta", given.hta, given.traces)
    lens, lens_s = ask("tracelens", given.tracelens, given.traces)
    print("| kernel | tp-tools | verdict | HTA | TraceLens |\n|---|---|---|---|---|")
    for name, *cells in rows(found, [hta, lens]):
        print(f"| `{_short(name)}` | {' | '.join(cells)} |")
    verdicts = Counter(it.verdict for it in found.of(KERNEL))
    renamed = sum(bool(it.was) for it in found.of(KERNEL))
    same = sum(
        it.key.name in hta
        and _cell(hta, [it.key.name]) == f"{(it.total_b - it.total_a) / 1e6:+.1f} ms"
        for it in found.of(KERNEL)
        if not it.was
    )
    step = found.step
    print(
        f"\nA step takes {step.mean_a / 1e6:.1f} ms in A and {step.mean_b / 1e6:.1f} ms in B: "
        f"{step.verdict}. Kernels of tp-tools: "
        f"{', '.join(f'{count} {verdict}' for verdict, count in verdicts.most_common())}; "
        f"{renamed} of them under a new name. HTA has the same difference of {same} of "
        f"{sum(verdicts.values()) - renamed} others. CPU of HTA {hta_s / cpu_s:.1f} times that of "
        f"tp-tools, of TraceLens {lens_s / cpu_s:.1f} times."
    )


if __name__ == "__main__":
    main()
