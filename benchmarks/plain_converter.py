"""Un-hide kernels the plain way, for comparison: what most people pass around, written afresh.

    python -m benchmarks.plain_converter TRACE.json.gz OUT.json.gz

The whole file becomes Python objects; one loop moves a kernel that starts before the one ahead of
it on its stream ends to a row of its own, and its flow events with it; gzip -9 writes the result.
It assumes that file order is time order, sees NVIDIA kernels only, and computes with floats.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import orjson


def convert(trace: dict[str, list[dict[str, object]]]) -> None:
    """Move overlapping kernels, in place."""
    ends: dict[tuple[object, object], float] = {}
    moved = set()
    events = trace["traceEvents"]
    for event in events:
        args = event.get("args")
        if event.get("ph") != "X" or not args or "registers per thread" not in args:
            continue
        row = event["pid"], event["tid"]
        if event["ts"] < ends.get(row, 0.0):
            moved.add((*row, event["ts"]))
            event["tid"] = f"{event['tid']}_pdl"
        else:
            ends[row] = event["ts"] + event["dur"]
    for event in events:
        if event.get("ph") == "f" and (event["pid"], event["tid"], event["ts"]) in moved:
            event["tid"] = f"{event['tid']}_pdl"


def main(source: str, target: str) -> None:
    """Convert one file."""
    trace = orjson.loads(gzip.decompress(Path(source).read_bytes()))
    convert(trace)
    Path(target).write_bytes(gzip.compress(orjson.dumps(trace), 9))


if __name__ == "__main__":
    main(*sys.argv[1:])
