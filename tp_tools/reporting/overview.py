"""What the job is, and its numbers at a glance."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING, Any

from tp_tools.formatting import percent, plural
from tp_tools.inspection import facts as inventory
from tp_tools.reporting.model import Figure, Section, Tile
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.reporting.data import Answers, Member
    from tp_tools.reporting.labels import Labels

_SPACE = "\N{NO-BREAK SPACE}"

_CALLED = {"By name": "Place by file name", "Recorded": "Profiler options", "Span": "Recorded"}
"""What facts are called for people who do not know `tp-tools info`."""

_FEW = 2
"""Traces that are listed without being asked for."""

_OF_EACH = ("Job", "By name", "Span", "Steps", "Events")
"""Facts that differ from rank to rank."""


def title(answers: Answers) -> str:
    """A line on top of the page: the ranks, and what they ran on."""
    gpus = {gpu.name for it in answers.members if it.seen.about for gpu in it.seen.about.gpus}
    named = sorted(name for name in gpus if name)
    return " on ".join(filter(None, (_ranks(answers), " and ".join(named))))


def _ranks(answers: Answers) -> str:
    first = answers.members[0]
    world = first.seen.about.world_size if first.seen.about is not None else None
    count = len(answers.members)
    if count > 1:
        return f"{count} of {world:,} ranks" if world and world > count else f"{count} ranks"
    if first.seen.inventory.merged:
        return f"{len(first.seen.inventory.merged)} merged ranks"
    if first.rank is None:
        return first.file
    return f"Rank {first.rank} of {world:,}" if world else f"Rank {first.rank}"


def introduction(answers: Answers) -> str:
    """What is to be known first: when it was recorded, for how long, and what the page is."""
    spans = [
        (it.seen.inventory.end_ns or 0) - (it.seen.inventory.start_ns or 0)
        for it in answers.members
    ]
    began = min(filter(None, (it.seen.start_utc() for it in answers.members)), default="")
    when = f" from {began}" if began else ""
    return (
        f"Recorded by the PyTorch profiler{when}, for up to {duration(max(spans))}. Each figure "
        "says in words how to read it, has its numbers in a table, and names the SQL that they "
        "come from."
    )


def job(answers: Answers) -> Section:
    """The facts, and the traces that they are from."""
    facts = _common(answers.members)
    columns = [Column("fact", "", "text"), Column("value", "", "text")]
    figures = [
        Figure(
            "facts",
            "The job",
            "What the profiler wrote down about the job and the machine.",
            command="tp-tools info TRACE",
            table=Table(columns, facts),
            notes=list(_lost(answers.members)),
        )
    ]
    if len(answers.members) > 1:
        figures.append(_traces(answers))
    says = (
        "This page is made from recordings of the PyTorch profiler: what each CPU thread and each "
        "GPU did, with start and end. There is one per rank, a process of the job that usually has "
        "one GPU."
    )
    return Section("job", "What was recorded", says, figures)


def _lost(members: list[Member]) -> Iterator[str]:
    """What is in a trace, and could not be loaded."""
    for it in members:
        if it.seen.lost:
            counts = ", ".join(f"{count:,} x {name}" for name, count in it.seen.lost.items())
            yield f"{it.file}: TraceProcessor lost data on loading: {counts}."


def _common(members: list[Member]) -> list[tuple[str, str]]:
    """The facts on which all agree; of one trace all."""
    each = [{**dict(inventory.facts(it.seen)), "Events": _events(it)} for it in members]
    if len(members) == 1:
        return [("File", members[0].file), *((_CALLED.get(k, k), v) for k, v in each[0].items())]
    found = [("Traces", f"{len(members):,}, one per rank")]
    for label in each[0]:
        said = sorted({facts[label] for facts in each if label in facts})
        if label not in _OF_EACH:
            found.append((_CALLED.get(label, label), "; ".join(said)))
    return found


def _events(member: Member) -> str:
    return f"{member.seen.inventory.events:,}"


def _traces(answers: Answers) -> Figure:
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
            it.title,
            it.file,
            it.seen.start_utc(),
            (it.seen.inventory.end_ns or 0) - (it.seen.inventory.start_ns or 0),
            it.seen.inventory.events,
            sum(kernels.count for kernels in it.seen.inventory.kernels),
        )
        for it in answers.members
    ]
    missing = answers.merge["missing_ranks"] if answers.merge is not None else []
    notes = (
        [f"{plural(len(missing), 'rank')} of the job are missing: {_listed(missing)}."]
        if missing
        else []
    )
    return Figure(
        "traces",
        "The traces",
        "One per rank. Starts are by each rank's own clock.",
        command="tp-tools info TRACE",
        table=Table(columns, rows, is_shown=len(rows) <= _FEW),
        notes=notes,
    )


def _listed(numbers: list[int]) -> str:
    """0, 3, 5-127."""
    spans: list[list[int]] = []
    for number in numbers:
        if spans and spans[-1][-1] == number - 1:
            spans[-1][1:] = [number]
        else:
            spans.append([number])
    return ", ".join("-".join(map(str, span)) for span in spans)


def tiles(answers: Answers, labels: Labels) -> Iterator[Tile]:
    """The numbers that matter most; those that the traces do not have are left out."""
    gpus = list(answers.rows("gpu_time", "span_ns", "busy_percent", "exposed_communication_ns"))
    spans = [it for it in gpus if it[0]]
    if spans:
        busy = [it[1] for it in spans]
        yield Tile("GPU busy", _range(busy), "of the time from first to last work", "time")
        if any(it[2] for it in spans):
            exposed = [100 * it[2] / it[0] for it in spans]
            yield Tile("Exposed communication", _range(exposed), "of that time", "time")
    yield from _steps(answers)
    yield from _gap(answers, labels)
    yield from _straggler(answers, labels)
    yield from _hidden(answers)


def _range(values: list[float]) -> str:
    low, high = min(values), max(values)
    if f"{low:.1f}" == f"{high:.1f}":
        return f"{low:.1f}{_SPACE}%"
    return f"{low:.1f} to {high:.1f}{_SPACE}%"


def _steps(answers: Answers) -> Iterator[Tile]:
    rows = answers.rows("steps", "rank", "ts", "dur")
    durs = {(rank, ts): dur for rank, ts, dur in rows if dur is not None}  # None: work of no step
    if durs:
        about = f"{plural(len(durs), 'step')} of {plural(len(answers.members), 'rank')}"
        yield Tile("Step, median", duration(round(median(durs.values()))), about, "steps")


def _gap(answers: Answers, labels: Labels) -> Iterator[Tile]:
    rows: Iterator[Any] = answers.rows("gaps", "dur", "rank", "device", "why")
    longest = max(rows, key=lambda row: row[0], default=None)
    if longest is not None:
        dur, rank, device, why = longest
        about = f"{labels.gpu(rank, device)}, cause: {why or 'not known'}"
        yield Tile("Longest gap", duration(dur), about, "gaps")


def _straggler(answers: Answers, labels: Labels) -> Iterator[Tile]:
    rows = list(answers.rows("stragglers", "caused_wait_us", "rank", "times_last"))
    waits = [row for row in rows if row[0]]
    if waits:
        wait, rank, times = max(waits, key=lambda row: row[0])
        share = percent(wait / sum(row[0] for row in waits))
        about = f"came last {times:,} times: {share} of all waiting"
        yield Tile("Most waited for", labels.rank(rank), about, "stragglers")


def _hidden(answers: Answers) -> Iterator[Tile]:
    known = [it.seen.defects.hidden for it in answers.members if it.seen.defects is not None]
    kernels = sum(it.kernels for it in known)
    if kernels:
        lost = duration(sum(it.kernel_ns for it in known))
        about = f"{lost} of kernels, shown here"
        yield Tile("Hidden by Perfetto 51-56", plural(kernels, "kernel"), about, "hidden")
