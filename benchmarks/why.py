"""Answer "why not the script?": repair and merge by each alternative in one run, and count.

    pip install --target LANEFIX trace-lanefix==0.1.1
    python -m benchmarks.why TRACE.json.gz... --torch-utils CHECKOUT --nuggets CHECKOUT
        --lanefix LANEFIX [--runs 3]

Each trace is repaired, and the first one, as 8 ranks with clocks of their own, merged. Every slice
is marked before (`benchmarks.marked`), and what TraceProcessor v52 shows of the marks is counted.
The tables go to README.md and docs/alternatives.md, between `<!-- table NAME -->` and
`<!-- end of table -->`. CPU is the least of the runs, of all processes, as a ratio to tp-tools.
"""

from __future__ import annotations

import argparse
import gzip
import sys
import tempfile
import warnings
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.all import with_table
from benchmarks.marked import mark, shown
from benchmarks.measure import run
from tp_tools.formatting import size, span

if TYPE_CHECKING:
    from benchmarks.marked import Marked, Shown

ROOT = Path(__file__).parents[1]
README, PAGE = ROOT / "README.md", ROOT / "docs" / "alternatives.md"
RANKS = 8
MOST_CPU_S = 30
"""CPU seconds after which a command is stopped."""

STOPPED = "exit -9"
"""What `measure.run` says of a command that used up its CPU time."""

OURS = {"repair": "**`tp-tools fix`**", "merge": "**`tp-tools merge`**"}

_PYTHON = [sys.executable, "-m"]


@dataclass(frozen=True)
class Way:
    """A way to have a file that Perfetto shows.

    Attributes:
        name: as the table has it.
        file: what is opened at the end.
        command: writes the file; () where that is the recording itself.
    """

    name: str
    file: Path
    command: tuple[str, ...] = ()


@dataclass(frozen=True)
class Found:
    """What a way gives.

    Attributes:
        way: the way.
        shown: what TraceProcessor shows; None where the command was stopped.
        cpu_s: CPU seconds of the command; None likewise, or where there is none.
        nbytes: size of the file.
    """

    way: Way
    shown: Shown | None
    cpu_s: float | None
    nbytes: int


def repairs(given: argparse.Namespace, trace: Path) -> list[Way]:
    """List the ways to repair a trace: plain JSON lies beside it."""
    folder, source = trace.parent, str(trace)
    files = [folder / name for name in ("t.json.gz", "l.json", "n.pftrace", "o.json.gz")]
    utils, lanefix, nuggets, ours = map(str, files)
    return [
        Way("as recorded", trace),
        Way(
            "torch_utils' converter",
            files[0],
            (
                *(*_PYTHON, "benchmarks.torch_utils_side", given.torch_utils),
                *("convert", source, utils),
            ),
        ),
        Way(
            "trace-lanefix",
            files[1],
            (
                *(*_PYTHON, "benchmarks.lanefix_side", given.lanefix),
                *(str(trace.with_suffix("")), lanefix),
            ),
        ),
        Way(
            "transformer_nuggets",
            files[2],
            (*_PYTHON, "benchmarks.nuggets_side", given.nuggets, "convert", source, nuggets),
        ),
        Way(OURS["repair"], files[3], (*_PYTHON, "tp_tools", "fix", source, "--force", "-o", ours)),
    ]


def merges(given: argparse.Namespace, folder: Path, ranks: list[str]) -> list[Way]:
    """List the ways to see ranks together; Perfetto's own is a zip of them."""
    archive = folder / "all.zip"
    with zipfile.ZipFile(archive, "w") as together:
        for rank in ranks:
            together.write(rank, Path(rank).name)
    files = [folder / name for name in ("t.json.gz", "n.json.gz", "o.json.gz")]
    utils, nuggets, ours = map(str, files)
    return [
        Way("Perfetto's own: a zip of the files", archive),
        Way(
            "torch_utils' merger",
            files[0],
            (*_PYTHON, "benchmarks.torch_utils_side", given.torch_utils, "merge", utils, *ranks),
        ),
        Way(
            "transformer_nuggets",
            files[1],
            (*_PYTHON, "benchmarks.nuggets_side", given.nuggets, "merge", nuggets, *ranks),
        ),
        Way(
            OURS["merge"], files[2], (*_PYTHON, "tp_tools", "merge", *ranks, "--force", "-o", ours)
        ),
    ]


def found(ways: list[Way], truth: Marked, times: int) -> list[Found]:
    """Run each way, in turn, and look at what it wrote."""
    least: dict[str, float] = {}
    stopped = set()
    for _ in range(times):
        for way in ways:
            if not way.command or way.name in stopped:
                continue
            try:
                _, busy = run(["prlimit", f"--cpu={MOST_CPU_S}", *way.command])
            except SystemExit as error:
                if not str(error).startswith(STOPPED):
                    raise
                stopped.add(way.name)
                continue
            least[way.name] = min(busy, least.get(way.name, busy))
    return [
        Found(it, None, None, 0)
        if it.name in stopped
        else Found(it, shown(it.file, truth), least.get(it.name), it.file.stat().st_size)
        for it in ways
    ]


def table(what: str, results: list[Found], truth: Marked) -> str:
    """Write the results in Markdown; a merge changes times on purpose, so ranks are compared."""
    merged = what == "merge"
    heads = ["", "slices", "kernels", "launch arrows right", "wrong"]
    heads += ["ranks apart, at most" if merged else "kernels with exact times", "written", "CPU"]
    whole = [truth.slices, len(truth.kernels), len(truth.launches), 0]
    last = span(0) if merged else f"{len(truth.kernels):,}"
    of = ["recorded", *(f"{it:,}" for it in whole), last, "", ""]
    lines = [heads, ["---"] * len(heads), of]
    ours = next(it.cpu_s for it in results if it.way.name == OURS[what])
    for it in results:
        if it.shown is None:
            nothing = ["-"] * (len(heads) - 2)
            lines.append([it.way.name, *nothing, f"stopped after {MOST_CPU_S} s"])
            continue
        counts = (it.shown.slices, it.shown.kernels, it.shown.arrows, it.shown.wrong)
        cells = [f"{count:,}" for count in counts]
        cells += [span(it.shown.apart_ns) if merged else f"{it.shown.exact:,}", size(it.nbytes)]
        ratio = "-" if it.cpu_s is None or ours is None else f"{it.cpu_s / ours:.1f}"
        lines.append([it.way.name, *cells, ratio])
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _write(name: str, text: str) -> None:
    """Put a table into the pages that have a place for it."""
    print(f"{name}\n{text}\n", flush=True)
    for page in (README, PAGE):
        if f"<!-- table {name} -->" in page.read_text("utf-8"):
            page.write_text(with_table(page.read_text("utf-8"), name, text), "utf-8")


def main() -> None:
    """Measure and write one table after the other."""
    parser = argparse.ArgumentParser()
    parser.add_argument("traces", nargs="+", type=Path)
    for name in ("--torch-utils", "--nuggets", "--lanefix"):
        parser.add_argument(name, required=True)
    parser.add_argument("--runs", type=int, default=3)
    given = parser.parse_args()
    warnings.simplefilter("ignore")  # what is lost is what is counted
    for trace in given.traces:
        with tempfile.TemporaryDirectory() as name:
            marked = Path(name, "marked.json.gz")
            truth = mark(trace, [marked])
            marked.with_suffix("").write_bytes(gzip.decompress(marked.read_bytes()))
            results = found(repairs(given, marked), truth, given.runs)
        _write(trace.name.partition(".")[0], table("repair", results, truth))
    with tempfile.TemporaryDirectory() as name:
        ranks = [Path(name, f"rank{rank}.json.gz") for rank in range(RANKS)]
        truth = mark(given.traces[0], ranks)
        ways = merges(given, Path(name), [str(it) for it in ranks])
        _write("merged", table("merge", found(ways, truth, given.runs), truth))


if __name__ == "__main__":
    main()
