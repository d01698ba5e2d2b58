"""Build the sections on trust: slices that Perfetto hides, and how well clocks agree."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from tp_tools.formatting import percent, plural
from tp_tools.reporting.bars import Bar, Bars, Part
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, KernelName, Table, duration
from tp_tools.trace.short_names import short_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.repair.defects import Defects
    from tp_tools.reporting.data import ReportData

MAX_NAMES = 12


def hidden_section(data: ReportData) -> Section:
    """Build the section on slices that Perfetto 51 to 56 hides."""
    title = "What Perfetto would have hidden"
    analyzed = [
        (member.title, member.info.defects)
        for member in data.members
        if member.info.defects is not None
    ]
    if not analyzed:
        return Section(
            "hidden",
            title,
            "known only of traces as the profiler wrote them (Chrome JSON)",
        )
    text = (
        "Perfetto is the usual viewer of such traces. Its versions 51 to 56 drop what starts "
        "before the work ahead of it ends: it is missing on the screen and in every number that "
        "is taken from there. This page counts it: tp-tools repairs the traces before it asks them."
    )
    if not any(it.hidden.slices or it.overlapping or it.rebase_ns for _, it in analyzed):
        return Section("hidden", title, "nothing: it shows all that these traces recorded")
    figures = [_hidden_figure(analyzed)]
    if kernels_figure := _kernels_figure(analyzed):
        figures.append(kernels_figure)
    return Section("hidden", title, text, figures)


def _hidden_figure(analyzed: list[tuple[str, Defects]]) -> Figure:
    rows = [
        (
            title,
            defects.hidden.kernels,
            defects.hidden.kernel_ns,
            100 * defects.hidden.share,
            defects.hidden.slices - defects.hidden.kernels,
            defects.overlapping,
            "yes" if defects.rebase_ns else "no",
        )
        for title, defects in analyzed
    ]
    bars = [_hidden_bar(title, defects) for title, defects in analyzed]
    return Figure(
        "hidden-by-rank",
        "Hidden time by rank",
        "The time of the kernels that Perfetto 51 to 56 would not show, with their share of all "
        "kernel time. Later versions show them, on rows beside their stream.",
        command="tp-tools info TRACES",
        bars=Bars(bars) if any(defects.hidden.kernel_ns for _, defects in analyzed) else None,
        table=Table(_HIDDEN_COLUMNS, rows),
    )


def _hidden_bar(title: str, defects: Defects) -> Bar:
    hidden = defects.hidden
    share = percent(hidden.share)
    hover = f"{title}: {plural(hidden.kernels, 'kernel')}, {share} of kernel time"
    part = Part("hidden kernels", "var(--exposed)", hidden.kernel_ns, hover)
    return Bar(title, [part], f"{duration(hidden.kernel_ns)}, {share}", hover)


_HIDDEN_COLUMNS = (
    Column("label", "rank", "text"),
    Column("kernels", "hidden kernels"),
    Column("kernel_ns", "their time", "ns"),
    Column("share", "of kernel time", "percent"),
    Column("others", "other hidden slices"),
    Column("overlapping", "overlapping slices"),
    Column("rounded", "times too large for Perfetto", "text"),
)


def _kernels_figure(analyzed: list[tuple[str, Defects]]) -> Figure | None:
    count, time = Counter[str](), Counter[str]()
    for _, defects in analyzed:
        for name, number, ns in defects.hidden.names:
            count[name] += number
            time[name] += ns
    if not time:
        return None
    short = short_names(time)
    by_time = sorted(((name, count[name], ns) for name, ns in time.items()), key=_most_time)
    rows = [(KernelName(name, short[name]), *rest) for name, *rest in by_time]
    columns = [
        Column("name", "kernel", "name"),
        Column("count", "hidden"),
        Column("kernel_ns", "time", "ns"),
    ]
    omitted = len(rows) - MAX_NAMES
    return Figure(
        "hidden-kernels",
        "The hidden kernels",
        "By name, over all ranks.",
        command="tp-tools fix TRACES --check",
        table=Table(
            columns, rows[:MAX_NAMES], f"And {plural(omitted, 'name')} more." if omitted > 0 else ""
        ),
    )


def _most_time(row: tuple[str, int, int]) -> tuple[int, str]:
    return -row[2], row[0]


def clocks_section(data: ReportData) -> Section:
    """Build the section on the residuals of the alignment of clocks."""
    title = "Clocks: how well the ranks agree on the time"
    if data.merge is None:
        merged = data.members[0].info.inventory.merged
        text = (
            "the ranks were merged before; see the summary of that merge"
            if merged
            else "one trace has one clock"
        )
        return Section("clocks", title, text)
    text = (
        "Every rank has a clock of its own. No rank leaves an all-reduce before the last one has "
        "come, so its ends on all ranks are one moment, by which clocks can be set. The residual "
        "is what still separates the ends of one collective; skews below it mean nothing."
    )
    return Section("clocks", title, text, [_residuals_figure(data.merge, data.count_unaligned())])


def _residuals_figure(merge: Any, unaligned: int) -> Figure:  # noqa: ANN401  the object of --summary json
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
            rank["rank"],
            _ALIGNED_BY.get(rank["aligned_by"], rank["aligned_by"]),
            rank["collectives"],
            rank["residual_ns"],
            rank["residual_p95_ns"],
            rank["offset_ns"],
            rank["drift_ppb"] / 1000,
            rank["not_aligned_because"],
        )
        for rank in ranks
    ]
    measured = [rank for rank in ranks if rank["residual_ns"] is not None]
    return Figure(
        "clock-residuals",
        "Alignment residuals",
        "How far apart the ranks' readings of one and the same moment still are: half of them "
        "within the median, 95 % within the longer bar. Less is better.",
        command="tp-tools merge TRACES --summary json",
        bars=_residual_bars(measured)
        if any(rank["residual_p95_ns"] for rank in measured)
        else None,
        table=Table(columns, rows),
        notes=[*_clock_notes(merge, len(ranks) - len(measured), unaligned)],
    )


def _clock_notes(merge: Any, unmeasured: int, unaligned: int) -> Iterator[str]:  # noqa: ANN401  the object of --summary json
    if unmeasured:
        yield f"Of {plural(unmeasured, 'rank')} no residual is known."
    if (groups := merge["clock_groups"]) > 1:
        yield (
            f"The ranks form {groups:,} groups that share no collectives with each other: from "
            "group to group times may be wrong by as much as their base times differ."
        )
    if unaligned:
        yield (
            f"The clocks of {plural(unaligned, 'rank')} are not set by collectives but taken as "
            "they are. Between machines they may be off by milliseconds, and skews with them."
        )


_ALIGNED_BY = {
    "collectives": "common collectives",
    "host": "another rank on its machine",
    "base": "base time of the trace",
    "none": "nothing",
}


def _residual_bars(ranks: list[Any]) -> Bars:
    bars = []
    for rank in ranks:
        middle_ns, most_ns = rank["residual_ns"], rank["residual_p95_ns"]
        name = f"rank {rank['rank']}"
        hover = f"{name}: median {duration(middle_ns)}, 95 % within {duration(most_ns)}"
        parts = [
            Part("median", "var(--compute)", middle_ns, hover),
            Part("from there to 95 %", "var(--idle)", most_ns - middle_ns, hover),
        ]
        bars.append(Bar(name, parts, f"{duration(middle_ns)} to {duration(most_ns)}"))
    return Bars(bars)
