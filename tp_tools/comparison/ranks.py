"""Gather the samples of each rank from the rows of queries."""

from __future__ import annotations

from collections import defaultdict
from statistics import median_low
from typing import TYPE_CHECKING, Any

from msgspec import Struct, field
from msgspec.structs import replace

from tp_tools.comparison.model import BUS, CPU_STEP, KERNEL, STEP, TIME, Key, Launches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tp_tools.chrome.metadata import TraceMetadata
    from tp_tools.engine import Rows

SAMPLES, SEQUENCE, PHASES = "step_samples", "launch_sequence", "phases"
OPS, MODULES = "step_ops", "step_modules"

Row = dict[str, Any]

Place = tuple[int | None, int | None]
"""Number and start of a step; (None, None) stands for a recording without steps."""


class Step(Struct, frozen=True):
    """One sample of a rank.

    Attributes:
        number: number of the step; None for a recording without steps.
        name: its name; "" likewise.
        phase: prefill, decode, ...; "" where nothing says.
        rows: (count, ns) by row; of the level `BUS` (count, bytes).
    """

    number: int | None
    name: str
    phase: str
    rows: Mapping[Key, tuple[int, float]]

    @property
    def ns(self) -> float:
        """Its time, on the GPU where it used one, ns."""
        for name in (STEP, CPU_STEP):
            if (key := Key(TIME, name)) in self.rows:
                return self.rows[key][1]
        return 0


class RankSamples(Struct, frozen=True):
    """The samples of one rank.

    Attributes:
        rank: its number; None if unknown.
        steps: its steps in order, or the one recording.
        launches: the launch sequence of the median step of each phase.
        outside_ns: GPU work of no step, ns.
        stated: what the header of its trace says.
    """

    rank: int | None
    steps: Sequence[Step]
    launches: Mapping[str, Launches] = field(default_factory=dict)
    outside_ns: int = 0
    stated: TraceMetadata | None = None


def of_trace(answers: Mapping[str, Rows], stated: TraceMetadata | None) -> list[RankSamples]:
    """Gather the samples of the ranks of a trace: of one, or of several that are merged.

    Args:
        answers: rows by query: `SAMPLES`, `SEQUENCE`, and where they were run `PHASES`, and `OPS`
            and `MODULES`, which have the columns of `SAMPLES`.
        stated: what the header of the trace says.
    """
    engine_steps = _rows(answers[PHASES]) if PHASES in answers else ()
    phases = {row["name"]: row["phase"] for row in engine_steps if row["phase"] is not None}
    by_rank: dict[int | None, list[Row]] = defaultdict(list)
    for name, answer in answers.items():
        if name not in {SEQUENCE, PHASES}:
            for row in _rows(answer):
                by_rank[row["rank"]].append(row)
    launches: dict[int | None, dict[Place, list[Row]]] = defaultdict(lambda: defaultdict(list))
    for row in _rows(answers[SEQUENCE]):
        launches[row["rank"]][row["number"], row["step_ts"]].append(row)
    return [
        _of_rank(rank, rows, launches[rank], phases, stated)
        for rank, rows in sorted(by_rank.items(), key=lambda it: (it[0] is not None, it[0] or 0))
    ]


def may_have_phases(samples: Rows) -> bool:
    """Tell whether some step is neither a ProfilerStep nor without a name."""
    column = samples.columns.index("step")
    names = {row[column] for row in samples.rows} - {None}
    return not all(name.startswith("ProfilerStep") for name in names)


def _rows(answer: Rows) -> Iterator[Row]:
    for row in answer.rows:
        yield dict(zip(answer.columns, row, strict=True))


def _of_rank(
    rank: int | None,
    rows: Iterable[Row],
    launches: Mapping[Place, Sequence[Row]],
    phases: Mapping[str, str],
    stated: TraceMetadata | None,
) -> RankSamples:
    steps: dict[Place, dict[Key, tuple[int, float]]] = defaultdict(dict)
    names = dict[Place, str]()
    outside = 0
    for row in rows:
        if row["reason"] is not None:
            outside += row["total_ns"] if row["level"] == KERNEL else 0
            continue
        place = row["number"], row["step_ts"]
        key = Key(row["level"], row["name"], row["detail"] or "")
        steps[place][key] = row["count"], row["total_ns"]
        if row.get("bus_bytes") is not None:
            steps[place][replace(key, level=BUS)] = row["count"], row["bus_bytes"]
        names[place] = row["step"] or ""
    found = {
        place: Step(place[0], names[place], phases.get(names[place], ""), cells)
        for place, cells in sorted(steps.items(), key=lambda it: it[0][1] or 0)
    }
    return RankSamples(
        rank, list(found.values()), _median_launches(found, launches), outside, stated
    )


def _median_launches(
    steps: Mapping[Place, Step], launches: Mapping[Place, Sequence[Row]]
) -> dict[str, Launches]:
    """Return the launch sequence of the median step of each phase."""
    by_phase: dict[str, list[tuple[float, int, Place]]] = defaultdict(list)
    for order, (place, step) in enumerate(steps.items()):
        if place in launches:
            by_phase[step.phase].append((step.ns, order, place))
    return {phase: _launches(launches[median_low(of)[2]]) for phase, of in by_phase.items()}


def _launches(rows: Sequence[Row]) -> Launches:
    first = min(row["ts"] for row in rows)
    return Launches(
        names=tuple(row["name"] for row in rows),
        kinds={row["name"]: row["kind"] for row in rows},
        grids=tuple(row["grid"] for row in rows),
        graph_share=sum(row["in_graph"] for row in rows) / len(rows),
        spans=tuple((row["ts"] - first, row["dur"]) for row in rows),
    )
