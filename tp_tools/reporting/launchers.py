"""Rank what launched GPU work: modules, or lines of Python, and the work of none by its reason."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, TypeVar

from msgspec import Struct

from tp_tools.formatting import percent, plural
from tp_tools.reporting.bars import ranked, share_of
from tp_tools.reporting.tables import Table, duration

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from tp_tools.reporting.bars import Bars
    from tp_tools.reporting.tables import Column

MAX_BARS = 12
MAX_ROWS = 100

OWN, NONE = "own", "none"
"""Kinds of launchers: one that has a name, and the work of none, for one reason."""

_BETWEEN = " > "
_NUMBER = re.compile(r"_\d+$")
_PLACE = re.compile(r"(?<=\.)\d+(?=[.)])|(?<=\()\d+(?=\.)")

_COLORS = {OWN: "var(--compute)", NONE: "var(--idle)"}


class Launcher(Struct):
    """What launched GPU work.

    Attributes:
        name: its name; the reason.
        kind: `OWN` or `NONE`.
        calls: how often it was called.
        self_ns: GPU time that it launched itself.
        top_op: op with the most time in the row with the most; None if no op is known.
        top_ns: the time of that row.
    """

    name: str
    kind: str
    calls: int = 0
    self_ns: int = 0
    top_op: str | None = None
    top_ns: int = -1

    def add(self, calls: int, self_ns: int, top_op: str | None) -> None:
        """Add a row of it."""
        self.calls += calls
        self.self_ns += self_ns
        if self_ns > self.top_ns:
            self.top_op, self.top_ns = top_op, self_ns


Found = TypeVar("Found", bound=Launcher)


def class_of(path: str) -> str:
    """Return the class of a module by its name or path: Net_0 > Linear_17 is a Linear.

    PyTorch's annotations name a place in the model: FSDP::pre_forward (blocks.9.attn) is one of
    FSDP::pre_forward (blocks.*.attn).
    """
    return _PLACE.sub("*", _NUMBER.sub("", path.rpartition(_BETWEEN)[2]))


def most_first(found: Iterable[Found]) -> list[Found]:
    """Sort those that launched work, the most time first."""
    return sorted((it for it in found if it.self_ns), key=lambda it: (-it.self_ns, it.name))


def total_ns(found: Iterable[Launcher]) -> int:
    """Return the GPU time that all of them launched."""
    return sum(it.self_ns for it in found)


def bars(found: Sequence[Launcher], legend: dict[str, str]) -> Bars:
    """Make a bar for each of the first launchers.

    Args:
        found: the launchers, the most time first.
        legend: name of each kind.
    """
    total = total_ns(found)
    entries = [
        (
            it.name,
            it.self_ns,
            it.kind,
            f"{duration(it.self_ns)}, {percent(it.self_ns / total)}, {it.calls:,} calls",
        )
        for it in found[:MAX_BARS]
    ]
    kinds = {kind: (name, _COLORS[kind]) for kind, name in legend.items()}
    return ranked(entries, kinds, lambda ns: share_of(ns, total))


def table(
    found: Sequence[Found], columns: list[Column], row: Callable[[Found], tuple[object, ...]]
) -> Table:
    """Make a table of the first launchers, which says how many are left out.

    Args:
        found: the launchers, the most time first.
        columns: the columns.
        row: makes the row of a launcher.
    """
    rows = [row(it) for it in found[:MAX_ROWS]]
    omitted = len(found) - len(rows)
    return Table(columns, rows, f"And {plural(omitted, 'row')} more." if omitted else "")
