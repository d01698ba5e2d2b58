"""How far the numbers can be trusted: what viewers hide, and how well clocks agree."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tp_tools.formatting import percent, plural
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.plots import BarPart, bars, unit
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from tp_tools.repair.defects import Defects
    from tp_tools.reporting.data import Answers

MOST_NAMES = 12


def hidden(answers: Answers) -> Section:
    """What Perfetto would not have shown."""
    title = "What Perfetto would have hidden"
    known = [(it.title, it.seen.defects) for it in answers.members if it.seen.defects is not None]
    if not known:
        return Section(
            "hidden",
            title,
            "This is known only of traces as the profiler wrote them (Chrome JSON).",
        )
    says = (
        "Perfetto is the usual viewer of such traces. Its versions 51 to 56 drop what starts "
        "before the work ahead of it ends: it is missing on the screen and in every number that "
        "is taken from there. This page counts it: tp-tools repairs the traces before it asks them."
    )
    if not any(it.hidden.slices for _, it in known):
        says = "Nothing: Perfetto shows every kernel and call that these traces recorded."
        return Section("hidden", title, says, [_by_rank(known)])
    figures = [_by_rank(known)]
    if names := _names(known):
        figures.append(names)
    return Section("hidden", title, says, figures)


def _by_rank(known: list[tuple[str, Defects]]) -> Figure:
    rows = [
        (
            title,
            it.hidden.kernels,
            it.hidden.kernel_ns,
            100 * it.hidden.share,
            it.hidden.slices - it.hidden.kernels,
            it.overlapping,
            "yes" if it.rebase_ns else "no",
        )
        for title, it in known
    ]
    times = [it.hidden.kernel_ns for _, it in known]
    scale, written = unit(times)
    part = BarPart(
        "hidden kernels",
        "var(--exposed)",
        [time / scale for time in times],
        [
            f"{title}: {plural(it.hidden.kernels, 'kernel')}\n{duration(it.hidden.kernel_ns)}, "
            f"{percent(it.hidden.share)} of kernel time"
            for title, it in known
        ],
        [percent(it.hidden.share) if it.hidden.kernels else "" for _, it in known],
    )
    return Figure(
        "hidden-by-rank",
        "Hidden time by rank",
        "The time of the kernels that Perfetto 51 to 56 would not show, with their share of all "
        "kernel time. Later versions show them, on rows beside their stream.",
        command="tp-tools info TRACE",
        plot=bars([title for title, _ in known], [part], f"time of hidden kernels, {written}")
        if any(times)
        else None,
        table=Table(_HIDDEN_COLUMNS, rows),
    )


_HIDDEN_COLUMNS = (
    Column("label", "rank", "text"),
    Column("kernels", "hidden kernels"),
    Column("kernel_ns", "their time", "ns"),
    Column("share", "of kernel time", "percent"),
    Column("others", "other hidden slices"),
    Column("overlapping", "slices without room on their row"),
    Column("rounded", "times too large for Perfetto", "text"),
)


def _names(known: list[tuple[str, Defects]]) -> Figure | None:
    count, time = Counter[str](), Counter[str]()
    for _, it in known:
        for name, found, ns in it.hidden.names:
            count[name] += found
            time[name] += ns
    if not time:
        return None
    rows = sorted(((name, count[name], ns) for name, ns in time.items()), key=_most_time)
    columns = [
        Column("name", "kernel", "name"),
        Column("count", "hidden"),
        Column("kernel_ns", "time", "ns"),
    ]
    more = len(rows) - MOST_NAMES
    return Figure(
        "hidden-kernels",
        "The hidden kernels",
        "By name, over all ranks.",
        command="tp-tools fix TRACE --check",
        table=Table(
            columns, rows[:MOST_NAMES], f"And {plural(more, 'name')} more." if more > 0 else ""
        ),
    )


def _most_time(row: tuple[str, int, int]) -> tuple[int, str]:
    return -row[2], row[0]


def clocks(answers: Answers) -> Section:
    """How well the clocks of the ranks agree."""
    title = "Clocks: how well the ranks agree on the time"
    if answers.merge is None:
        merged = answers.members[0].seen.inventory.merged
        says = (
            "These ranks were merged before; what is known of their clocks is in the summary of "
            "that merge."
            if merged
            else "There is one trace, so there is one clock."
        )
        return Section("clocks", title, says)
    says = (
        "Every rank has a clock of its own. No rank leaves an all-reduce before the last one has "
        "come, so its ends on all ranks are one moment, by which clocks can be set. The residual "
        "is what still separates the ends of one collective; skews below it mean nothing."
    )
    return Section("clocks", title, says, [_residuals(answers.merge, answers.unset_clocks())])


def _residuals(merge: Any, unset: int) -> Figure:  # noqa: ANN401  the object of --summary json
    ranks = merge["ranks"]
    columns = [
        Column("rank", "rank", "number"),
        Column("aligned_by", "clock set by", "text"),
        Column("collectives", "collectives used"),
        Column("residual_ns", "residual, median", "ns"),
        Column("residual_p95_ns", "residual, 95 %", "ns"),
        Column("offset_ns", "offset", "ns"),
        Column("drift_ppm", "drift", "ppm"),
        Column("not_aligned_because", "why not by collectives", "text"),
    ]
    rows = [
        (
            it["rank"],
            _HOW.get(it["aligned_by"], it["aligned_by"]),
            it["collectives"],
            it["residual_ns"],
            it["residual_p95_ns"],
            it["offset_ns"],
            it["drift_ppb"] / 1000,
            it["not_aligned_because"],
        )
        for it in ranks
    ]
    known = [it for it in ranks if it["residual_ns"] is not None]
    notes = []
    if len(known) < len(ranks):
        notes.append(f"Of {plural(len(ranks) - len(known), 'rank')} no residual is known.")
    if unset:
        notes.append(
            f"The clocks of {plural(unset, 'rank')} are not set by collectives but taken as "
            "they are. Between machines they may be off by milliseconds, and skews with them."
        )
    return Figure(
        "clock-residuals",
        "Alignment residuals",
        "How far apart the ranks' readings of one and the same moment still are: half of them "
        "within the median, 95 % within the longer bar. Less is better.",
        command="tp-tools merge TRACES -o OUT --summary json",
        plot=_residual_plot(known) if any(it["residual_p95_ns"] for it in known) else None,
        table=Table(columns, rows),
        notes=notes,
    )


_HOW = {
    "collectives": "common collectives",
    "host": "another rank on its machine",
    "base": "base time of the trace",
    "none": "nothing",
}


def _residual_plot(known: list[Any]) -> dict[str, Any]:
    scale, written = unit([it["residual_p95_ns"] for it in known])
    names = [f"rank {it['rank']}" for it in known]
    said = [
        f"rank {it['rank']}: median {duration(it['residual_ns'])}, "
        f"95 % within {duration(it['residual_p95_ns'])}"
        for it in known
    ]
    parts = [
        BarPart("median", "var(--compute)", [it["residual_ns"] / scale for it in known], said),
        BarPart(
            "from there to 95 %",
            "var(--idle)",
            [(it["residual_p95_ns"] - it["residual_ns"]) / scale for it in known],
            said,
        ),
    ]
    return bars(names, parts, f"residual, {written}")
