"""Run trace-lanefix from a folder that it was installed into.

    pip install --target FOLDER trace-lanefix==0.1.1
    python -m benchmarks.lanefix_side FOLDER TRACE.json OUT.json

It reads and writes plain JSON only.
"""

from __future__ import annotations

import importlib
import sys


def main(folder: str, source: str, target: str) -> None:
    """Repair one trace by its function, with its own limits."""
    sys.path.insert(0, folder)
    importlib.import_module("trace_lanefix.core").fix_overlaps(source, target)


if __name__ == "__main__":
    main(*sys.argv[1:])
