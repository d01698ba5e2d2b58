"""The packages export a small interface, imported when it is asked for."""

from __future__ import annotations

import importlib
import pkgutil
import types

import pytest

import tp_tools

PACKAGES = [
    f"tp_tools.{module.name}" for module in pkgutil.iter_modules(tp_tools.__path__) if module.ispkg
]


@pytest.mark.parametrize("name", PACKAGES)
def test_every_exported_name_is_there(name: str) -> None:
    """Each name in `__all__` can be imported from the package, and is no module of it."""
    package = importlib.import_module(name)
    for exported in getattr(package, "__all__", ()):
        assert not isinstance(getattr(package, exported), types.ModuleType)


def test_other_names_are_refused() -> None:
    """A name that a package does not export raises AttributeError, as for any module."""
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        importlib.import_module("tp_tools.repair").nothing  # noqa: B018
