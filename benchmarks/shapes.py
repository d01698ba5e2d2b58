"""Measure what an event costs in traces of many shapes, each made here: none falls off a cliff.

    python -m benchmarks.shapes [--events 200000] [--runs 1] [--only SHAPE]

Prints the CPU microseconds per event of `fix`, `fix` to `.pftrace` and `info`, in one process, and
how many times those of the plain shape that is: slices of one thread, one after the other.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from isal import igzip

from benchmarks.measure import run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PLAIN = "one thread"
_TRACKS, _DEPTH, _ARGS = 10_000, 100, 2_000
_KERNEL = '"cat":"kernel","pid":0,"tid":7,"args":{"device":0,"stream":7,"correlation":%d}'
_CALL = '"cat":"cuda_runtime","pid":1,"tid":1,"args":{"correlation":%d}'


def _slice(ts: int, dur: int, name: str = "a", rest: str = '"pid":1,"tid":1') -> str:
    return f'{{"ph":"X","name":"{name}","ts":{ts}.125,"dur":{dur}.250,{rest}}}'


def one_thread(count: int) -> Iterator[str]:
    """Yield slices of one thread, one after the other."""
    return (_slice(10 * i, 8) for i in range(count))


def many_tracks(count: int) -> Iterator[str]:
    """Yield slices of 10,000 threads in turn."""
    return (_slice(10 * i, 8, rest=f'"pid":1,"tid":{i % _TRACKS}') for i in range(count))


def overlaps(count: int) -> Iterator[str]:
    """Yield kernels of a stream, of which each tenth starts before the one ahead has ended."""
    return (_slice(10 * i - 4 * (i % 10 == 0), 8, "k", _KERNEL % i) for i in range(count))


def arrows(count: int) -> Iterator[str]:
    """Yield launch calls, kernels, and the arrow from each call to its kernel."""
    for i in range(count // 4):
        yield _slice(40 * i, 5, "cudaLaunchKernel", _CALL % i)
        yield f'{{"ph":"s","cat":"ac2g","name":"ac2g","id":{i},"pid":1,"tid":1,"ts":{40 * i}.125}}'
        yield _slice(40 * i + 20, 8, "k", _KERNEL % i)
        end = f'"id":{i},"pid":0,"tid":7,"ts":{40 * i + 20}.125,"bp":"e"'
        yield f'{{"ph":"f","cat":"ac2g","name":"ac2g",{end}}}'


def deep_stacks(count: int) -> Iterator[str]:
    """Yield slices that lie 100 deep in each other."""
    for i in range(count):
        stack, depth = divmod(i, _DEPTH)
        yield _slice(1000 * stack + depth, 1000 - 2 * depth - 1, f"f{depth}")


def big_args(count: int) -> Iterator[str]:
    """Yield slices with 2 kB of args."""
    args = f'"pid":1,"tid":1,"args":{{"text":"{"x" * _ARGS}"}}'
    return (_slice(10 * i, 8, rest=args) for i in range(count))


def own_names(count: int) -> Iterator[str]:
    """Yield slices of which each has a name of its own."""
    return (_slice(10 * i, 8, f"a name of its own, {i}") for i in range(count))


def begins_and_ends(count: int) -> Iterator[str]:
    """Yield slices as pairs of events, their beginnings and ends."""
    for i in range(count // 2):
        yield f'{{"ph":"B","name":"a","ts":{20 * i}.125,"pid":1,"tid":1}}'
        yield f'{{"ph":"E","ts":{20 * i + 8}.125,"pid":1,"tid":1}}'


SHAPES: dict[str, Callable[[int], Iterator[str]]] = {
    PLAIN: one_thread,
    "10,000 tracks": many_tracks,
    "10 % overlaps": overlaps,
    "arrows": arrows,
    "100 deep": deep_stacks,
    "2 kB of args": big_args,
    "own names": own_names,
    "B and E": begins_and_ends,
}
"""The events of each shape, given their number, in the order of their times."""


def write(shape: str, count: int, file: Path) -> int:
    """Write a trace of a shape; return the number of its events."""
    events = list(SHAPES[shape](count))
    text = '{"traceEvents":[\n' + ",\n".join(events) + "\n]}\n"
    file.write_bytes(igzip.compress(text.encode(), 1))
    return len(events)


def main() -> None:
    """Print a row per shape."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--events", type=int, default=200_000)
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("--only", choices=[*SHAPES], action="append")
    given = parser.parse_args()
    ours = [sys.executable, "-m", "tp_tools"]
    plain: list[float] = []
    print("| shape | `fix` | `fix` to `.pftrace` | `info` |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        trace, out = Path(folder) / "t.json.gz", str(Path(folder) / "out")
        fix = [*ours, "fix", str(trace), "--jobs", "1", "--force", "--quiet", "-o"]
        commands = ([*fix, f"{out}.json.gz"], [*fix, f"{out}.pftrace"], [*ours, "info", str(trace)])
        for shape in dict.fromkeys([PLAIN, *(given.only or SHAPES)]):
            count = write(shape, given.events, trace)
            least = [min(run(it)[1] for _ in range(given.runs)) for it in commands]
            costs = [seconds / count * 1e6 for seconds in least]
            plain = plain or costs
            cells = [
                f"{cost:.1f} ({cost / base:.1f}x)" for cost, base in zip(costs, plain, strict=True)
            ]
            print(f"| {shape} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
