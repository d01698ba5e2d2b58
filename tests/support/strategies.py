"""Strategies for hypothesis: tracks of slices that nest, with overlaps put in; times in ns."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from tests.support.handmade import micros
from tests.support.overlap_model import Slice

if TYPE_CHECKING:
    from hypothesis.strategies import DrawFn, SearchStrategy

    from tests.support.handmade import Event

PURE = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""For tests that stay in this process: as many examples as the profile in conftest.py says."""
LOADING = settings(PURE, max_examples=20)
"""For tests that load a TraceProcessor, a tenth of a second each."""
LOADING_MANY = settings(PURE, max_examples=10)
"""The same where each example holds many tracks: as many tracks are loaded in half the time."""
MANY = 12
"""The most tracks of such an example; others have half as many."""

WORK = ("cpu_op", "python_function", "kernel", "gpu_memcpy")
ANNOTATIONS = ("user_annotation", "gpu_user_annotation")
NUDGES = (-1001, -1000, -999, -400, -1, 0, 1, 400, 999, 1000, 1001)
"""From an end of a slice to one of another: around the tolerance of 1 us, and around nothing."""

# made once: hypothesis looks at each new strategy for as long as it draws from it
BOOLEANS, FEW, NUDGE = st.booleans(), st.integers(0, 5), st.sampled_from(NUDGES)
CATEGORIES = st.sampled_from(
    [st.sampled_from(it) for it in (WORK + ANNOTATIONS, WORK[:2], WORK[2:], ANNOTATIONS)]
)


@st.composite
def laminar(draw: DrawFn, start: int, end: int, depth: int = 3) -> list[tuple[int, int]]:
    """Intervals between two times, each two of which nest or share no time."""
    return _laminar(draw, start, end, depth)


def _laminar(draw: DrawFn, start: int, end: int, depth: int) -> list[tuple[int, int]]:
    cuts = draw(st.lists(st.integers(start, end), min_size=2, max_size=6, unique=True))
    found = []
    for first, last in pairwise(sorted(cuts)):
        if draw(BOOLEANS):
            found.append((first, last))
            if depth and last - first > 2:  # room for two cuts
                found += _laminar(draw, first, last, depth - 1)
    return found


@st.composite
def rows(draw: DrawFn, length: int = 20_000) -> list[Slice]:
    """A row: stacks that nest, and slices that start and end near the starts and ends of these."""
    intervals = draw(laminar(0, length))
    points = sorted({time for interval in intervals for time in interval}) or [0, length]
    near = st.sampled_from(points)
    for _ in range(draw(FEW)):
        one, other = (max(0, draw(near) + draw(NUDGE)) for _ in range(2))
        intervals.append((min(one, other), max(one, other)))
    cats = draw(CATEGORIES)
    return [Slice(start, end, draw(cats)) for start, end in intervals]


def traces(most_rows: int = MANY // 2) -> SearchStrategy[list[list[Slice]]]:
    """Several rows."""
    return st.lists(rows(), min_size=1, max_size=most_rows)


def events_of(trace: list[list[Slice]], start: int = 0) -> list[Event]:
    """The slices as events, row by row: two rows to a process; names say row and number.

    Args:
        trace: the rows.
        start: what their time 0 is in the trace, ns.
    """
    return [
        {
            "ph": "X",
            "cat": it.cat,
            "name": f"{row}.{number}",
            "pid": row // 2 + 1,
            "tid": 100 + row,
            "ts": micros(start + it.ts),
            "dur": micros(it.recorded_end - it.ts),
            "args": {"correlation": 1000 * row + number},
        }
        for row, slices in enumerate(trace)
        for number, it in enumerate(slices)
    ]
