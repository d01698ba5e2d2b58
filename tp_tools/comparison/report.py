"""Say what a comparison found: a headline, and a table per level."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct
from msgspec.structs import asdict

from tp_tools.comparison.judging import is_of_cpu, is_one_recording
from tp_tools.comparison.model import (
    CHANGED,
    COLLECTIVE,
    GAP,
    KERNEL,
    MODULE,
    OP,
    TIME,
)
from tp_tools.engine import Rows
from tp_tools.formatting import plural, short_span, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from tp_tools.comparison.model import Change, Comparison, Side

_TITLES = {
    TIME: "Parts of a step",
    KERNEL: "Kernels",
    COLLECTIVE: "Collectives",
    MODULE: "Modules",
    GAP: "Gaps",
    OP: "Ops on the CPU",
}

_APART: tuple[tuple[str, Callable[[Change], bool]], ...] = (
    ("Renamed kernels", lambda it: bool(it.was)),
    ("New kernels", lambda it: it.verdict == "new"),
    ("Kernels that are gone", lambda it: it.verdict == "gone"),
)

_QUIET = ("same", "too little")
"""Verdicts of rows that a table leaves out unless it shows all."""

_NAMED = 3
"""Changed kernels that the headline names."""


class Section(Struct, frozen=True):
    """A table of a level.

    Attributes:
        title: its title.
        rows: its rows.
        left_out: how many rows are not shown.
    """

    title: str
    rows: Rows
    left_out: int


def headline(found: Comparison) -> Iterator[str]:
    """Yield the lines that stand for all."""
    if found.cannot:
        yield f"Cannot compare: {'; '.join(found.cannot)}."
        return
    a, b, step = found.a, found.b, found.step
    samples = f"{_samples(a)} against {_samples(b)}"
    times = f"{span(round(step.mean_a))} in A, {span(round(step.mean_b))} in B"
    yield f"{_verdict(step)}: {times}{_change(step)}; {samples}."
    if is_of_cpu(step.key) and (is_one_recording(a) or is_one_recording(b)):
        yield (
            "Two recordings of one program on a CPU differ by more than their steps say: compare "
            "three or more a side (--each)."
        )
    for verdict in ("slower", "faster"):
        named = [it for it in found.of(_things(found)) if it.verdict == verdict and not it.was]
        if named:
            texts = [f"{it.key.name} {_signed(it.diff_ns)}{_relative(it)}" for it in named[:_NAMED]]
            more = f" and {len(named) - _NAMED} more" if len(named) > _NAMED else ""
            yield f"{verdict.capitalize()}: {', '.join(texts)}{more}."
    if not any(it.verdict in CHANGED for it in (step, *found.changes)):
        yield "Nothing changed." if step.verdict == "same" else "No change stands out of the noise."


def _things(found: Comparison) -> str:
    """Return the level whose rows are named: kernels, or ops where there are none."""
    return KERNEL if found.of(KERNEL) else OP


def _samples(side: Side) -> str:
    return plural(side.samples, side.facts.unit) + (
        f" of {plural(side.facts.ranks, 'rank')}" if side.facts.ranks > 1 else ""
    )


def _verdict(step: Change) -> str:
    where = "Step time" if step.key.name == "step" else "Step time on the CPU"
    return {
        "slower": f"B is slower. {where}",
        "faster": f"B is faster. {where}",
        "same": f"{where} is the same",
        "not tested": f"{where} was not tested",
        "unclear": f"{where} differs, but that is not sure",
    }.get(step.verdict, f"{where} is within noise")


def _change(step: Change) -> str:
    if not step.diff_ns or step.relative is None:
        return ""
    interval = ""
    if step.low is not None and step.high is not None and step.mean_a:
        low, high = (100 * it / step.mean_a for it in (step.low, step.high))
        interval = f", 95 %: {low:+.1f} to {high:+.1f} %"
    return f" ({100 * step.relative:+.1f} %{interval})"


def _signed(ns: float) -> str:
    return f"{'+' if ns > 0 else ''}{short_span(round(ns))}"


def _relative(change: Change) -> str:
    return "" if change.relative is None else f" ({100 * change.relative:+.1f} %)"


def sections(found: Comparison, most: int | None, *, show_all: bool = False) -> Iterator[Section]:
    """Yield a table per level, the largest difference first; kernels of one side apart.

    Args:
        found: the comparison.
        most: rows of a table at most; None for no limit.
        show_all: whether to show rows that are the same, or too little to be judged.
    """
    for level, title in _TITLES.items():
        rows = found.of(level)
        if level == KERNEL:
            apart = [(name, [it for it in rows if of(it)]) for name, of in _APART]
            taken = {it.key for _, of in apart for it in of}
            tables = [(title, [it for it in rows if it.key not in taken]), *apart]
        else:
            tables = [(title, rows)]
        for name, of in tables:
            shown = [it for it in of if show_all or it.verdict not in _QUIET]
            if shown:
                yield _section(name, shown, found, most)


def _section(name: str, rows: Sequence[Change], found: Comparison, most: int | None) -> Section:
    shown = rows[:most]
    cells = [_cells(it, found) for it in shown]
    used = [
        i
        for i, name in enumerate(cells[0])
        if any(name in row and row[name] is not None for row in cells)
    ]
    names = [name for i, name in enumerate(cells[0]) if i in used]
    table = Rows(tuple(names), [tuple(row[name] for name in names) for row in cells])
    return Section(name, table, len(rows) - len(shown))


def _cells(it: Change, found: Comparison) -> dict[str, Any]:
    return {
        "verdict": it.verdict,
        "name": it.key.name,
        "was": it.was or None,
        "family": found.families.get(it.key.name) if it.key.level == KERNEL else None,
        "detail": (it.key.detail or None) if it.key.level != KERNEL else None,
        "count_a": _count(it.count_a),
        "count_b": _count(it.count_b),
        "a_ns": round(it.mean_a),
        "b_ns": round(it.mean_b),
        "diff_ns": round(it.diff_ns),
        "diff_percent": None if it.relative is None else round(100 * it.relative, 1),
        "share_percent": None if it.share is None else round(100 * it.share, 1),
    }


def _count(mean: float) -> float:
    return int(mean) if mean == int(mean) else round(mean, 2)


def as_object(found: Comparison) -> dict[str, Any]:
    """Return the comparison as an object for JSON; times are ns."""
    return {
        "summary": " ".join(headline(found)),
        "cannot": list(found.cannot),
        "notes": list(found.notes),
        "a": _side_object(found.a),
        "b": _side_object(found.b),
        "step": _object(found.step, found),
        "changes": [_object(it, found) for it in found.changes],
    }


def _side_object(side: Side) -> dict[str, Any]:
    return {"name": side.name, "samples": side.samples, **asdict(side.facts)}


def _object(it: Change, found: Comparison) -> dict[str, Any]:
    return {
        "level": it.key.level,
        "name": it.key.name,
        "detail": it.key.detail or None,
        "was": it.was or None,
        "family": found.families.get(it.key.name) if it.key.level == KERNEL else None,
        "verdict": it.verdict,
        "count_a": it.count_a,
        "count_b": it.count_b,
        "total_a_ns": it.total_a,
        "total_b_ns": it.total_b,
        "a_ns": it.mean_a,
        "b_ns": it.mean_b,
        "diff_ns": it.diff_ns,
        "relative": it.relative,
        "low_ns": it.low,
        "high_ns": it.high,
        "p": it.p,
        "share": it.share,
    }


def markdown(found: Comparison, most: int | None, *, show_all: bool = False) -> Iterator[str]:
    """Yield lines of Markdown; see `sections`."""
    lines = list(headline(found))
    yield f"**{_escape(lines[0])}**"
    for line in (*lines[1:], *found.notes):
        yield ""
        yield _escape(line)
    for it in sections(found, most, show_all=show_all):
        yield ""
        yield f"### {it.title}"
        yield ""
        yield f"| {' | '.join(it.rows.columns)} |"
        yield f"|{'---|' * len(it.rows.columns)}"
        for row in it.rows.rows:
            yield f"| {' | '.join(_escape('' if cell is None else _text(cell)) for cell in row)} |"
        if it.left_out:
            yield ""
            yield f"{plural(it.left_out, 'row')} left out."


def _text(cell: object) -> str:
    return f"{cell:,}" if isinstance(cell, (int, float)) else str(cell)


def _escape(text: str) -> str:
    """Escape what Markdown reads as markup in names of kernels."""
    marks = str.maketrans({mark: f"\\{mark}" for mark in "<>*_[]|"})
    return text.translate(marks)
