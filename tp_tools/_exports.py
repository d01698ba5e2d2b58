"""Import what packages export when it is first used, so that --help imports no numpy."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


def exporter(package: str, modules: Mapping[str, str]) -> Callable[[str], Any]:
    """Make the `__getattr__` of a package (PEP 562).

    Args:
        package: its name, for example "tp_tools.repair".
        modules: module of each exported name, within the package: {"analyze": "analysis"}.

    Returns:
        A function that imports an exported name; it raises AttributeError for any other.
    """

    def get(name: str) -> Any:  # noqa: ANN401  whatever is exported
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{modules[name]}"), name)

    return get
