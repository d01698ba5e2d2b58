"""Make charts of horizontal bars: each with its name, its parts in colours, and its number.

Colours are names of the page's palette, such as `var(--compute)`. The style sheet draws them: bars
need no script, and stand on paper as on the screen.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from tp_tools.formatting import middle, percent
from tp_tools.reporting.tables import duration

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_MAX_NAME = 60
_PALE = ("var(--idle)", "var(--unknown)")
_MIN_LABEL_SHARE = 0.04
"""Share of the longest bar from which on a part has a number of its own, if the screen is wide."""


class Part(Struct, frozen=True):
    """A part of a bar.

    Attributes:
        name: name of its colour in the legend.
        color: name in the palette: "var(--compute)".
        value: its length, in the unit of all bars of the chart.
        hover: text that is shown under the mouse.
        label: text that is written into it; empty for none.
    """

    name: str
    color: str
    value: float
    hover: str
    label: str = ""

    @property
    def ink(self) -> str:
        """Colour of the label."""
        return "var(--ink)" if self.color in _PALE else "var(--on-bar)"


class Bar(Struct, frozen=True):
    """A bar.

    Attributes:
        name: what stands beside it.
        parts: its parts, from left to right.
        number: its length as text, which stands at its end.
        full_name: what is shown under the mouse where it stands beside it; empty for nothing.
    """

    name: str
    parts: Sequence[Part]
    number: str
    full_name: str = ""

    @property
    def short_name(self) -> str:
        """The name on one line, shortened in the middle."""
        return middle(" ".join(self.name.split()), _MAX_NAME)


class Bars(Struct, frozen=True):
    """A chart of bars, the first one on top."""

    bars: Sequence[Bar]

    @property
    def longest(self) -> float:
        """Length of the longest bar; 1 where all are empty."""
        return max((sum(part.value for part in bar.parts) for bar in self.bars), default=0) or 1

    @property
    def legend(self) -> list[tuple[str, str]]:
        """Name and color of each sort of part; empty if there is only one."""
        entries = dict.fromkeys((part.name, part.color) for bar in self.bars for part in bar.parts)
        return list(entries) if len(entries) > 1 else []


def share_of(time_ns: int, total_ns: int) -> str:
    """Write a time in ns and its share: 2.346 ms, 18.8 %."""
    return f"{duration(time_ns)}, {percent(time_ns / total_ns)}"


def stacked(split: Sequence[tuple[str, str, str]], rows: Mapping[str, Mapping[str, int]]) -> Bars:
    """Make a bar per row of parts that add up to it.

    Args:
        split: key, name and color of each part, from left to right.
        rows: the parts of each bar in ns by their keys, by the name of the bar.
    """
    totals = {name: sum(row[key] for key, _, _ in split) for name, row in rows.items()}
    longest = max(totals.values(), default=0)
    used = [part for part in split if any(row[part[0]] for row in rows.values())]

    def part(bar: str, key: str, name: str, color: str) -> Part:
        part_ns, share = rows[bar][key], percent(rows[bar][key] / max(totals[bar], 1))
        label = share if part_ns >= _MIN_LABEL_SHARE * longest else ""
        return Part(name, color, part_ns, f"{bar}: {name}\n{duration(part_ns)}, {share}", label)

    return Bars(
        [Bar(name, [part(name, *it) for it in used], duration(totals[name])) for name in rows]
    )


def ranked(
    bars: Sequence[tuple[str, int, str, str]],
    kinds: Mapping[str, tuple[str, str]],
    number: Callable[[int], str] = duration,
) -> Bars:
    """Make a bar per entry, in the color of its kind.

    Args:
        bars: name, length in ns, kind and text under the mouse of each.
        kinds: name in the legend and color by kind.
        number: writes a length.
    """
    return Bars(
        [
            Bar(name, [Part(*kinds[kind], length, hover)], number(length), hover)
            for name, length, kind, hover in bars
        ]
    )
