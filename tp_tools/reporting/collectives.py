"""The collectives that ranks share: who came late, who kept others waiting."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from tp_tools.formatting import plural
from tp_tools.reporting.bandwidth import bandwidth
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.plots import heat_map
from tp_tools.reporting.stragglers import doubts, matches, stragglers
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.reporting.data import Answers
    from tp_tools.reporting.labels import Labels

MOST_COLLECTIVES = 900
"""Columns of the heat map: in a window of 1280 pixels, more would hide each other."""

MOST_CELLS = 128 * MOST_COLLECTIVES
MOST_ROWS = 40
MOST_RANK_COLUMNS = 8
SURE = ("certain", "tested")
ALONE = "alone"
UNCERTAIN = "uncertain"


@dataclass
class Collective:
    """A collective, and when each rank came to it.

    Attributes:
        number: in the trace, over all kinds.
        kind, seq, group, confidence, step: as `collectives_by_rank` says.
        arrivals: ns, by rank.
    """

    number: int
    kind: str
    seq: int | None
    group: str | None
    confidence: str
    step: str | None
    arrivals: dict[int | None, int] = field(default_factory=dict)

    @property
    def first(self) -> int:
        """The first arrival, ns."""
        return min(self.arrivals.values())

    @property
    def skew_us(self) -> float:
        """From the first to the last arrival."""
        return (max(self.arrivals.values()) - self.first) / 1e3

    @property
    def last(self) -> int | None:
        """The rank that came last; of several the lowest."""
        return max(self.arrivals, key=lambda rank: (self.arrivals[rank], -(rank or 0)))

    def late_us(self, rank: int | None) -> float | None:
        """How long after the first one it came; None if it has no part."""
        return (self.arrivals[rank] - self.first) / 1e3 if rank in self.arrivals else None

    def title(self) -> str:
        """What it is, in a line."""
        seq = "" if self.seq is None else f", seq {self.seq}"
        group = "" if self.group is None else f", group {self.group}"
        step = "" if self.step is None else f", {self.step}"
        return f"{self.number}: {self.kind}{seq}{group}{step} ({self.confidence})"


def exchanges(answers: Answers, labels: Labels) -> Section:
    """All there is to say of collectives."""
    title = "Collectives: ranks waiting for each other"
    found = _collectives(answers)
    if not found:
        return Section(
            "collectives", title, "The trace has no collectives: its GPUs exchanged no data."
        )
    ranks = {rank for it in found for rank in it.arrivals}
    says = (
        "A collective is an exchange of data between several ranks (processes, usually with a GPU "
        "each). It ends when all have taken part, so the last one to come, the straggler, makes "
        f"all others wait. {plural(len(found), 'collective')} of {plural(len(ranks), 'rank')} "
        f"{'was' if len(found) == 1 else 'were'} found."
    )
    figures = [_kinds(found)]
    if answers.answers["comm_overlap"].rows:
        figures.append(_overlap(answers, labels))
    figures += [
        _late(found, labels, doubts(answers)),
        *bandwidth(answers),
        stragglers(answers, labels),
    ]
    return Section("collectives", title, says, figures)


def _collectives(answers: Answers) -> list[Collective]:
    """By their first arrival."""
    found: dict[int, Collective] = {}
    columns = ("collective", "kind", "seq", "process_group", "confidence", "step")
    rows = answers.rows("collectives_by_rank", *columns, "rank", "arrival")
    for number, kind, seq, group, confidence, step, rank, arrival in rows:
        whole = "send_recv" if kind in ("send", "recv") else kind
        it = found.setdefault(number, Collective(number, whole, seq, group, confidence, step))
        it.arrivals[rank] = max(arrival, it.arrivals.get(rank, arrival))
    return sorted(found.values(), key=lambda it: (it.first, it.number))


def _kinds(found: list[Collective]) -> Figure:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for it in found:
        counts[it.kind][it.confidence] += 1
    known = [name for name in (*SURE, UNCERTAIN, ALONE) if any(it[name] for it in counts.values())]
    columns = [
        Column("kind", "kind", "text"),
        Column("collectives", "in all"),
        *(Column(name, _CONFIDENCE[name]) for name in known),
    ]
    rows = [
        (kind, it.total(), *(it[name] for name in known))
        for kind, it in sorted(counts.items(), key=lambda pair: (-pair[1].total(), pair[0]))
    ]
    return Figure(
        "collective-kinds",
        "What was exchanged, and how sure the matches are",
        "Which parts on different ranks are one collective is known for certain where the profiler "
        "numbered them. Elsewhere they are matched by order and time, and tested: all ranks must "
        "have been in it at one moment. What failed that test is uncertain, and left out below; "
        "what was found on one rank only is alone.",
        queries=("collectives_by_rank",),
        table=Table(columns, rows),
    )


_CONFIDENCE = {
    "certain": "match certain",
    "tested": "match tested",
    UNCERTAIN: "match uncertain",
    ALONE: "on one rank only",
}


def _overlap(answers: Answers, labels: Labels) -> Figure:
    keys = (
        "rank",
        "collectives",
        "communication_ns",
        "hidden_ns",
        "exposed_ns",
        "hidden_percent",
    )
    columns = [
        Column("label", "rank", "text"),
        Column("collectives", "collectives"),
        Column("communication_ns", "communication", "ns"),
        Column("hidden_ns", "hidden behind compute", "ns"),
        Column("exposed_ns", "exposed", "ns"),
        Column("hidden_percent", "hidden", "percent"),
    ]
    rows = [(labels.rank(rank), *rest) for rank, *rest in answers.rows("comm_overlap", *keys)]
    return Figure(
        "communication-overlap",
        "Communication hidden behind compute",
        "The larger the hidden share, the less communication costs.",
        queries=("comm_overlap",),
        table=Table(columns, rows),
    )


def _late(found: list[Collective], labels: Labels, notes: Sequence[str]) -> Figure:
    title = "Who came late"
    shared = [it for it in found if it.confidence != ALONE]
    sure = [it for it in shared if it.confidence in SURE]
    unsure = len(shared) - len(sure)
    if not sure:
        why = (
            f"All that the ranks share ({matches(unsure)}) is matched uncertainly: not known."
            if unsure
            else "This can be told only with traces of several ranks that share collectives."
        )
        return Figure("skew", title, why, queries=("collectives_by_rank",))
    ranks = sorted({rank for it in sure for rank in it.arrivals}, key=lambda rank: rank or 0)
    most = min(MOST_COLLECTIVES, max(1, MOST_CELLS // len(ranks)))
    worst = sorted(sure, key=lambda it: (-it.skew_us, it.number))
    chosen = {it.number for it in worst[:most]}
    shown = [it for it in sure if it.number in chosen]
    left_out = []
    if len(shown) < len(sure):
        left_out.append(f"The plot has the {most:,} with the largest skew, of {len(sure):,}.")
    if unsure:
        left_out.append(f"Left out: {plural(unsure, 'collective')} with an uncertain match.")
    return Figure(
        "skew",
        title,
        "A row per rank, a column per collective. The stronger the colour, the longer after the "
        "first rank this one came. A row that stands out is a rank that is always late; a column "
        "that does is one late start. Blank: the rank has no part in it. Times are on the common "
        "clock: see Clocks below. The table has those with the largest skew: the time from the "
        "first to the last arrival.",
        queries=("collectives_by_rank",),
        plot=heat_map(
            [labels.rank(rank) for rank in ranks],
            [[it.late_us(rank) for it in shown] for rank in ranks],
            [it.title() for it in shown],
        ),
        table=_skews(worst, ranks, labels),
        notes=[*left_out, *notes],
    )


def _skews(worst: list[Collective], ranks: list[int | None], labels: Labels) -> Table:
    with_ranks = ranks if len(ranks) <= MOST_RANK_COLUMNS else []
    columns = [
        Column("collective", "#", "number"),
        Column("kind", "kind", "text"),
        Column("seq", "seq", "number"),
        Column("process_group", "group", "text"),
        Column("step", "step", "text"),
        Column("confidence", "match", "text"),
        Column("ranks", "ranks"),
        Column("skew_us", "skew", "us"),
        Column("straggler", "last", "text"),
        *(Column(f"late_us_{rank}", f"{labels.rank(rank)} late by", "us") for rank in with_ranks),
    ]
    rows = [
        (
            it.number,
            it.kind,
            it.seq,
            it.group,
            it.step,
            it.confidence,
            len(it.arrivals),
            it.skew_us,
            labels.rank(it.last),
            *(it.late_us(rank) for rank in with_ranks),
        )
        for it in worst[:MOST_ROWS]
    ]
    more = len(worst) - len(rows)
    return Table(columns, rows, f"And {plural(more, 'collective')} more." if more else "")
