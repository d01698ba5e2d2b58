"""Define what is compared: the samples of two sides, and the changes between them."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct, field

from tp_tools import notebook
from tp_tools.comparison.statistics import TRIM, typical

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

    Floats: TypeAlias = NDArray[np.float64]

TIME, KERNEL, COLLECTIVE, MODULE, GAP, OP = "time", "kernel", "collective", "module", "gap", "op"
BUS = "bus"
"""Level of the bytes of collectives, times the factor of busbw: no time, and in no table."""

LEVELS = (TIME, KERNEL, COLLECTIVE, MODULE, GAP, OP)
"""Levels of a comparison, in the order in which they are shown."""

STEP = "step"
"""The row of `TIME` that is the time of the whole step on the GPU."""

CPU_STEP = "cpu_step"
"""That of the step on the CPU."""

COMMUNICATION, WAITING = "communication", "waiting"
"""Rows of `TIME`: collectives ran and no compute, once all ranks had come, and before that."""

TRIMMED_RECORDINGS = 10
"""Recordings of a side from which on some are left out. Each is a typical step already, so that few
are far off; of five three would remain."""


class Key(Struct, frozen=True, order=True):
    """What a row is about.

    Attributes:
        level: one of `LEVELS`.
        name: name of a part of the step, kernel, kind of collective, path of a module, cause of
            gaps, or op.
        detail: compute, collective or copy of a kernel; process group of a collective; call of a
            gap; "" where there is none.
    """

    level: str
    name: str
    detail: str = ""


class Samples(Struct, frozen=True):
    """What one row took in each sample of a side.

    Attributes:
        counts: how many there were, mean of the ranks, shape (samples,).
        ns: their durations, summed, mean of the ranks, ns, shape (samples,).
    """

    counts: Floats
    ns: Floats

    @property
    def is_everywhere(self) -> bool:
        """Whether all samples have the row."""
        return bool((self.counts > 0).all())

    def typical_ns(self, trim: float = TRIM) -> float:
        """Return the trimmed mean of the durations, ns; the mean where some samples lack the row.

        Args:
            trim: share of the samples that is left out at either end.
        """
        return float(typical(self.ns[:, None], trim if self.is_everywhere else 0)[0])


class Launches(Struct, frozen=True):
    """The launch sequence of one step: that of the median step of the first rank.

    Attributes:
        names: names of kernels and copies in the order of their launches.
        kinds: compute, collective or copy, by name.
        grids: blocks of the grid of each launch; None where not recorded.
        graph_share: share of the launches that are of a graph, 0 to 1.
        spans: start and duration of each, ns, from the first start on; empty if unknown.
    """

    names: tuple[str, ...]
    kinds: Mapping[str, str]
    grids: tuple[str | None, ...]
    graph_share: float
    spans: tuple[tuple[int, int], ...] = ()


class Facts(Struct, frozen=True):
    """What is known of a side beside its times.

    Attributes:
        gpu: name of the GPUs; "" if unknown.
        versions: such as "12.4", by product.
        ranks: how many ranks were read.
        unit: "step", or "recording" where no steps are known.
        phase: the phase of its steps (prefill, decode, ...); "" where steps have none.
        left_out: steps of other phases, by phase.
        outside_ns: GPU work of no step, mean of the ranks, ns.
    """

    gpu: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)
    ranks: int = 1
    unit: str = "step"
    phase: str = ""
    left_out: Mapping[str, int] = field(default_factory=dict)
    outside_ns: float = 0


class Side(Struct, frozen=True):
    """One side of a comparison.

    Attributes:
        name: as the user gave it.
        samples: how many samples there are.
        rows: the samples of each row; a row that a sample lacks is 0 there.
        launches: a launch sequence; None where it is unknown, as of a baseline.
        facts: what else is known.
        full_names: the kernel with most time of those of a short name, by that; empty where kernels
            have their full names.
    """

    name: str
    samples: int
    rows: Mapping[Key, Samples]
    launches: Launches | None = None
    facts: Facts = field(default_factory=Facts)
    full_names: Mapping[str, str] = field(default_factory=dict)

    @property
    def step(self) -> Key:
        """The row of the time of a step: on the GPU, of traces without GPU work on the CPU."""
        on_gpu = Key(TIME, STEP)
        return on_gpu if on_gpu in self.rows else Key(TIME, CPU_STEP)

    @property
    def trim(self) -> float:
        """Share of the samples that a typical value leaves out at either end."""
        few = self.facts.unit == "recording" and self.samples < TRIMMED_RECORDINGS
        return 0 if few else TRIM

    def mean_ns(self, key: Key) -> float:
        """Return what a row takes in a typical step, ns; 0 where the side has none."""
        return self.rows[key].typical_ns(self.trim) if key in self.rows else 0.0


class Change(Struct, frozen=True):
    """A row of a comparison.

    Attributes:
        key: what it is about; of a renamed kernel with the name in B.
        was: the name in A of a renamed kernel; "" for others.
        verdict: slower, faster: it changed; within noise; unclear: all samples of one side are
            above those of the other, but they are too few to be sure; too little: less of a step
            than is worth judging; same: equal in every sample; not tested: fewer than two samples
            a side; new, gone: only one side has it.
        count_a, count_b: how many there are in a step, mean.
        total_a, total_b: their durations in all samples, ns.
        mean_a, mean_b: their durations in a typical step, ns: means without the quarter of the
            steps at either end, if all steps have them; else means.
        low, high: interval of mean_b - mean_a of 95 %, ns; None where not tested.
        p: chance of such a difference by noise alone, corrected for all rows; None likewise.
        share: mean_b - mean_a as share of the change of the step; None where the step did not
            change.
    """

    key: Key
    verdict: str
    count_a: float
    count_b: float
    total_a: float
    total_b: float
    mean_a: float
    mean_b: float
    was: str = ""
    low: float | None = None
    high: float | None = None
    p: float | None = None
    share: float | None = None

    @property
    def diff_ns(self) -> float:
        """mean_b - mean_a, ns."""
        return self.mean_b - self.mean_a

    @property
    def relative(self) -> float | None:
        """diff_ns as share of mean_a; None where that is 0."""
        return self.diff_ns / self.mean_a if self.mean_a else None


CHANGED = ("slower", "faster", "new", "gone")
"""Verdicts of rows that changed."""


class Comparison(Struct, frozen=True):
    """Two sides compared.

    Attributes:
        a, b: the sides.
        step: the change of the step's time.
        changes: all other rows, the largest difference of each level first.
        cannot: why the sides cannot be compared; () where they can.
        notes: what the numbers do not say by themselves.
        families: family of each kernel by its name; of kernels that take a notable share of a step.
    """

    a: Side
    b: Side
    step: Change
    changes: tuple[Change, ...]
    cannot: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    families: Mapping[str, str] = field(default_factory=dict)

    def _repr_html_(self) -> str:
        """Return the step and what changed as a table, for notebooks; times are ns of a step."""
        if self.cannot:
            return notebook.paragraph(f"Cannot compare: {'; '.join(self.cannot)}.")
        shown = [self.step, *(it for it in self.changes if it.verdict in CHANGED)]
        rows = [
            (it.key.level, it.key.name, it.verdict, *map(round, (it.mean_a, it.mean_b, it.diff_ns)))
            for it in shown
        ]
        notes = "".join(map(notebook.paragraph, self.notes))
        return notes + notebook.table(("", "name", "verdict", "a_ns", "b_ns", "diff_ns"), rows)

    def of(self, level: str) -> list[Change]:
        """Return the rows of a level, the largest difference first."""
        return [it for it in self.changes if it.key.level == level]
