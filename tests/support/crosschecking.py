"""Recordings of an invented program, without files: what each profiler saw of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from fixtures.pairs import KERNELS, Seen, Workload, run
from tp_tools.crosscheck.model import KINETO, Recording

if TYPE_CHECKING:
    from collections.abc import Sequence


def recorded(workload: Workload, seen: Seen, profiler: str = KINETO) -> Recording:
    """What a profiler recorded of a program."""
    made = run(workload, seen)
    kernels = [it for it in made.launches if it.has_kernel]
    spelled = [KERNELS[it.kind][0 if profiler == KINETO else 1] for it in kernels]
    return Recording(
        file=profiler,
        names=spelled,
        base_names=[str(it.kind) for it in kernels],
        shapes=[(f"{it.grid} x 1 x 1", "64 x 1 x 1", 40, 1536) for it in kernels],
        ts=column([it.start for it in kernels]),
        dur=column([it.dur for it in kernels]),
        launched=column([it.called for it in kernels]),
        streams=column([7] * len(kernels)),
        calls=column([it.called for it in made.launches if not it.has_kernel]),
        annotations={f"step {step}": times for step, times in made.steps.items()},
    )


def column(values: Sequence[int]) -> np.ndarray:
    """A column of whole numbers."""
    return np.array(values, np.int64)
