"""Where coverage.py counts lines: in tests of the fast subset, in the processes of pytest itself.

Counting makes Python 1.5 to 2 times slower before Python 3.12, a third of the time of a whole run,
though a line needs to be reached once only.
"""

from __future__ import annotations

import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hypothesis import is_hypothesis_test

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest

COSTLY = ("browser", "recorded")
"""Marks of tests that work long, on lines that small traces reach, too."""


def counts_lines(item: pytest.Item) -> bool:
    """Tell whether lines that a test reaches are counted."""
    is_property = is_hypothesis_test(getattr(item, "obj", None))  # the same lines a hundred times
    return not is_property and not any(item.get_closest_marker(mark) for mark in COSTLY)


def counting_variables() -> dict[str, str]:
    """Return the environment in which a command counts its lines, too; empty if none are counted.

    For what no test reaches in pytest's processes: the server of `view`.
    """
    coverage = sys.modules.get("coverage")
    counting = coverage and coverage.Coverage.current()
    return {"COVERAGE_PROCESS_CONFIG": counting.config.serialize()} if counting else {}


@contextmanager
def paused() -> Iterator[None]:
    """Count no lines while the block runs; without coverage.py nothing changes."""
    coverage = sys.modules.get("coverage")
    counting = coverage and coverage.Coverage.current()
    if not counting:
        yield
        return
    counting.stop()
    try:
        yield
    finally:
        counting.start()
