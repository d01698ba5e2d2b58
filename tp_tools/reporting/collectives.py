"""Build the section on collectives: kinds, overlap with compute, lateness, bandwidth."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from tp_tools.formatting import plural
from tp_tools.reporting import bandwidth, nodes, stragglers
from tp_tools.reporting.collective import ALONE, SURE, UNCERTAIN, Collective, collectives_of
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.plots import heat_map
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels
    from tp_tools.reporting.places import Places

MAX_COLLECTIVES = 900
"""Columns of the heat map at most: in a window of 1280 pixels, more would hide each other."""

MAX_CELLS = 128 * MAX_COLLECTIVES
MAX_ROWS = 40
MAX_RANK_COLUMNS = 8


def section(data: ReportData, labels: Labels, places: Places) -> Section:
    """Build the section; without figures if there are no collectives."""
    title = "Collectives: ranks waiting for each other"
    collectives = collectives_of(data)
    if not collectives:
        return Section("collectives", title, "the GPUs exchanged no data")
    ranks = {rank for collective in collectives for rank in collective.arrivals}
    text = (
        "A collective is an exchange of data between several ranks (processes, usually with a GPU "
        "each). It ends when all have taken part, so the last one to come, the straggler, makes "
        f"all others wait. {plural(len(collectives), 'collective')} of "
        f"{plural(len(ranks), 'rank')} {'was' if len(collectives) == 1 else 'were'} found."
    )
    figures = [_kinds_figure(collectives)]
    if data.results["comm_overlap"].rows:
        figures.append(_overlap_figure(data, labels))
    figures += [
        _lateness_figure(collectives, labels, places, stragglers.caveats(data)),
        *bandwidth.figures(data),
        stragglers.figure(data, labels),
        *nodes.figures(data, collectives),
    ]
    return Section("collectives", title, text, figures)


def _kinds_figure(collectives: list[Collective]) -> Figure:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for collective in collectives:
        counts[collective.kind][collective.confidence] += 1
    confidences = [
        name
        for name in (*SURE, UNCERTAIN, ALONE)
        if any(by_confidence[name] for by_confidence in counts.values())
    ]
    columns = [
        Column("kind", "kind", "text"),
        Column("collectives", "in all"),
        *(Column(name, _CONFIDENCE_HEADS[name]) for name in confidences),
    ]
    rows = [
        (kind, by_confidence.total(), *(by_confidence[name] for name in confidences))
        for kind, by_confidence in sorted(
            counts.items(), key=lambda pair: (-pair[1].total(), pair[0])
        )
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


_CONFIDENCE_HEADS = {
    "certain": "match certain",
    "tested": "match tested",
    UNCERTAIN: "match uncertain",
    ALONE: "on one rank only",
}


def _overlap_figure(data: ReportData, labels: Labels) -> Figure:
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
    rows = [(labels.rank(rank), *rest) for rank, *rest in data.rows("comm_overlap", *keys)]
    return Figure(
        "communication-overlap",
        "Communication hidden behind compute",
        "The larger the hidden share, the less communication costs.",
        queries=("comm_overlap",),
        table=Table(columns, rows),
    )


def _lateness_figure(
    collectives: list[Collective], labels: Labels, places: Places, notes: Sequence[str]
) -> Figure:
    title = "Who came late"
    shared = [collective for collective in collectives if collective.confidence != ALONE]
    sure = [collective for collective in shared if collective.confidence in SURE]
    uncertain = len(shared) - len(sure)
    if not sure:
        reason = (
            f"all that the ranks share ({stragglers.format_matches(uncertain)}) is matched "
            "uncertainly"
            if uncertain
            else "it takes traces of several ranks that share collectives"
        )
        return Figure("skew", title, reason, queries=("collectives_by_rank",))
    ranks = sorted(
        {rank for collective in sure for rank in collective.arrivals}, key=lambda rank: rank or 0
    )
    maximum = min(MAX_COLLECTIVES, max(1, MAX_CELLS // len(ranks)))
    by_skew = sorted(sure, key=lambda collective: (-collective.skew_us, collective.number))
    chosen = {collective.number for collective in by_skew[:maximum]}
    plotted = [collective for collective in sure if collective.number in chosen]
    omissions = []
    if len(plotted) < len(sure):
        omissions.append(f"The plot has the {maximum:,} with the largest skew, of {len(sure):,}.")
    if uncertain:
        omissions.append(f"Left out: {plural(uncertain, 'collective')} with an uncertain match.")
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
            [[collective.lateness_us(rank) for collective in plotted] for rank in ranks],
            [collective.title() for collective in plotted],
        ),
        table=_skew_table(by_skew, ranks, labels, places),
        notes=[*omissions, *notes],
    )


def _view(collective: Collective, places: Places) -> str | None:
    """Return the command that shows the arrival of the last rank."""
    rank = collective.straggler
    return places.at_time(rank, collective.devices[rank], collective.arrivals[rank])


def _skew_table(
    by_skew: list[Collective], ranks: list[int | None], labels: Labels, places: Places
) -> Table:
    rank_columns = ranks if len(ranks) <= MAX_RANK_COLUMNS else []
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
        Column("view", "its arrival, in the timeline", "view"),
        *(Column(f"late_us_{rank}", f"{labels.rank(rank)} late by", "us") for rank in rank_columns),
    ]
    rows = [
        (
            collective.number,
            collective.kind,
            collective.seq,
            collective.group,
            collective.step,
            collective.confidence,
            len(collective.arrivals),
            collective.skew_us,
            labels.rank(collective.straggler),
            _view(collective, places),
            *(collective.lateness_us(rank) for rank in rank_columns),
        )
        for collective in by_skew[:MAX_ROWS]
    ]
    omitted = len(by_skew) - len(rows)
    return Table(columns, rows, f"And {plural(omitted, 'collective')} more." if omitted else "")
