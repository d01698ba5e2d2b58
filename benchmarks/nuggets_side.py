"""Run transformer_nuggets' converter and merger from a checkout without the torch they import.

python -m benchmarks.nuggets_side CHECKOUT convert TRACE.json.gz OUT.pftrace
python -m benchmarks.nuggets_side CHECKOUT merge OUT TRACE.json.gz...
"""

from __future__ import annotations

import importlib
import sys
import types
from pathlib import Path
from unittest.mock import MagicMock


def main(checkout: str, what: str, *names: str) -> None:
    """Run one of the two."""
    for package in ("transformer_nuggets", "transformer_nuggets.utils"):
        module = types.ModuleType(package)
        module.__path__ = [str(Path(checkout, *package.split(".")))]
        sys.modules[package] = module
    if what == "convert":
        perfetto = importlib.import_module("transformer_nuggets.utils.perfetto")
        source, target = names
        perfetto.write_perfetto_trace(target, perfetto.read_trace(source))
    else:
        sys.modules.setdefault("typer", _typer())
        merger = importlib.import_module("transformer_nuggets.utils.merge_traces")
        out, *traces = names
        merger.merge_traces(traces, out, align_timestamps=True)


def _typer() -> types.ModuleType:
    """Stand in for typer: the names that the merger uses for its command line, which is not run."""
    module = types.ModuleType("typer")
    module.Typer = MagicMock()  # type: ignore[attr-defined]
    module.Argument = module.Option = MagicMock()  # type: ignore[attr-defined]
    return module


if __name__ == "__main__":
    main(*sys.argv[1:])
