"""Merge ranks the plain way, for comparison: what most people pass around, written afresh.

    python -m benchmarks.plain_merger OUT.json.gz TRACE.json.gz...

All files become Python objects at once; each process gets a prefix with its rank; gzip -9 writes
the result. Arrows keep their ids, clocks are as they are, nothing is repaired.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any


def main(target: str, *sources: str) -> None:
    """Merge the files."""
    merged: dict[str, Any] = {}
    events: list[dict[str, Any]] = []
    for rank, source in enumerate(sources):
        with gzip.open(source, "rt", encoding="utf-8") as file:
            trace = json.load(file)
        for event in trace.pop("traceEvents"):
            event["pid"] = f"[TP{rank:02d}] {event.get('pid')}"
            events.append(event)
        merged |= trace
    merged["traceEvents"] = events
    Path(target).write_bytes(gzip.compress(json.dumps(merged).encode(), 9))


if __name__ == "__main__":
    main(*sys.argv[1:])
