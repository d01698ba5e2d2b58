"""Which tests run in one process of pytest-xdist: those that share what takes long to make."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def group(test: pytest.Function) -> str | None:
    """Name the group of a test, or return None for one that may run anywhere.

    Tests that share fixtures of their module, with the same parameters, are a group: in one process
    each fixture is made once. A parameter that names a recorded trace makes a group across modules.
    """
    made = test._fixtureinfo.name2fixturedefs  # there is no public way
    shared = [name for name, defs in made.items() if defs[-1].scope == "module"]
    if not shared:
        return None
    callspec = getattr(test, "callspec", None)
    given = {} if callspec is None else callspec.params
    params = [str(given[name]) for name in shared if name in given]
    is_of_trace = len(params) == 1 and "real_trace" in test.fixturenames
    return params[0] if is_of_trace else "-".join([test.module.__name__, *params])
