"""Make GPU traces tell the truth in Perfetto.

import tp_tools

tp_tools.fix("rank0.json.gz")
kernels = tp_tools.query("kernels", "traces/")
tp = tp_tools.open_trace("rank0.json.gz")
"""

import importlib
from typing import TYPE_CHECKING, Any

from tp_tools import errors

if TYPE_CHECKING:
    from tp_tools.caller import InputWarning, LossWarning
    from tp_tools.comparison.api import diff, gate, write_baseline
    from tp_tools.crosscheck.api import compare
    from tp_tools.diagnosis.api import diagnose
    from tp_tools.inspection.api import info
    from tp_tools.merging.api import merge
    from tp_tools.querying.api import open_job, open_trace, query, query_all
    from tp_tools.repair.api import fix
    from tp_tools.reporting.api import report
    from tp_tools.viewer.api import view

    __version__: str

__all__ = [
    "InputWarning",
    "LossWarning",
    "__version__",
    "compare",
    "diagnose",
    "diff",
    "errors",
    "fix",
    "gate",
    "info",
    "merge",
    "open_job",
    "open_trace",
    "query",
    "query_all",
    "report",
    "view",
    "write_baseline",
]

_MODULES = {
    "InputWarning": "caller",
    "LossWarning": "caller",
    "compare": "crosscheck.api",
    "diagnose": "diagnosis.api",
    "diff": "comparison.api",
    "fix": "repair.api",
    "gate": "comparison.api",
    "info": "inspection.api",
    "merge": "merging.api",
    "open_job": "querying.api",
    "open_trace": "querying.api",
    "query": "querying.api",
    "query_all": "querying.api",
    "report": "reporting.api",
    "view": "viewer.api",
    "write_baseline": "comparison.api",
}
"""The module of each name that is imported when it is first used."""


def __getattr__(name: str) -> Any:  # noqa: ANN401  as PEP 562 has it
    """Import a function of the API on first use: the command line needs none of them."""
    if name == "__version__":
        from importlib.metadata import version  # noqa: PLC0415  0.02 s

        return version("tp-tools")
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"tp_tools.{_MODULES[name]}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
