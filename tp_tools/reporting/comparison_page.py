"""Render a comparison as one HTML page without scripts and without references to other files."""

from __future__ import annotations

from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.comparison import report
from tp_tools.comparison.model import KERNEL, TIME
from tp_tools.formatting import short_span, span
from tp_tools.reporting import page, templates

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.comparison.model import Comparison, Launches
    from tp_tools.comparison.report import Section

WIDTH = 1000
"""Units of the width of a picture."""

_STEP = "step"

_CHANGED = ("slower", "faster", "new", "gone")

_NUMBERS = ("count_a", "count_b", "a_ns", "b_ns", "diff_ns", "diff_percent", "share_percent")


class Block(Struct, frozen=True):
    """A rectangle of a picture.

    Attributes:
        x, width: in units of `WIDTH`.
        kind: its class: a verdict, or compute, collective, copy.
        title: what it shows.
    """

    x: float
    width: float
    kind: str
    title: str


class Bar(Struct, frozen=True):
    """A bar of the waterfall.

    Attributes:
        name: the part of a step.
        x, width: in units of `WIDTH`.
        kind: its class: whole, more or less.
        text: its number.
    """

    name: str
    x: float
    width: float
    kind: str
    text: str


def html(found: Comparison, most: int | None = None, *, show_all: bool = False) -> str:
    """Render the page.

    Args:
        found: the comparison.
        most: rows of a table at most; None for no limit.
        show_all: as for `report.sections`.

    Returns:
        HTML; equal comparisons give equal text.

    Raises:
        UsageError: Jinja2 is not installed.
    """
    headline = list(report.headline(found))
    template = templates.environment().get_template("comparison.html")
    return template.render(
        a=Path(found.a.name).name or found.a.name,
        b=Path(found.b.name).name or found.b.name,
        headline=headline,
        notes=found.notes,
        waterfall=[] if found.cannot else list(waterfall(found)),
        rows=[] if found.cannot else timeline(found),
        sections=[_table(it) for it in report.sections(found, most, show_all=show_all)],
        style=page.own((templates.HERE / "page.css").read_text("utf-8")),
        width=WIDTH,
        generator=f"tp-tools {version('tp-tools')}",
    )


def waterfall(found: Comparison) -> Iterator[Bar]:
    """Yield bars from the step time of A over what became more or less to that of B.

    Parts of typical steps need not add up to the typical step: what is missing is a bar, too.
    """
    before, after = found.step.mean_a, found.step.mean_b
    parts = [(it.key.name, it.diff_ns) for it in found.of(TIME) if it.key.name != "cpu_step"]
    if found.step.key.name != _STEP:
        parts = []
    rest = after - before - sum(ns for _, ns in parts)
    moves = [(name, ns) for name, ns in [*parts, ("other", rest)] if round(ns)]
    at, most = before, max(before, after)
    for _, ns in moves:
        at += ns
        most = max(most, at)
    scale = WIDTH / max(most, 1)
    yield Bar("A", 0, before * scale, "whole", span(round(before)))
    at = before
    for name, ns in moves:
        kind = "more" if ns > 0 else "less"
        sign = "+" if ns > 0 else ""
        left = min(at, at + ns)
        yield Bar(name, left * scale, abs(ns) * scale, kind, f"{sign}{short_span(round(ns))}")
        at += ns
    yield Bar("B", 0, after * scale, "whole", span(round(after)))


def timeline(found: Comparison) -> list[tuple[str, list[Block], str]]:
    """Return a row for the median step of each side, from its first work on, on one scale.

    Returns:
        Name, blocks and duration of each side; empty if one has no launch sequence.
    """
    sides = [(name, it.launches) for name, it in (("A", found.a), ("B", found.b))]
    known = [(name, it) for name, it in sides if it is not None and it.spans]
    if len(known) < len(sides):
        return []
    verdicts = {it.key.name: it.verdict for it in found.of(KERNEL) if it.verdict in _CHANGED}
    verdicts |= {it.was: it.verdict for it in found.of(KERNEL) if it.was}
    ends = {name: max(ts + dur for ts, dur in it.spans) for name, it in known}
    scale = WIDTH / max(*ends.values(), 1)
    return [(name, _blocks(it, verdicts, scale), short_span(ends[name])) for name, it in known]


def _blocks(launches: Launches, verdicts: dict[str, str], scale: float) -> list[Block]:
    """Draw launches; those of one kind that touch within a unit are one block."""
    blocks: list[Block] = []
    for name, (ts, dur) in sorted(
        zip(launches.names, launches.spans, strict=True), key=lambda it: it[1]
    ):
        kind = verdicts.get(name, launches.kinds[name])
        kind = kind if kind in {*_CHANGED, "compute", "collective", "copy"} else "compute"
        x, width = ts * scale, max(dur * scale, 0.5)
        last = blocks[-1] if blocks else None
        if last is not None and last.kind == kind and x - last.x - last.width < 1 and width < 1:
            joined = max(last.width, x + width - last.x)
            blocks[-1] = Block(last.x, joined, kind, last.title)
        else:
            blocks.append(Block(x, width, kind, f"{name}, {short_span(dur)}"))
    return blocks


def _table(it: Section) -> dict[str, object]:
    """Return what the template shows of a table."""
    numbers = [name in _NUMBERS for name in it.rows.columns]
    rows = [list(map(_cell, row, numbers)) for row in it.rows.rows]
    return {
        "title": it.title,
        "columns": list(zip(it.rows.columns, numbers, strict=True)),
        "rows": [(row[0].replace(" ", "-"), list(zip(row, numbers, strict=True))) for row in rows],
        "left_out": it.left_out,
    }


def _cell(value: object, is_number: bool) -> str:  # noqa: FBT001  for map
    if value is None:
        return ""
    return f"{value:,}" if is_number else str(value)
