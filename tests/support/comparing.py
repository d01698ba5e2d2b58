"""Make the sides of comparisons by hand, and traces of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from tests.support.gpu_traces import Event, call, note, work
from tp_tools.comparison.model import (
    KERNEL,
    STEP,
    TIME,
    Change,
    Comparison,
    Facts,
    Key,
    Launches,
    Samples,
    Side,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

STEP_KEY = Key(TIME, STEP)


def kernel(name: str) -> Key:
    """The row of a kernel that computes."""
    return Key(KERNEL, name, "compute")


def a_side(
    kernels: Mapping[str, Sequence[float]],
    launches: Sequence[str] | None = None,
    *,
    facts: Facts | None = None,
    grids: Sequence[str | None] | None = None,
    graph_share: float = 0,
    spans: Sequence[tuple[int, int]] = (),
) -> Side:
    """A side whose steps hold kernels, ns in each step; a step takes as long as they together."""
    rows = {
        kernel(name): Samples(np.array([float(it > 0) for it in ns]), np.array(ns, float))
        for name, ns in kernels.items()
    }
    count = len(next(iter(kernels.values())))
    whole = np.sum([it.ns for it in rows.values()], axis=0)
    rows[STEP_KEY] = Samples(np.ones(count), whole)
    order = list(kernels) if launches is None else launches
    sequence = Launches(
        names=tuple(order),
        kinds=dict.fromkeys(order, "compute"),
        grids=tuple(grids or [None] * len(order)),
        graph_share=graph_share,
        spans=tuple(spans),
    )
    return Side("side", count, rows, sequence, facts or Facts())


def verdicts(found: Comparison) -> dict[str, str]:
    """Verdict of each kernel."""
    return {it.key.name: it.verdict for it in found.of(KERNEL)}


def change(found: Comparison | Iterable[Change], name: str) -> Change:
    """The row of a name."""
    rows = found.changes if isinstance(found, Comparison) else found
    (row,) = (it for it in rows if it.key.name == name)
    return row


def steps(*kernels: Mapping[str, int], idle: int = 10, first: int = 1) -> list[Event]:
    """A trace of steps, each with kernels of so many ns, one after the other.

    The CPU launches all kernels of a step in its first ns, and begins the next step when the GPU is
    done. Before each kernel the GPU idles.
    """
    events, at, correlation = list[Event](), 0, 0
    for number, them in enumerate(kernels, first):
        start = at
        for place, (name, dur) in enumerate(them.items()):
            correlation += 1
            events.append(call("cudaLaunchKernel", start + place, start + place + 1, correlation))
            at += idle
            events.append(work(name, at, at + dur, correlation=correlation))
            at += dur
        events.append(note(f"ProfilerStep#{number}", start, at))
    return events
