"""Build the section on gaps: times in which a GPU was idle, and their causes."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.formatting import middle, plural
from tp_tools.reporting.bars import ranked, stacked
from tp_tools.reporting.gpu_time import NO_GPU
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.tables import Column, KernelName, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.reporting.bars import Bars
    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels
    from tp_tools.reporting.places import Places

MAX_BARS = 20
MAX_ROWS = 100
_MAX_LABEL = 34

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
"""Values of column `why` of gaps.sql: name, column with the part of a gap, colour, meaning."""


class _Gap(Struct, frozen=True, order=True):
    """A gap.

    Attributes:
        dur: length in ns.
        gpu: name of the GPU.
        at_ns: start, from the first work of the GPU on.
        why: cause, a key of `CAUSES`.
        before, after: names of the work before and after it.
        waited_in: call in which the CPU waited; None if it did not.
        cpu_op, python_line: what the CPU did instead of the launch; None if not known.
        view: command that shows the work after it; None if not known.
    """

    dur: int
    gpu: str
    at_ns: int
    why: str | None
    before: KernelName
    after: KernelName
    waited_in: str | None
    cpu_op: str | None
    python_line: str | None
    view: str | None


def section(data: ReportData, labels: Labels, places: Places) -> Section:
    """Build the section; without figures if no GPU was idle."""
    title = "Gaps: when nothing ran"
    if not data.results["gpu_time"].rows:
        return Section("gaps", title, NO_GPU)
    idle = _idle_by_cause(data, labels)
    if not any(sum(causes.values()) for causes in idle.values()):
        return Section("gaps", title, "no GPU was idle between its first and its last work")
    text = (
        "A gap is a time between the first and the last work of a GPU in which nothing runs on it. "
        "Its parts say why the next work did not start earlier, its cause is the largest of them."
    )
    return Section(
        "gaps", title, text, [_cause_figure(idle), _longest_figure(data, labels, places)]
    )


def _idle_by_cause(data: ReportData, labels: Labels) -> dict[str, dict[str | None, int]]:
    """Sum the idle time of every GPU by the parts of its gaps, in ns."""
    idle: dict[str, dict[str | None, int]] = {
        labels.gpu(*gpu): defaultdict(int) for gpu in data.rows("gpu_time", "rank", "device")
    }
    keys = [key for _, key, _, _ in CAUSES.values()]
    for rank, device, *parts in data.rows("gaps", "rank", "device", *keys):
        causes = idle[labels.gpu(rank, device)]
        for why, part_ns in zip(CAUSES, parts, strict=True):
            causes[why] += part_ns
    return idle


def _cause_figure(idle: dict[str, dict[str | None, int]]) -> Figure:
    reasons = [why for why in CAUSES if any(causes.get(why) for causes in idle.values())]
    totals = {gpu: sum(causes.values()) for gpu, causes in idle.items()}
    split = [(str(why), CAUSES[why][0], CAUSES[why][2]) for why in reasons]
    by_gpu = {
        gpu: {str(why): causes.get(why, 0) for why in reasons} for gpu, causes in idle.items()
    }
    meanings = "; ".join(f"{CAUSES[why][0]}: {CAUSES[why][3]}" for why in reasons)
    columns = [
        Column("label", "GPU", "text"),
        *(Column(str(why or "not known"), CAUSES[why][0], "ns") for why in reasons),
        Column("idle_ns", "idle in all", "ns"),
    ]
    rows = [
        (gpu, *(causes.get(why, 0) for why in reasons), totals[gpu]) for gpu, causes in idle.items()
    ]
    return Figure(
        "idle-by-cause",
        "Idle time by cause",
        f"All gaps of each GPU added up. {meanings[0].upper()}{meanings[1:]}.",
        queries=("gaps",),
        bars=stacked(split, by_gpu),
        table=Table(columns, rows, has_one_unit=True),
    )


def _longest_figure(data: ReportData, labels: Labels, places: Places) -> Figure:
    count = len(data.results["gaps"].rows)
    gaps = _gaps(data, labels, places)
    longest = heapq.nsmallest(MAX_ROWS, gaps, key=lambda gap: (-gap.dur, gap.gpu, gap.at_ns))
    omitted, drawn = count - len(longest), longest[:MAX_BARS]
    causes = {CAUSES[gap.why][0] for gap in drawn}
    colour = "each in the colour of its cause"
    if len(causes) == 1:  # the bars have no legend
        colour = f"all of the cause {', '.join(causes)}"
    return Figure(
        "longest-gaps",
        "The longest gaps",
        f"The {plural(len(drawn), 'gap')} that took longest, over all GPUs, {colour}, with the "
        "work that ended it. The table says the work before it, too.",
        queries=("gaps", "gpu_time"),
        bars=_longest_bars(drawn),
        table=Table(
            _GAP_COLUMNS,
            [_gap_cells(number, gap) for number, gap in enumerate(longest, 1)],
            f"And {plural(omitted, 'shorter gap')}." if omitted else "",
        ),
    )


def _gaps(data: ReportData, labels: Labels, places: Places) -> Iterator[_Gap]:
    """Yield the gaps of all GPUs."""
    first_ts = {
        (rank, device): ts for rank, device, ts in data.rows("gpu_time", "rank", "device", "ts")
    }
    columns = ("dur", "rank", "device", "ts", "why", "before", "after", "id", *_CPU)
    for dur, rank, device, ts, why, before, after, after_id, held, cpu_op, line in data.rows(
        "gaps", *columns
    ):
        yield _Gap(
            dur,
            labels.gpu(rank, device),
            ts - first_ts[rank, device],
            why,
            labels.kernel(before),
            labels.kernel(after),
            held,
            cpu_op,
            line,
            places.at_slice(rank, after_id),
        )


def _longest_bars(longest: list[_Gap]) -> Bars:
    """Draw a bar per gap, in the colour of its cause."""
    several = len({gap.gpu for gap in longest}) > 1
    bars = [
        (
            f"{gap.gpu}: {middle(gap.after.short, _MAX_LABEL)}" if several else gap.after.short,
            gap.dur,
            str(gap.why),
            f"{CAUSES[gap.why][0]}\nbefore: {gap.before.short}\nafter: {gap.after.short}",
        )
        for gap in longest
    ]
    return ranked(bars, {str(why): (name, color) for why, (name, _, color, _) in CAUSES.items()})


def _gap_cells(number: int, gap: _Gap) -> tuple[object, ...]:
    """Return the cells of a gap, in the order of `_GAP_COLUMNS`."""
    return (
        number,
        gap.gpu,
        gap.dur,
        CAUSES[gap.why][0] if gap.why is not None else None,
        gap.view,
        gap.at_ns,
        gap.before,
        gap.after,
        gap.waited_in,
        gap.cpu_op,
        gap.python_line,
    )


_CPU = ("waited_in", "cpu_op", "python_line")
"""Columns of gaps.sql that say what the CPU did."""

_GAP_COLUMNS = (
    Column("place", "#", "number"),
    Column("label", "GPU", "text"),
    Column("dur", "length", "ns"),
    Column("why", "cause", "text"),
    Column("view", "in the timeline", "view"),
    Column("at_ns", "after the GPU's first work", "ns"),
    Column("before", "work before", "name"),
    Column("after", "work after", "name"),
    Column("waited_in", "call in which the CPU waited", "name"),
    Column("cpu_op", "op in which it was busy", "name"),
    Column("python_line", "Python line", "name"),
)
