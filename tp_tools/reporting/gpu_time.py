"""What the GPUs did with their time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tp_tools.formatting import percent, plural
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.plots import BarPart, bars, unit
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from tp_tools.reporting.data import Answers
    from tp_tools.reporting.labels import Labels

_MOST_STREAMS = 64
_MOST_COPIES = 40
_LEGIBLE = 0.06
"""The share of the longest bar from which on a piece has room for its number."""

NO_GPU = "Nothing ran on a GPU in what was recorded."

SPLIT = (
    ("compute_alone_ns", "compute", "var(--compute)"),
    ("hidden_communication_ns", "compute that hides communication", "var(--hidden)"),
    ("exposed_communication_ns", "exposed communication", "var(--exposed)"),
    ("exposed_copy_ns", "copies alone", "var(--copies)"),
    ("idle_ns", "idle", "var(--idle)"),
)
"""What a GPU's time is made of: key, name and colour; together they are the whole span."""


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
        BarPart(
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
        table=Table(columns, table, has_one_unit=True),
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
