"""Build title, introduction, key numbers and the section on the job."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from tp_tools.formatting import percent, plural
from tp_tools.inspection.facts import facts
from tp_tools.reporting.model import Figure, Section, Tile
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.reporting.data import Member, ReportData
    from tp_tools.reporting.labels import Labels

_SPACE = "\N{NO-BREAK SPACE}"

_FACT_LABELS = {"By name": "Place by file name", "Recorded": "Profiler options", "Span": "Recorded"}
"""Labels for readers who do not know `tp-tools info`, by its labels."""

_RANK_FACTS = ("Job", "By name", "Span", "Steps", "Events")
"""Facts that differ from rank to rank."""


def title(data: ReportData) -> str:
    """Make the title: "8 ranks on NVIDIA B200"."""
    gpus = {
        gpu.name
        for member in data.members
        if member.info.metadata
        for gpu in member.info.metadata.gpus
    }
    names = sorted(name for name in gpus if name)
    return " on ".join(filter(None, (_rank_count(data), " and ".join(names))))


def _rank_count(data: ReportData) -> str:
    first = data.members[0]
    world = first.info.metadata.world_size if first.info.metadata is not None else None
    count = len(data.members)
    if count > 1:
        return f"{count} of {world:,} ranks" if world and world > count else f"{count} ranks"
    if first.info.inventory.merged:
        return f"{len(first.info.inventory.merged)} merged ranks"
    if first.rank is None:
        return first.file
    return f"Rank {first.rank} of {world:,}" if world else f"Rank {first.rank}"


def introduction(data: ReportData) -> str:
    """Make the first paragraph: time and length of the recording, how to use the page."""
    longest_ns = max(map(_span_ns, data.members))
    start = min(filter(None, (member.info.start_utc() for member in data.members)), default="")
    from_start = f" from {start}" if start else ""
    return (
        f"Recorded by {_profilers(data)}{from_start}, for up to {duration(longest_ns)}. "
        "Each figure says in words how to read it, has its numbers in a table, and names the SQL "
        "that they come from."
    )


def _profilers(data: ReportData) -> str:
    """Name who recorded the traces."""
    said = [member.info.metadata for member in data.members]
    return " and ".join(sorted({(it and it.profiler) or "a profiler" for it in said}))


def _span_ns(member: Member) -> int:
    """Compute the time from the first start to the last end."""
    counts = member.info.inventory
    return (counts.end_ns or 0) - (counts.start_ns or 0)


def section(data: ReportData) -> Section:
    """Build the section: facts on which the ranks agree, and a table of the traces."""
    rows = _common_facts(data.members)
    columns = [Column("fact", "", "text"), Column("value", "", "text")]
    figures = [
        Figure(
            "facts",
            "The job",
            "What the profiler wrote down about the job and the machine.",
            command="tp-tools info TRACES",
            table=Table(columns, rows),
            notes=list(_losses(data.members)),
        )
    ]
    if len(data.members) > 1:
        figures.append(_traces_figure(data))
    text = (
        f"This page is made from recordings of {_profilers(data)}: what each CPU thread and each "
        "GPU did, with start and end. A rank is a process of the job that usually has one GPU."
    )
    return Section("job", "What was recorded", text, figures)


def _losses(members: list[Member]) -> Iterator[str]:
    """Yield a sentence for each trace of which TraceProcessor lost data."""
    for member in members:
        if member.info.losses:
            counts = ", ".join(f"{count:,} x {name}" for name, count in member.info.losses.items())
            yield f"{member.file}: TraceProcessor lost data on loading: {counts}."


def _common_facts(members: list[Member]) -> list[tuple[str, str]]:
    """List the facts that are common to all ranks; for one trace, all; none names a machine."""
    member_facts = [
        {**dict(facts(replace(member.info, host=""))), "Events": _event_count(member)}
        for member in members
    ]
    if len(members) == 1:
        return [
            ("File", members[0].file),
            *((_FACT_LABELS.get(label, label), value) for label, value in member_facts[0].items()),
        ]
    rows = [("Traces", f"{len(members):,}, one per rank")]
    for label in member_facts[0]:
        values = sorted({by_label[label] for by_label in member_facts if label in by_label})
        if label not in _RANK_FACTS:
            rows.append((_FACT_LABELS.get(label, label), "; ".join(values)))
    return rows


def _event_count(member: Member) -> str:
    return f"{member.info.inventory.events:,}"


def _traces_figure(data: ReportData) -> Figure:
    columns = [
        Column("label", "rank", "text"),
        Column("file", "file", "text"),
        Column("start", "began", "text"),
        Column("span_ns", "recorded", "ns"),
        Column("events", "events"),
        Column("kernels", "kernels"),
    ]
    rows = [
        (
            member.title,
            member.file,
            member.info.start_utc(),
            _span_ns(member),
            member.info.inventory.events,
            sum(kernels.count for kernels in member.info.inventory.kernels),
        )
        for member in data.members
    ]
    missing = data.merge["missing_ranks"] if data.merge is not None else []
    notes = (
        [f"{plural(len(missing), 'rank')} of the job are missing: {_format_ranges(missing)}."]
        if missing
        else []
    )
    return Figure(
        "traces",
        "The traces",
        "One per rank. Starts are by each rank's own clock.",
        command="tp-tools info TRACES",
        table=Table(columns, rows),
        notes=notes,
    )


def _format_ranges(numbers: list[int]) -> str:
    """Write ascending numbers as ranges: 0, 3, 5-127."""
    ranges: list[list[int]] = []
    for number in numbers:
        if ranges and ranges[-1][-1] == number - 1:
            ranges[-1][1:] = [number]
        else:
            ranges.append([number])
    return ", ".join("-".join(map(str, bounds)) for bounds in ranges)


def tiles(data: ReportData, labels: Labels) -> Iterator[Tile]:
    """Yield the key numbers that the traces have."""
    gpus = list(data.rows("gpu_time", "span_ns", "busy_percent", "exposed_communication_ns"))
    spans = [row for row in gpus if row[0]]
    if spans:
        busy = [row[1] for row in spans]
        yield Tile("GPU busy", _percent_range(busy), "of the time from first to last work", "time")
        if any(row[2] for row in spans):
            exposed = [100 * row[2] / row[0] for row in spans]
            yield Tile("Exposed communication", _percent_range(exposed), "of that time", "time")
    yield from _step_tile(data)
    yield from _gap_tile(data, labels)
    yield from _straggler_tile(data, labels)
    yield from _hidden_tile(data)


def _percent_range(values: list[float]) -> str:
    low, high = min(values), max(values)
    if f"{low:.1f}" == f"{high:.1f}":
        return f"{low:.1f}{_SPACE}%"
    return f"{low:.1f} to {high:.1f}{_SPACE}%"


def _step_tile(data: ReportData) -> Iterator[Tile]:
    rows = data.rows("steps", "rank", "ts", "dur")
    durs = {(rank, ts): dur for rank, ts, dur in rows if dur is not None}  # None: work of no step
    if durs:
        about = f"{plural(len(durs), 'step')} of {plural(len(data.members), 'rank')}"
        yield Tile("Step, median", duration(round(median(durs.values()))), about, "steps")


def _gap_tile(data: ReportData, labels: Labels) -> Iterator[Tile]:
    rows: Iterator[Any] = data.rows("gaps", "dur", "rank", "device", "why")
    longest = max(rows, key=lambda row: row[0], default=None)
    if longest is not None:
        dur, rank, device, why = longest
        about = f"{labels.gpu(rank, device)}, cause: {why or 'not known'}"
        yield Tile("Longest gap", duration(dur), about, "gaps")


def _straggler_tile(data: ReportData, labels: Labels) -> Iterator[Tile]:
    rows = list(data.rows("stragglers", "caused_wait_us", "rank", "times_last"))
    waits = [row for row in rows if row[0]]
    if waits:
        wait, rank, times = max(waits, key=lambda row: row[0])
        share = percent(wait / sum(row[0] for row in waits))
        about = f"came last {times:,} times: {share} of all waiting"
        yield Tile("Most waited for", labels.rank(rank), about, "stragglers")


def _hidden_tile(data: ReportData) -> Iterator[Tile]:
    hidden = [
        member.info.defects.hidden for member in data.members if member.info.defects is not None
    ]
    kernels = sum(counts.kernels for counts in hidden)
    if kernels:
        lost = duration(sum(counts.kernel_ns for counts in hidden))
        about = f"{lost} of kernels, shown here"
        yield Tile("Hidden by Perfetto 51-56", plural(kernels, "kernel"), about, "hidden")
