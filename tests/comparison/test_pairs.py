"""Pairs of generated recordings: how often equal ones differ, and slower ops are found and named.

A recording has a clock of its own and steps that drift, kernels that jitter, and now and then a
step that something disturbs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.support.comparing import a_side
from tests.support.comparing import steps as trace_of
from tests.support.handmade import text
from tp_tools.comparison import compare
from tp_tools.comparison.model import CHANGED
from tp_tools.comparison.reading import Selection, pair
from tp_tools.comparison.sides import pooled
from tp_tools.progress import SILENT
from tp_tools.querying import LoadOptions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.gpu_traces import Event
    from tp_tools.comparison import Comparison
    from tp_tools.comparison.model import Side

PAIRS = 40
SLOWER = 1.1
"""By how much an op is made slower."""

COSTS = {f"op{i}": 1000 * 1.3**i for i in range(20)}
"""ns of the kernels of a step: from 1 us to 146 us."""


def recorded(random: np.random.Generator, steps: int, slow: str = "") -> dict[str, list[float]]:
    """Ns of each kernel in each step of one recording."""
    clock = random.normal(1, 0.004)
    drift = random.normal(1, 0.004, steps)
    drift[random.random(steps) < 0.05] *= 1.3  # disturbed
    return {
        name: list(
            np.round(
                cost
                * clock
                * drift
                * random.normal(1, 0.01, steps)
                * (SLOWER if name == slow else 1)
            )
        )
        for name, cost in COSTS.items()
    }


def compared(seed: int, slow: str = "") -> Comparison:
    """A pair of recordings of 12 and 15 steps; an op of the second may be slower."""
    random = np.random.default_rng(seed)
    return compare(a_side(recorded(random, 12)), a_side(recorded(random, 15, slow)))


def test_equal_programs_rarely_differ() -> None:
    """Of 40 pairs without a difference at most one has any row that is said to have changed."""
    alarms = sum(
        any(it.verdict in CHANGED for it in (found.step, *found.changes))
        for found in map(compared, range(PAIRS))
    )
    assert alarms <= 1


def changed(found: Comparison) -> list[str]:
    """Names of kernels that are said to have changed, the largest difference first."""
    return [it.key.name for it in found.of("kernel") if it.verdict in CHANGED]


def test_a_slower_op_is_found_and_named() -> None:
    """Of 40 pairs with one op 10 % slower at least 38 say so, and name this op first."""
    random = np.random.default_rng(1)
    hits = 0
    for seed in range(PAIRS):
        slow = f"op{random.integers(6, 20)}"
        hits += changed(compared(1000 + seed, slow))[:1] == [slow]
    assert hits >= 38


def recordings(random: np.random.Generator, count: int, slow: str = "") -> Side:
    """Several recordings of one program, that differ by 1.5 % in each op beside their clocks."""
    of = []
    for _ in range(count):
        steps = recorded(random, 12, slow)
        of.append(
            a_side({it: list(np.array(ns) * random.normal(1, 0.015)) for it, ns in steps.items()})
        )
    return pooled("recordings", of)


def test_recordings_are_samples() -> None:
    """Of 40 pairs of 5 recordings a side 38 name the slow op, and at most one is a false alarm."""
    count = 5
    random = np.random.default_rng(count)
    alarms = hits = 0
    for number in range(PAIRS):
        slow = f"op{6 + number % 14}"
        before = recordings(random, count)
        equal = compare(before, recordings(random, count))
        alarms += any(it.verdict in CHANGED for it in (equal.step, *equal.changes))
        hits += changed(compare(before, recordings(random, count, slow)))[:1] == [slow]
    assert alarms <= 1
    assert hits >= 38


def test_through_traces(tmp_path: Path) -> None:
    """The same by files: of six pairs the slower op is named in each, and nothing else."""

    def write(name: str, kernels: dict[str, list[float]]) -> str:
        count = len(next(iter(kernels.values())))
        steps = [{it: int(ns[i]) for it, ns in kernels.items()} for i in range(count)]
        events: list[Event] = trace_of(*steps)
        (tmp_path / name).write_bytes(text(events))
        return str(tmp_path / name)

    for seed in range(6):
        random = np.random.default_rng(seed)
        slow = f"op{10 + seed}"
        names = write("a.json", recorded(random, 8)), write("b.json", recorded(random, 8, slow))
        found = compare(*pair(names, Selection(), LoadOptions(), SILENT))
        assert changed(found)[:1] == [slow]
