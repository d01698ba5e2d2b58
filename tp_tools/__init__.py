"""Make GPU traces tell the truth in Perfetto.

import tp_tools

kernels = tp_tools.query("kernels", "traces/")
tp = tp_tools.open_trace("rank0.json.gz")
"""

import importlib
from typing import TYPE_CHECKING, Any

from tp_tools import errors

if TYPE_CHECKING:
    from tp_tools.comparison.api import diff, gate, write_baseline
    from tp_tools.diagnosis.api import diagnose
    from tp_tools.querying.api import InputWarning, LossWarning, open_trace, query, query_all

__all__ = [
    "InputWarning",
    "LossWarning",
    "diagnose",
    "diff",
    "errors",
    "gate",
    "open_trace",
    "query",
    "query_all",
    "write_baseline",
]

_PACKAGES = {
    "diagnose": "diagnosis",
    "diff": "comparison",
    "gate": "comparison",
    "write_baseline": "comparison",
}
"""The packages whose module `api` has a function; `querying` has the others."""


def __getattr__(name: str) -> Any:  # noqa: ANN401  as PEP 562 has it
    """Import a function of the API on first use: the command line needs none of them."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    package = _PACKAGES.get(name, "querying")
    return getattr(importlib.import_module(f"tp_tools.{package}.api"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
