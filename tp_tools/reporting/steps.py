"""Build the section on the durations of steps."""

from __future__ import annotations

import re
from collections import Counter
from statistics import median
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.formatting import middle, plural
from tp_tools.reporting.line_plots import Points, plot_over_steps
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.plots import unit
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tp_tools.reporting.data import ReportData
    from tp_tools.reporting.labels import Labels

MAX_LINES = 8
"""Ranks up to which each has a line; for more, the plot has lines of longest, median, shortest."""

MAX_STEPS = 1000
MAX_ROWS = 50
_MAX_LABEL = 28
_PROFILER_STEP = re.compile(r"ProfilerStep#(\d{1,18})")


class _Step(Struct):
    """A step of one or several ranks.

    Ranks share a step if its name and the number of earlier steps of that name are equal.

    Attributes:
        name: name of its annotation: "ProfilerStep#7".
        durs: duration on the CPU in ns, by rank.
        busy_ns: time in which the GPUs worked for it, summed over ranks.
        gpu_ns: time from its first to its last work on the GPUs, summed over ranks.
    """

    name: str
    durs: dict[int | None, int]
    busy_ns: int = 0
    gpu_ns: int = 0


def section(data: ReportData, labels: Labels) -> Section:
    """Build the section; without a figure if the traces mark no steps."""
    title = "Step times"
    steps = _collect_steps(data)
    if not steps:
        return Section(
            "steps",
            title,
            "neither ProfilerStep nor annotations of an inference engine or of the program that "
            "repeat were recorded, nor GPU work that repeats up to its end",
        )
    text = (
        "A step is what the program repeats: a training iteration, or a round of inference. "
        f"{plural(len(steps), 'step')} {'was' if len(steps) == 1 else 'were'} recorded."
    )
    if any(rule == "repetition" for _, rule in data.rows("steps", "rank", "rule")):
        text += (
            " Nothing marks them: they are GPU work that repeats up to the end of the trace. Each "
            "ends where the next begins, so the last has no duration."
        )
    return Section("steps", title, text, [_figure(steps, labels)])


def _collect_steps(data: ReportData) -> list[_Step]:
    """Collect the steps of all ranks, in the order of their numbers or else of the rows."""
    steps: dict[tuple[str, int], _Step] = {}
    columns = ("rank", "name", "ts", "dur", "busy_ns", "gpu_dur")
    counted, occurrences = set[tuple[int | None, str, int]](), Counter[tuple[int | None, str]]()
    for rank, name, ts, dur, busy, gpu in data.rows("steps", *columns):
        if name is None or dur is None:  # work of no step, or a repetition that nothing follows
            continue
        if (rank, name, ts) not in counted:  # a step has a row per device that it used
            counted.add((rank, name, ts))
            occurrences[rank, name] += 1
        step = steps.setdefault((name, occurrences[rank, name]), _Step(name, {}))
        step.durs[rank] = dur
        step.busy_ns += busy
        step.gpu_ns += gpu or 0
    return _sort_by_number(list(steps.values()))


def _sort_by_number(steps: list[_Step]) -> list[_Step]:
    """Sort by number if all steps have one, since a rank may begin at a later step."""
    numbers = [_PROFILER_STEP.fullmatch(step.name) for step in steps]
    if not all(numbers):
        return steps
    return sorted(steps, key=lambda step: int(step.name.partition("#")[2]))


def _figure(steps: list[_Step], labels: Labels) -> Figure:
    plotted = steps[:MAX_STEPS]
    scale, unit_name = unit([max(step.durs.values()) for step in plotted])
    ranks = list(dict.fromkeys(rank for step in plotted for rank in step.durs))
    if len(ranks) <= MAX_LINES:
        lines = [_rank_line(plotted, rank, labels.rank(rank), scale) for rank in ranks]
        text = "A line per rank. "
    else:
        lines = [_summary_line(plotted, name, scale) for name in _SUMMARIES]
        text = f"The longest, the median and the shortest of {len(ranks)} ranks. "
    is_drawn = len(plotted) > 1
    if not is_drawn or len(ranks) == 1:
        text = ""
    notes = [_omission(steps, plotted)] if len(steps) > len(plotted) else []
    return Figure(
        "step-times",
        "Duration of each step",
        f"{text}Steps that differ, or a rank that stands apart, are worth a look. Time is that of "
        "the step's annotation, on the CPU where it has one; the table says how much of its time "
        "on the GPU was work.",
        queries=("steps",),
        plot=plot_over_steps(lines, [_short_name(step.name) for step in plotted], unit_name)
        if is_drawn
        else None,
        table=_steps_table(steps, labels),
        notes=notes,
    )


def _omission(steps: list[_Step], plotted: list[_Step]) -> str:
    return f"The plot has the first {len(plotted):,} of {len(steps):,} steps."


def _rank_line(steps: list[_Step], rank: int | None, name: str, scale: float) -> Points:
    points = [(index, step) for index, step in enumerate(steps) if rank in step.durs]
    return Points(
        name,
        [index for index, _ in points],
        [step.durs[rank] / scale for _, step in points],
        [f"{name}: {step.name}\n{duration(step.durs[rank])}" for _, step in points],
    )


_SUMMARIES: dict[str, Callable[[Iterable[int]], int]] = {
    "longest": max,
    "median": lambda durs: round(median(durs)),
    "shortest": min,
}


def _summary_line(steps: list[_Step], name: str, scale: float) -> Points:
    values = [_SUMMARIES[name](step.durs.values()) for step in steps]
    return Points(
        f"{name} of the ranks",
        list(range(len(steps))),
        [value / scale for value in values],
        [f"{step.name}: {name}\n{duration(ns)}" for step, ns in zip(steps, values, strict=True)],
    )


def _short_name(name: str) -> str:
    number = _PROFILER_STEP.fullmatch(name)
    return f"#{number[1]}" if number else middle(name, _MAX_LABEL)


def _steps_table(steps: list[_Step], labels: Labels) -> Table:
    columns = [
        Column("name", "step", "name"),
        Column("ranks", "ranks"),
        Column("median_ns", "median", "ns"),
        Column("longest_ns", "longest", "ns"),
        Column("longest_rank", "on", "text"),
        Column("gpu_busy_percent", "GPU busy", "percent"),
    ]
    rows = [
        (
            step.name,
            len(step.durs),
            round(median(step.durs.values())),
            max(step.durs.values()),
            labels.rank(max(step.durs, key=lambda rank: step.durs[rank])),
            100 * step.busy_ns / step.gpu_ns if step.gpu_ns else None,
        )
        for step in steps[:MAX_ROWS]
    ]
    omitted = len(steps) - len(rows)
    return Table(columns, rows, f"And {plural(omitted, 'step')} more." if omitted else "")
