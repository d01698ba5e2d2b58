"""Which tests run in one process of pytest-xdist: those that share what takes long to make."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest


def group(test: pytest.Function) -> str | None:
    """Name the group of a test, or return None for one that may run anywhere.

    Tests that share fixtures of their module, with the same parameters, are a group: in one process
    each fixture is made once. Tests of one recorded trace in an engine that all modules share are
    named for the trace.
    """
    if test.get_closest_marker("xdist_group"):
        return None  # it says so itself
    made = test._fixtureinfo.name2fixturedefs  # there is no public way
    callspec = getattr(test, "callspec", None)
    given = {} if callspec is None else callspec.params
    shared = [name for name, defs in made.items() if defs[-1].scope == "module"]
    if "loaded_recording" in made:
        (trace,) = (value for name, value in given.items() if name in {"name", *shared})
        return str(trace)
    params = [str(given[name]) for name in shared if name in given]
    return "-".join([test.module.__name__, *params]) if shared else None
