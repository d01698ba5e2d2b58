"""Do the least that any repair of a trace must do: unpack, tell events apart, join them, pack.

    python -m benchmarks.floor TRACE.json.gz OUT.json.gz

By the quickest libraries (isal, msgspec), in one process; of the events nothing is looked at. The
whole text is in memory.
"""

from __future__ import annotations

import sys
from pathlib import Path

import msgspec
from isal import igzip


def main(source: str, target: str) -> None:
    """Copy one file."""
    whole = msgspec.json.decode(
        igzip.decompress(Path(source).read_bytes()), type=dict[str, msgspec.Raw]
    )
    events = msgspec.json.decode(whole["traceEvents"], type=list[msgspec.Raw])
    text = b'{"traceEvents":[' + b",".join(events) + b"]}"
    Path(target).write_bytes(igzip.compress(text, 1))


if __name__ == "__main__":
    main(*sys.argv[1:])
