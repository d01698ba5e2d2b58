"""Count the launch arrows of recorded traces: in the JSON text, and as drawn after fix.

    python -m tools.launch_arrows ../shared/traces

It reads the JSON with Python's own parser, and what `fix --verify` writes, as JSON and as .pftrace,
with TraceProcessor; it shares no code with the repair. An arrow is recorded if its `s` lies in a
call and an `f` in work of the GPU that both have the arrow's id as correlation. It is drawn if it
joins such a call and such work of one correlation.
"""

from __future__ import annotations

import argparse
import gzip
import json
import subprocess
import sys
import tempfile
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any, TypeAlias

from tp_tools import engine

WORK = {"kernel", "gpu_memcpy", "gpu_memset", "Kernel", "Memcpy", "Memset"}
CALLS = {"cuda_runtime", "cuda_driver", "Runtime"}
LAUNCHES = {"ac2g", "async"}

DRAWN = """
WITH numbered AS MATERIALIZED (
  SELECT id, category, name, COALESCE(
    EXTRACT_ARG(arg_set_id, 'args.correlation'), EXTRACT_ARG(arg_set_id, 'debug.args.correlation')
  ) AS correlation
  FROM slice
)
SELECT a.correlation, b.correlation, a.category, b.category, a.name, b.name
FROM flow JOIN numbered AS a ON a.id = slice_out JOIN numbered AS b ON b.id = slice_in
"""

Arrows: TypeAlias = "Counter[tuple[int, str, str]]"
"""Number of arrows by correlation, name of the call, name of the work."""
Event: TypeAlias = "dict[str, Any]"


def recorded(path: Path) -> Arrows:
    """Count the launch arrows in the text of a trace."""
    with gzip.open(path) as file:
        whole = json.load(file, parse_float=Decimal)
    events = whole if isinstance(whole, list) else whole["traceEvents"]
    slices: dict[tuple[object, ...], list[Event]] = defaultdict(list)
    for event in events:
        if event.get("ph") == "X" and "correlation" in event.get("args", {}):
            slices[(*_track(event), event["args"]["correlation"])].append(event)
    calls: dict[int, Event] = {}
    work: dict[int, dict[int, Event]] = defaultdict(dict)
    for event in events:
        if event.get("cat") not in LAUNCHES or event.get("ph") not in {"s", "f"}:
            continue
        around = [
            it
            for it in slices[(*_track(event), event["id"])]
            if it["ts"] <= event["ts"] <= it["ts"] + it["dur"]
            if it["cat"] in (CALLS if event["ph"] == "s" else WORK)
        ]
        nearest = min(around, key=lambda it: abs(it["ts"] - event["ts"]), default=None)
        if nearest is not None and event["ph"] == "s":
            calls[event["id"]] = nearest
        elif nearest is not None:
            work[event["id"]][id(nearest)] = nearest
    return Counter(
        (number, calls[number]["name"], it["name"])
        for number, ends in work.items()
        if number in calls
        for it in ends.values()
    )


def _track(event: Event) -> tuple[object, object]:
    """Return (pid, tid), numbers in quotes as numbers."""
    pid, tid = (
        int(it) if isinstance(it, str) and it.isdecimal() else it
        for it in (event["pid"], event["tid"])
    )
    return pid, tid


def drawn(path: Path) -> tuple[Arrows, int]:
    """Count the arrows from a call to its own work, and those that end at work of another."""
    own: Arrows = Counter()
    other = 0
    with engine.load([path.read_bytes()], source=path.name) as tp:
        for start, end, start_cat, end_cat, call, work in engine.rows(tp, DRAWN):
            if end_cat in WORK and start_cat in CALLS and start == end:
                own[start, call, work] += 1
            elif end_cat in WORK:
                other += 1
    return own, other


def main() -> None:
    """Print a line for each trace and each form."""
    description, _, details = (__doc__ or "").partition("\n")
    parser = argparse.ArgumentParser(
        prog="python -m tools.launch_arrows",
        description=description,
        epilog=details,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, help="holds traces, *.json.gz, at any depth")
    folder = parser.parse_args().folder
    paths = sorted(folder.rglob("*.json.gz"))
    if not paths:
        parser.error(f"{folder}: holds no trace, *.json.gz.")
    totals: Counter[tuple[str, str]] = Counter()
    for path in paths:
        wanted = recorded(path)
        with tempfile.TemporaryDirectory() as temporary:
            for suffix in ("json", "pftrace"):
                out = Path(temporary) / f"out.{suffix}"
                fix = [sys.executable, "-m", "tp_tools", "fix", str(path), "-o", str(out)]
                done = subprocess.run([*fix, "--verify"], capture_output=True, check=False)  # noqa: S603  ours
                if done.returncode:
                    sys.exit(f"{path}: fix ended with {done.returncode}: {done.stderr.decode()}")
                own, other = drawn(out)
                count = Counter(
                    recorded=wanted.total(),
                    drawn=(wanted & own).total(),
                    more=(own - wanted).total(),
                    other=other,
                )
                print(f"{path.relative_to(folder)} {suffix}: {dict(count)}", flush=True)
                totals.update({(suffix, key): number for key, number in count.items()})
    print({" ".join(key): number for key, number in totals.items()})


if __name__ == "__main__":
    main()
