"""How fast collectives moved their bytes."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from tp_tools.formatting import plural, size
from tp_tools.reporting import tables
from tp_tools.reporting.line_plots import Points, over_sizes
from tp_tools.reporting.model import Figure
from tp_tools.reporting.tables import Column, Table

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tp_tools.reporting.data import Answers

MOST_SIZES = 500
_TITLE = "Bandwidth over message size"
_WITHOUT_BYTES = "dispatch_combine"


class _Size(NamedTuple):
    """Collectives of one kind and size."""

    kind: str
    bytes: int
    is_complete: bool


def bandwidth(answers: Answers) -> Iterator[Figure]:
    """The figure, if there are kinds of collectives that could have bandwidths."""
    names = [name for name in answers.of_kinds() if name != _WITHOUT_BYTES]
    if names:
        yield _figure(answers, names)


def _figure(answers: Answers, names: list[str]) -> Figure:
    speeds: dict[_Size, list[float]] = defaultdict(list)
    unknown = unsure = 0
    columns = ("kind", "bytes", "busbw", "confidence", "ranks", "ranks_expected")
    for name in names:
        for kind, length, busbw, confidence, ranks, expected in answers.rows(name, *columns):
            if confidence == "uncertain":
                unsure += 1
            elif not length or not busbw or min(length, busbw) <= 0:
                unknown += 1
            else:
                speeds[_Size(kind, length, ranks >= expected)].append(busbw)
    notes = [
        *([f"Left out: {plural(unsure, 'collective')} with an uncertain match."] if unsure else []),
        *([f"Left out: {plural(unknown, 'collective')} of unknown size."] if unknown else []),
    ]
    if not speeds:
        says = "No collective says how many bytes it moved, or none of those is sure."
        return Figure("bandwidth", _TITLE, says, names, notes=notes)
    biggest = sorted(speeds, key=lambda it: (-it.bytes * len(speeds[it]), it))
    shown = sorted(biggest[:MOST_SIZES])
    if len(shown) < len(speeds):
        notes.append(f"The {MOST_SIZES} sizes that moved most bytes, of {len(speeds):,}.")
    if any(not it.is_complete for it in shown):
        notes.append(_INCOMPLETE)
    return Figure(
        "bandwidth",
        _TITLE,
        "Bus bandwidth (busbw) is what the wires carried once the last rank had arrived, as "
        "nccl-tests defines it, so it can be held against what the hardware can do. A point is the "
        "median of all collectives of one kind and size, its whisker the slowest and the fastest. "
        "Large messages should come near the limit; small ones cannot.",
        queries=names,
        plot=over_sizes([_points(kind, shown, speeds) for kind in _kinds(shown)]),
        table=_table(shown, speeds),
        notes=notes,
    )


_INCOMPLETE = (
    "Hollow points: ranks that took part are not among these traces. The time may contain waiting "
    "for them, so the true bandwidth is at least that."
)


def _kinds(shown: list[_Size]) -> list[tuple[str, bool]]:
    return sorted({(it.kind, it.is_complete) for it in shown})


def _points(
    which: tuple[str, bool], shown: list[_Size], speeds: dict[_Size, list[float]]
) -> Points:
    kind, is_complete = which
    mine = [it for it in shown if (it.kind, it.is_complete) == which]
    return Points(
        kind if is_complete else f"{kind}, ranks missing",
        [it.bytes for it in mine],
        [median(speeds[it]) for it in mine],
        [
            f"{kind}, {size(it.bytes)}, {len(speeds[it]):,} times\n"
            f"median {tables.bandwidth(median(speeds[it]))}"
            for it in mine
        ],
        [min(speeds[it]) for it in mine],
        [max(speeds[it]) for it in mine],
        is_hollow=not is_complete,
    )


def _table(shown: list[_Size], speeds: dict[_Size, list[float]]) -> Table:
    columns = [
        Column("kind", "kind", "text"),
        Column("bytes", "size", "bytes"),
        Column("ranks_in_trace", "ranks", "text"),
        Column("count", "how many"),
        Column("median_busbw", "busbw, median", "gbps"),
        Column("lowest_busbw", "slowest", "gbps"),
        Column("highest_busbw", "fastest", "gbps"),
    ]
    rows = [
        (
            it.kind,
            it.bytes,
            "all" if it.is_complete else "some missing",
            len(speeds[it]),
            median(speeds[it]),
            min(speeds[it]),
            max(speeds[it]),
        )
        for it in shown
    ]
    return Table(columns, rows)
