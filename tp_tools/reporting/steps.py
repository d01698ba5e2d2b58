"""How long the steps took."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from statistics import median
from typing import TYPE_CHECKING

from tp_tools.formatting import middle, plural
from tp_tools.reporting.line_plots import Points, over_steps
from tp_tools.reporting.model import Figure, Section
from tp_tools.reporting.plots import unit
from tp_tools.reporting.tables import Column, Table, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tp_tools.reporting.data import Answers
    from tp_tools.reporting.labels import Labels

MOST_LINES = 8
"""Ranks above which a line each would be a tangle."""

MOST_STEPS = 1000
MOST_ROWS = 50
_LONGEST = 28
_PROFILER = re.compile(r"ProfilerStep#(\d+)")


@dataclass
class _Step:
    """A step that ranks may share: by its name, and how often that came before.

    Attributes:
        name: of its annotation.
        durs: ns on the CPU, by rank.
        busy_ns: in which the GPUs worked for it, all ranks.
        gpu_ns: from its first to its last work on the GPUs, all ranks.
    """

    name: str
    durs: dict[int | None, int]
    busy_ns: int = 0
    gpu_ns: int = 0


def steps(answers: Answers, labels: Labels) -> Section:
    """The time of each step."""
    title = "Step times"
    found = _steps(answers)
    if not found:
        return Section(
            "steps",
            title,
            "The trace marks no steps: it has neither ProfilerStep nor annotations of an inference "
            "engine or of the program that repeat.",
        )
    says = (
        "A step is what the program repeats: a training iteration, or a round of inference. "
        f"{plural(len(found), 'step')} {'was' if len(found) == 1 else 'were'} recorded."
    )
    return Section("steps", title, says, [_figure(found, labels)])


def _steps(answers: Answers) -> list[_Step]:
    """All steps, in the order in which they come."""
    found: dict[tuple[str, int], _Step] = {}
    columns = ("rank", "name", "ts", "dur", "busy_ns", "gpu_dur")
    seen, before = set[tuple[int | None, str, int]](), Counter[tuple[int | None, str]]()
    for rank, name, ts, dur, busy, gpu in answers.rows("steps", *columns):
        if name is None:  # work of no step
            continue
        if (rank, name, ts) not in seen:  # it has a row per device that it used
            seen.add((rank, name, ts))
            before[rank, name] += 1
        step = found.setdefault((name, before[rank, name]), _Step(name, {}))
        step.durs[rank] = dur
        step.busy_ns += busy
        step.gpu_ns += gpu or 0
    return _by_number(list(found.values()))


def _by_number(found: list[_Step]) -> list[_Step]:
    """In the order of their numbers where all have one: a rank may begin at a later step."""
    numbers = [_PROFILER.fullmatch(it.name) for it in found]
    if not all(numbers):
        return found
    return sorted(found, key=lambda it: int(it.name.partition("#")[2]))


def _figure(found: list[_Step], labels: Labels) -> Figure:
    shown = found[:MOST_STEPS]
    scale, written = unit([max(it.durs.values()) for it in shown])
    ranks = list(dict.fromkeys(rank for it in shown for rank in it.durs))
    if len(ranks) <= MOST_LINES:
        lines = [_line(shown, rank, labels.rank(rank), scale) for rank in ranks]
        says = "A line per rank. " if len(ranks) > 1 else ""
    else:
        lines = [_over_ranks(shown, name, scale) for name in _OVER_RANKS]
        says = f"The longest, the median and the shortest of {len(ranks)} ranks. "
    notes = [_left_out(found, shown)] if len(found) > len(shown) else []
    return Figure(
        "step-times",
        "Duration of each step",
        f"{says}Steps that differ, or a rank that stands apart, are worth a look. Time is that of "
        "the step's annotation, on the CPU where it has one; the table says how much of its time "
        "on the GPU was work.",
        queries=("steps",),
        plot=over_steps(lines, [_short(it.name) for it in shown], written)
        if len(shown) > 1
        else None,
        table=_table(found, labels),
        notes=notes,
    )


def _left_out(found: list[_Step], shown: list[_Step]) -> str:
    return f"The plot has the first {len(shown):,} of {len(found):,} steps."


def _line(shown: list[_Step], rank: int | None, name: str, scale: float) -> Points:
    mine = [(place, it) for place, it in enumerate(shown) if rank in it.durs]
    return Points(
        name,
        [place for place, _ in mine],
        [it.durs[rank] / scale for _, it in mine],
        [f"{name}: {it.name}\n{duration(it.durs[rank])}" for _, it in mine],
    )


_OVER_RANKS: dict[str, Callable[[Iterable[int]], int]] = {
    "longest": max,
    "median": lambda durs: round(median(durs)),
    "shortest": min,
}


def _over_ranks(shown: list[_Step], name: str, scale: float) -> Points:
    values = [_OVER_RANKS[name](it.durs.values()) for it in shown]
    return Points(
        f"{name} of the ranks",
        list(range(len(shown))),
        [value / scale for value in values],
        [f"{it.name}: {name}\n{duration(ns)}" for it, ns in zip(shown, values, strict=True)],
    )


def _short(name: str) -> str:
    number = _PROFILER.fullmatch(name)
    return f"#{number[1]}" if number else middle(name, _LONGEST)


def _table(found: list[_Step], labels: Labels) -> Table:
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
            it.name,
            len(it.durs),
            round(median(it.durs.values())),
            max(it.durs.values()),
            labels.rank(max(it.durs, key=lambda rank: it.durs[rank])),
            100 * it.busy_ns / it.gpu_ns if it.gpu_ns else None,
        )
        for it in found[:MOST_ROWS]
    ]
    more = len(found) - len(rows)
    return Table(columns, rows, f"And {plural(more, 'step')} more." if more else "")
