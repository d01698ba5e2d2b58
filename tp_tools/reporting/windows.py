"""Choose into how many windows the time of a profile is cut for the strip of a page."""

from __future__ import annotations

MAX_CELLS = 32_000
_MAX_WINDOWS, _MIN_WINDOWS = 4000, 250


def windows(traces: int) -> int:
    """Return the number of windows for so many traces: what a page can hold and a screen show."""
    return max(_MIN_WINDOWS, min(_MAX_WINDOWS, MAX_CELLS // traces))
