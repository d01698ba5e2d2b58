"""Fail if a command takes more CPU time than it did, beside the plain way in the same run.

    python -m benchmarks.check [--runs 3] [--record]

Seconds say nothing on a machine that others use, so each command is held against the plain way to
do the same (`plain_converter`, `plain_merger`), started in turn with it. Its ratio is that of the
least CPU seconds of all runs: other work on the machine only adds to them. It may be `MOST` times
that of `ratios.json`, which --record writes, and is measured again before it counts as more. The
traces are made from the fixtures. The package is compiled first, as an installed one is: a checkout
under PYTHONDONTWRITEBYTECODE would compile it again in each command, for 0.3 s of CPU.
"""

from __future__ import annotations

import argparse
import compileall
import json
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks import large
from benchmarks.measure import run
from fixtures.generate_ranks import copies
from fixtures.make import HERE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MOST = 1.5
"""How many times the recorded ratio is too much."""

RECORDED = Path(__file__).with_name("ratios.json")
"""The ratios of each command to the plain way, by name."""

PACKAGE = Path(__file__).parents[1] / "tp_tools"

MEGABYTES = 4
"""Megabytes of JSON (1e6) of each trace but the small one."""

_RANKS = 4
_SMALL = HERE / "pdl_decode.json.gz"


def commands(folder: Path, megabytes: int = MEGABYTES) -> dict[str, dict[str, list[str]]]:
    """Make the traces in a folder; return the commands by name, under the plain way of each."""
    trace, out = str(folder / "large.json.gz"), str(folder / "out.json.gz")
    large.main(str(_SMALL), trace, str(megabytes))
    ranks = [str(file) for file in copies(Path(trace), _RANKS, folder)]
    python = [sys.executable, "-m"]
    ours = [*python, "tp_tools"]
    written = ["--force", "--quiet", "-o", out]
    return {
        "benchmarks.plain_converter": {
            "plain": [*python, "benchmarks.plain_converter", trace, out],
            "fix": [*ours, "fix", trace, "--jobs", "1", *written],
            "fix to .pftrace": [*ours, "fix", trace, *written[:-1], str(folder / "out.pftrace")],
            "info": [*ours, "info", trace, "--quiet"],
            "query kernels": [*ours, "query", "kernels", trace],
            "fix of a small trace": [*ours, "fix", str(_SMALL), *written],
            "query kernels of a small trace": [*ours, "query", "kernels", str(_SMALL)],
        },
        "benchmarks.plain_merger": {
            "plain": [*python, "benchmarks.plain_merger", out, *ranks],
            "merge": [*ours, "merge", *ranks, "--allow-missing", *written],
        },
    }


def measured(groups: Mapping[str, Mapping[str, Sequence[str]]], times: int) -> dict[str, float]:
    """Return the ratio of each command to the plain way of its group: of the least CPU seconds."""
    ratios = {}
    for group in groups.values():
        least = {name: run(command)[1] for name, command in group.items()}
        for _ in range(times):
            for name, command in group.items():
                least[name] = min(least[name], run(command)[1])
        plain = least.pop("plain")
        ratios.update({name: seconds / plain for name, seconds in least.items()})
    return ratios


def slower(ratios: Mapping[str, float], recorded: Mapping[str, float]) -> list[str]:
    """Name the commands whose ratio is more than `MOST` times the recorded one."""
    return [name for name, ratio in ratios.items() if ratio > MOST * recorded[name]]


def main() -> None:
    """Measure, and print a row per command."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--record", action="store_true")
    given = parser.parse_args()
    compileall.compile_dir(PACKAGE, quiet=1)
    with tempfile.TemporaryDirectory() as folder:
        groups = commands(Path(folder))
        ratios = measured(groups, given.runs)
        if given.record:
            rounded = {name: round(ratio, 3) for name, ratio in ratios.items()}
            RECORDED.write_text(json.dumps(rounded, indent=1) + "\n")
        recorded = json.loads(RECORDED.read_text())
        if slower(ratios, recorded):  # perhaps by chance: a change is slower twice
            again = measured(groups, given.runs)
            ratios = {name: min(ratio, again[name]) for name, ratio in ratios.items()}
    for name, ratio in ratios.items():
        print(f"{name:32}{ratio:8.3f} of the plain way's CPU time; {recorded[name]:.3f} recorded")
    if worse := slower(ratios, recorded):
        raise SystemExit(f"more than {MOST} times the recorded ratio: {', '.join(worse)}")


if __name__ == "__main__":
    main()
