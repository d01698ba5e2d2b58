"""Put a comparison of two profilers into words: lines, tables, an object for JSON."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from msgspec import to_builtins

from tp_tools.crosscheck.losses import REASONS
from tp_tools.crosscheck.model import KINETO, NSYS
from tp_tools.engine import Rows
from tp_tools.formatting import plural, span
from tp_tools.trace.short_names import short_names

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.crosscheck.model import CrossCheck, Loss, NameRow

_NAMED = 3
"""Names of kernels that a line on a loss gives."""

_TITLES = {KINETO: "Kineto", NSYS: "Nsight Systems"}


def headline(found: CrossCheck) -> Iterator[str]:
    """Yield the lines that stand for all."""
    counts = (
        f"{found.kernels[KINETO]:,} kernels of Kineto, {found.kernels[NSYS]:,} of Nsight Systems"
    )
    if found.cannot:
        yield f"Cannot compare: {'; '.join(found.cannot)}."
        yield f"{counts}."
        return
    anchors = f", at {plural(found.anchors, 'annotation')} that both have" if found.anchors else ""
    yield f"{counts}: {found.matched:,} are in both{anchors}."
    for where, title in _TITLES.items():
        of = [it for it in found.losses if it.missing_in == where]
        if of:
            lost = plural(sum(it.count for it in of), "kernel")
            yield f"{title} lacks {lost}, {span(sum(it.total_ns for it in of))} in the other."
    if not found.losses:
        yield "Neither lacks a kernel of the other."
    busy, overlaps = found.busy_ns, found.overlaps
    yield (
        f"A kernel that is in both ran for {span(busy[KINETO])} in Kineto, {span(busy[NSYS])} in "
        "Nsight Systems."
    )
    if overlaps is not None and any(overlaps.kernels.values()):
        yield (
            "Kernels that start before the former one on their stream has ended: "
            f"{overlaps.kernels[KINETO]:,} in Kineto ({span(overlaps.total_ns[KINETO])}), "
            f"{overlaps.kernels[NSYS]:,} in Nsight Systems ({span(overlaps.total_ns[NSYS])}); of "
            f"the pairs in both {overlaps.both:,} overlap in both, {overlaps.only[KINETO]:,} in "
            f"Kineto alone, {overlaps.only[NSYS]:,} in Nsight Systems alone."
        )


def loss_lines(found: CrossCheck) -> Iterator[str]:
    """Yield what is missing and why, a line for each known loss."""
    grouped: dict[tuple[str, str], list[Loss]] = {}
    for it in found.losses:
        grouped.setdefault((it.missing_in, it.reason), []).append(it)
    short = short_names(name for it in found.losses for name in it.names)
    for key, of in grouped.items():
        names = Counter[str]()
        for it in of:
            names.update(it.names)
        named = [f"{count:,} x {short[name]}" for name, count in names.most_common(_NAMED)]
        more = f", {plural(len(names) - _NAMED, 'name')} more" if len(names) > _NAMED else ""
        count = plural(sum(it.count for it in of), "kernel")
        at = f" at {len(of):,} places" if len(of) > 1 else ""
        yield f"{count}{at}, {REASONS[key]}: {', '.join(named)}{more}."
        unsure = [it.places for it in of if it.places > 1]
        if unsure:
            where = "it" if len(of) == 1 else f"{len(unsure):,} of them"
            yield f"  {max(unsure):,} places fit equally for {where}: kernels repeat there."


def durations(found: CrossCheck, most: int | None) -> Rows:
    """Return the durations by name as a table, most time first.

    Args:
        found: the comparison.
        most: rows at most; None for no limit.
    """
    short = short_names(it.name for it in found.durations)
    rows = [
        (
            short[it.name],
            it.count,
            round(it.kineto_ns),
            round(it.nsys_ns),
            *(None if ratio is None else round(ratio, 3) for ratio in _ratios(it)),
        )
        for it in found.durations[:most]
    ]
    columns = ("name", "kernels", "kineto_ns", "nsys_ns", "ratio", "ratio_5", "ratio_95")
    return Rows(columns, rows)


def _ratios(it: NameRow) -> tuple[float | None, float | None, float | None]:
    return it.ratio, it.ratio_low, it.ratio_high


def as_object(found: CrossCheck) -> dict[str, Any]:
    """Return the comparison as an object for JSON; times are ns."""
    made = to_builtins(found)
    made["losses"] = [
        {**of, "means": REASONS[it.missing_in, it.reason]}
        for it, of in zip(found.losses, made["losses"], strict=True)
    ]
    return {"summary": " ".join(headline(found)), **made}
