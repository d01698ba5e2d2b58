"""Run torch_utils' converter, or its merger of SGLang's profiles, from a checkout.

    python -m benchmarks.torch_utils_side CHECKOUT convert TRACE.json.gz OUT.json.gz
    python -m benchmarks.torch_utils_side CHECKOUT merge OUT.json.gz TRACE.json.gz...

The files are given the names that the merger wants: what stands behind TP- is the rank.
"""

from __future__ import annotations

import importlib
import sys
import tempfile
import types
from pathlib import Path

END_MS = 999_999_999


def convert(source: str, target: str) -> None:
    """Move the overlapping kernels of a trace; the result stands beside it, under another name."""
    converter = importlib.import_module("convert_to_perfetto_compatible")
    path = Path(source)
    converter.main(path.name, str(path.parent))
    (path.parent / f"perfetto-compatible-{path.name}").replace(target)


def merge(out: str, *traces: str) -> None:
    """Merge the traces, in the order of their ranks."""
    merger = importlib.import_module("sglang_profiler_trace_merger")
    with tempfile.TemporaryDirectory() as folder:
        links = [Path(folder, f"1-TP-{rank}.trace.json.gz") for rank in range(len(traces))]
        for link, trace in zip(links, traces, strict=True):
            link.symlink_to(Path(trace).absolute())
        everything = merger.Config(start_time_ms=0, end_time_ms=END_MS, thread_filters=None)
        merger._merge_chrome_traces(links, Path(out), everything)  # noqa: SLF001  what it offers


def main(checkout: str, what: str, *names: str) -> None:
    """Run one of the two."""
    for folder in ("convert_to_perfetto_compatible", "torch_profile_trace_merger"):
        sys.path.insert(0, str(Path(checkout, "src", folder)))
    sys.modules.setdefault("typer", types.ModuleType("typer"))  # for its command line alone
    {"convert": convert, "merge": merge}[what](*names)


if __name__ == "__main__":
    main(*sys.argv[1:])
