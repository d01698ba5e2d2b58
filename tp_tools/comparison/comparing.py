"""Compare two sides: match their rows, judge each difference, say what cannot be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from tp_tools.comparison import doubts, grouping, matching
from tp_tools.comparison.judging import DEFAULT, judge
from tp_tools.comparison.model import KERNEL, LEVELS, Comparison, Key

if TYPE_CHECKING:
    from tp_tools.comparison.judging import Rules
    from tp_tools.comparison.model import Change, Side


def compare(a: Side, b: Side, rules: Rules = DEFAULT, *, exact: bool = False) -> Comparison:
    """Compare two sides.

    Args:
        a: the one before.
        b: the one after.
        rules: when a difference counts.
        exact: whether kernels have their full names; else those of one short name are one row.
    """
    if not exact:
        a, b = grouping.by_short_name(a), grouping.by_short_name(b)
    matched = matching.match(a, b)
    changes = judge(_with_new_names(a, matched.renamed), b, rules)
    old_names = {(new, kind): old for (old, kind), new in matched.renamed.items()}
    changes = [
        replace(it, was=old_names.get((it.key.name, it.key.detail), ""))
        if it.key.level == KERNEL
        else it
        for it in changes
    ]
    step = next(it for it in changes if it.key == b.step)
    if step.verdict in {"slower", "faster"}:
        changes = [replace(it, share=it.diff_ns / step.diff_ns) for it in changes]
    rest = sorted((it for it in changes if it.key != step.key), key=_order)
    cannot = doubts.cannot(a, b, changes, matched, rules.least_matched)
    notes = doubts.notes(a, b, matched)
    return Comparison(a, b, step, tuple(rest), tuple(cannot), tuple(notes))


def _with_new_names(side: Side, renamed: dict[tuple[str, str], str]) -> Side:
    """Give renamed kernels of a side their names in the other one."""
    rows = {
        Key(KERNEL, renamed.get((key.name, key.detail), key.name), key.detail)
        if key.level == KERNEL
        else key: samples
        for key, samples in side.rows.items()
    }
    return replace(side, rows=rows)


def _order(change: Change) -> tuple[int, float, Key]:
    return LEVELS.index(change.key.level), -abs(change.diff_ns), change.key
