"""What the GPUs did: their time, and their kernels."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from tp_tools.report.plots import Part, bars, unit
from tp_tools.report.section import Figure, Section
from tp_tools.report.table import Column, Table, duration
from tp_tools.show.text import percent, plural

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tp_tools.report.gather import Answers
    from tp_tools.report.labels import Labels

MOST_KERNELS = 20
_MOST_STREAMS = 64
_MOST_COPIES = 40
_LEGIBLE = 0.06
"""The share of the longest bar from which on a piece has room for its number."""

NO_GPU = "Nothing ran on a GPU in what was recorded."

SPLIT = (
    ("compute_alone_ns", "compute", "var(--compute)"),
    ("hidden_communication_ns", "compute, with communication hidden behind it", "var(--hidden)"),
    ("exposed_communication_ns", "exposed communication", "var(--exposed)"),
    ("exposed_copy_ns", "copies alone", "var(--copies)"),
    ("idle_ns", "idle", "var(--idle)"),
)
"""What a GPU's time is made of: key, name and colour; together they are the whole span."""

KINDS = {
    "compute": ("compute", "var(--compute)"),
    "collective": ("communication", "var(--exposed)"),
    "copy": ("copy or memset", "var(--copies)"),
}


def time(answers: Answers, labels: Labels) -> Section:
    """Where the time of each GPU went."""
    title = "Where the GPU time went"
    rows = _split(answers)
    if not rows:
        return Section("time", title, NO_GPU)
    says = (
        "From its first to its last work, a GPU computes, communicates, copies or does nothing. "
        "The more of the bar is compute, the better the hardware is used."
    )
    figures = [_time(rows, labels), _streams(answers, labels)]
    if answers.answers["copies"].rows:
        figures.append(_copies(answers, labels))
    return Section("time", title, says, figures)


def _split(answers: Answers) -> list[dict[str, Any]]:
    """The parts of `SPLIT` for each GPU, in ns."""
    columns = (
        "rank",
        "device",
        "span_ns",
        "compute_ns",
        "communication_ns",
        "exposed_communication_ns",
        "exposed_copy_ns",
        "idle_ns",
        "busy_percent",
    )
    rows = [dict(zip(columns, row, strict=True)) for row in answers.rows("gpu_time", *columns)]
    for row in rows:
        hidden = row["communication_ns"] - row["exposed_communication_ns"]
        row["hidden_communication_ns"] = hidden
        row["compute_alone_ns"] = row["compute_ns"] - hidden
    return rows


def _time(rows: list[dict[str, Any]], labels: Labels) -> Figure:
    names = [labels.gpu(row["rank"], row["device"]) for row in rows]
    longest = max(row["span_ns"] for row in rows)
    scale, written = unit([longest])
    parts = [
        Part(
            name,
            color,
            [row[key] / scale for row in rows],
            [
                f"{label}: {name}\n{duration(row[key])}, {_share(row[key], row['span_ns'])}"
                for label, row in zip(names, rows, strict=True)
            ],
            [
                _share(row[key], row["span_ns"]) if row[key] >= _LEGIBLE * longest else ""
                for row in rows
            ],
        )
        for key, name, color in SPLIT
        if any(row[key] for row in rows)
    ]
    columns = [
        Column("label", "GPU", "text"),
        *(Column(key, name, "ns") for key, name, _ in SPLIT),
        Column("span_ns", "first to last work", "ns"),
        Column("busy_percent", "busy", "percent"),
    ]
    table = [
        (name, *(row[column.key] for column in columns[1:]))
        for name, row in zip(names, rows, strict=True)
    ]
    return Figure(
        "gpu-time",
        "GPU time by what the GPU did",
        "A bar per GPU. Exposed communication is time in which the GPU only exchanged data with "
        "other GPUs and everything else waited; hidden communication ran behind compute and cost "
        "no time of its own. Idle is time in which nothing ran. Where two kernels run at once, "
        "their time counts once.",
        queries=("gpu_time",),
        plot=bars(names, parts, f"time, {written}"),
        table=Table(columns, table),
    )


def _share(part: int, whole: int) -> str:
    return percent(part / whole) if whole else ""


def _streams(answers: Answers, labels: Labels) -> Figure:
    keys = ("rank", "device", "stream", "events", "collectives", "busy_ns", "overlap_ns")
    rows = [
        (labels.gpu(rank, device), *rest) for rank, device, *rest in answers.rows("streams", *keys)
    ]
    columns = [
        Column("label", "GPU", "text"),
        Column("stream", "stream", "number"),
        Column("events", "kernels and copies"),
        Column("collectives", "of them communication"),
        Column("busy_ns", "busy", "ns"),
        Column("overlap_ns", "while other streams were busy", "ns"),
    ]
    return Figure(
        "streams",
        "Streams",
        "A stream is a queue of the GPU: what is in one runs in order, what is in several may run "
        "at once.",
        queries=("streams",),
        table=Table(columns, rows[:_MOST_STREAMS], _rest(len(rows), _MOST_STREAMS, "stream")),
    )


def _copies(answers: Answers, labels: Labels) -> Figure:
    keys = ("rank", "name", "count", "bytes", "total_ns", "mean_gbps")
    rows = [(labels.rank(rank), *rest) for rank, *rest in answers.rows("copies", *keys)]
    columns = [
        Column("label", "rank", "text"),
        Column("name", "copy", "name"),
        Column("count", "how many"),
        Column("bytes", "bytes", "bytes"),
        Column("total_ns", "time", "ns"),
        Column("mean_gbps", "speed", "gbps"),
    ]
    return Figure(
        "copies",
        "Copies and memsets",
        "HtoD goes from the CPU to the GPU, DtoH back, DtoD stays on the GPU. Pageable memory is "
        "slower to copy than pinned memory.",
        queries=("copies",),
        table=Table(columns, rows[:_MOST_COPIES], _rest(len(rows), _MOST_COPIES, "kind of copy")),
    )


def _rest(count: int, most: int, noun: str) -> str:
    more = count - most
    return f"And {plural(more, noun)} more, which the query lists." if more > 0 else ""


def kernels(answers: Answers, labels: Labels) -> Section:
    """The kernels that took most time."""
    title = "Top kernels"
    totals = _totals(answers)
    if not totals:
        return Section("kernels", title, NO_GPU)
    whole = sum(row[3] for row in totals)
    shown = totals[:MOST_KERNELS]
    says = (
        f"A kernel is a program that runs on the GPU. {plural(len(totals), 'name')} ran, "
        f"{duration(whole)} in all."
    )
    scale, written = unit([row[3] for row in shown])
    parts = [
        Part(
            name,
            color,
            [row[3] / scale if row[1] == kind else None for row in shown],
            [
                f"{row[0]}\n{duration(row[3])}, {percent(row[3] / whole)}, {row[2]:,} times"
                for row in shown
            ],
        )
        for kind, (name, color) in KINDS.items()
        if any(row[1] == kind for row in shown)
    ]
    columns = [
        Column("name", "kernel", "name"),
        Column("kind", "kind", "text"),
        Column("count", "how many"),
        Column("total_ns", "time in all", "ns"),
        Column("share", "share", "percent"),
        Column("max_ns", "longest", "ns"),
    ]
    rows = [(*row[:4], 100 * row[3] / whole, row[4]) for row in shown]
    if len(answers.members) > 1:
        columns += [
            Column("least_ns", "least on a rank", "ns"),
            Column("most_ns", "most on a rank", "ns"),
            Column("most_rank", "on", "text"),
        ]
        rows = [
            (*row, *_spread(answers, it[:2], labels)) for row, it in zip(rows, shown, strict=True)
        ]
    rest = (
        f"And {plural(len(totals) - len(shown), 'name')} more." if len(totals) > len(shown) else ""
    )
    figure = Figure(
        "top-kernels",
        "Kernels by their time",
        f"The {plural(len(shown), 'kernel')} with the most time, over all ranks: all runs of one "
        "name added up, so where kernels ran at once it is more than the GPU was busy. Making one "
        "of them faster can save at most the length of its bar.",
        queries=("kernels",),
        plot=bars([row[0] for row in shown], parts, f"time, {written}"),
        table=Table(columns, rows, rest),
    )
    return Section("kernels", title, says, [figure])


def _totals(answers: Answers) -> list[tuple[str, str, int, int, int]]:
    """Name, kind, count, total and longest of each kernel over all ranks, most time first."""
    found: dict[tuple[str, str], tuple[int, int, int]] = {}
    columns = ("name", "kind", "count", "total_ns", "max_ns")
    for name, kind, count, total, longest in answers.rows("kernels", *columns):
        it = found.get((name, kind), (0, 0, 0))
        found[name, kind] = (it[0] + count, it[1] + total, max(it[2], longest))
    rows = [(name, kind, *it) for (name, kind), it in found.items()]
    return sorted(rows, key=lambda row: (-row[3], row[0], row[1]))


def _spread(answers: Answers, kernel: tuple[str, str], labels: Labels) -> Sequence[Any]:
    """Its least and most time on a rank, and the rank with the most."""
    times: dict[int | None, int] = defaultdict(int)
    times.update({it.rank: 0 for it in answers.members})
    for rank, name, kind, total in answers.rows("kernels", "rank", "name", "kind", "total_ns"):
        if (name, kind) == kernel:
            times[rank] += total
    most = max(times, key=lambda rank: times[rank])
    return min(times.values()), times[most], labels.rank(most)
