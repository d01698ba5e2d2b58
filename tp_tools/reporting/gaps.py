"""When the GPUs had nothing to do, and why."""

from __future__ import annotations

import heapq
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tp_tools.formatting import middle, percent, plural
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.plots import BarPart, bars, unit
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from tp_tools.reporting.data import Answers
    from tp_tools.reporting.labels import Labels

MOST_GAPS = 20
_LONGEST = 34

CAUSES: dict[str | None, tuple[str, str, str, str]] = {
    "cpu": ("cpu", "cpu_ns", "var(--step)", "before it launched the next work the CPU was busy"),
    "sync": ("sync", "wait_ns", "var(--sync)", "the CPU was in a call that held it"),
    "launch": ("launch", "launch_call_ns", "var(--launch)", "the CPU was in the launch call"),
    "front end": (
        "front end",
        "front_end_ns",
        "var(--frontend)",
        "a launch that came too late had returned, and nothing ran: the GPU itself",
    ),
    "dependency": (
        "dependency",
        "dependency_ns",
        "var(--dependency)",
        "the next work had been launched, but waited for other work or for the GPU itself",
    ),
    None: (
        "not known",
        "unknown_ns",
        "var(--unknown)",
        "the trace has no launch of the next work",
    ),
}
"""What `why` of gaps.sql says: its name, the column with its part of a gap, colour, meaning."""


@dataclass(frozen=True, order=True)
class _Gap:
    """A gap; `at_ns` counts from the first work of its GPU."""

    dur: int
    gpu: str
    at_ns: int
    why: str | None
    before: str
    after: str
    waited_in: str | None
    cpu_op: str | None
    python_line: str | None


def gaps(answers: Answers, labels: Labels) -> Section:
    """The gaps of each GPU by their cause, and the longest of all."""
    title = "Gaps: when nothing ran"
    if not answers.answers["gpu_time"].rows:
        return Section("gaps", title, NO_GPU)
    by_cause = _by_cause(answers, labels)
    if not any(sum(causes.values()) for causes in by_cause.values()):
        return Section("gaps", title, "No GPU was idle between its first and its last work.")
    says = (
        "A gap is a time between the first and the last work of a GPU in which nothing runs on it. "
        "Its parts say why the next work did not start earlier, its cause is the largest of them."
    )
    return Section("gaps", title, says, [_causes(by_cause), _longest(answers, labels)])


def _by_cause(answers: Answers, labels: Labels) -> dict[str, dict[str | None, int]]:
    """Idle ns of each GPU, by the parts of its gaps; every GPU is there."""
    found: dict[str, dict[str | None, int]] = {
        labels.gpu(*it): defaultdict(int) for it in answers.rows("gpu_time", "rank", "device")
    }
    keys = [key for _, key, _, _ in CAUSES.values()]
    for rank, device, *parts in answers.rows("gaps", "rank", "device", *keys):
        causes = found[labels.gpu(rank, device)]
        for why, ns in zip(CAUSES, parts, strict=True):
            causes[why] += ns
    return found


def _causes(by_cause: dict[str, dict[str | None, int]]) -> Figure:
    known = [why for why in CAUSES if any(causes.get(why) for causes in by_cause.values())]
    totals = {gpu: sum(causes.values()) for gpu, causes in by_cause.items()}
    scale, written = unit([max(totals.values())])
    parts = [
        BarPart(
            CAUSES[why][0],
            CAUSES[why][2],
            [causes.get(why, 0) / scale for causes in by_cause.values()],
            [
                f"{gpu}: {CAUSES[why][0]}\n{duration(causes.get(why, 0))}, "
                f"{percent(causes.get(why, 0) / max(totals[gpu], 1))} of its idle time"
                for gpu, causes in by_cause.items()
            ],
        )
        for why in known
    ]
    meanings = "; ".join(f"{CAUSES[why][0]}: {CAUSES[why][3]}" for why in known)
    columns = [
        Column("label", "GPU", "text"),
        *(Column(str(why or "not known"), CAUSES[why][0], "ns") for why in known),
        Column("idle_ns", "idle in all", "ns"),
    ]
    rows = [
        (gpu, *(causes.get(why, 0) for why in known), totals[gpu])
        for gpu, causes in by_cause.items()
    ]
    return Figure(
        "idle-by-cause",
        "Idle time by cause",
        f"All gaps of each GPU added up. {meanings[0].upper()}{meanings[1:]}.",
        queries=("gaps",),
        plot=bars(list(by_cause), parts, f"idle, {written}"),
        table=Table(columns, rows, has_one_unit=True),
    )


def _longest(answers: Answers, labels: Labels) -> Figure:
    count = len(answers.answers["gaps"].rows)
    first = {
        (rank, device): ts for rank, device, ts in answers.rows("gpu_time", "rank", "device", "ts")
    }
    columns = ("dur", "rank", "device", "ts", "why", "before", "after", *_CPU)
    every = (
        _Gap(dur, labels.gpu(rank, device), ts - first[rank, device], *rest)
        for dur, rank, device, ts, *rest in answers.rows("gaps", *columns)
    )
    shown = heapq.nsmallest(MOST_GAPS, every, key=lambda it: (-it.dur, it.gpu, it.at_ns))
    scale, written = unit([it.dur for it in shown])
    names = [f"{it.gpu}: {middle(it.after, _LONGEST)}" for it in shown]
    parts = [
        BarPart(
            name,
            color,
            [it.dur / scale if it.why == why else None for it in shown],
            [
                f"{it.gpu}, {duration(it.dur)}: {name}\nbefore: {it.before}\nafter: {it.after}"
                for it in shown
            ],
        )
        for why, (name, _, color, _) in CAUSES.items()
        if any(it.why == why for it in shown)
    ]
    rows = [
        (
            place,
            it.gpu,
            it.dur,
            CAUSES[it.why][0] if it.why is not None else None,
            it.at_ns,
            it.before,
            it.after,
            it.waited_in,
            it.cpu_op,
            it.python_line,
        )
        for place, it in enumerate(shown, 1)
    ]
    more = count - len(shown)
    return Figure(
        "longest-gaps",
        "The longest gaps",
        f"The {plural(len(shown), 'gap')} that took longest, over all GPUs, each in the colour of "
        "its cause, with the work that ended it. The table says the work before it, too.",
        queries=("gaps", "gpu_time"),
        plot=bars(names, parts, f"length, {written}"),
        table=Table(_GAP_COLUMNS, rows, f"And {plural(more, 'shorter gap')}." if more else ""),
    )


_CPU = ("waited_in", "cpu_op", "python_line")
"""Columns of gaps.sql that say what the CPU did."""

_GAP_COLUMNS = (
    Column("place", "#", "number"),
    Column("label", "GPU", "text"),
    Column("dur", "length", "ns"),
    Column("why", "cause", "text"),
    Column("at_ns", "after the GPU's first work", "ns"),
    Column("before", "work before", "name"),
    Column("after", "work after", "name"),
    Column("waited_in", "call in which the CPU waited", "name"),
    Column("cpu_op", "op in which it was busy", "name"),
    Column("python_line", "Python line", "name"),
)
