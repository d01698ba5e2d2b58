"""Tables of a page: numbers as people read them, with the exact ones beside them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from tp_tools.formatting import middle, size, span

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

Unit = Literal["text", "name", "count", "number", "ns", "us", "bytes", "percent", "gbps", "ppm"]
"""What a column holds: `name` is of a kernel and may be long, `number` names something, the rest
is counted or measured."""

UNKNOWN = "-"
_LONGEST = 72
_LONG_HEAD = 12
_UNBROKEN = 32
_TEXTS = ("text", "name")


@dataclass(frozen=True)
class Column:
    """A column.

    Attributes:
        key: what it is called in the page's data: a column of the query where it is one.
        head: what people read.
        unit: how its cells are written.
    """

    key: str
    head: str
    unit: Unit = "count"


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        columns: of each row.
        rows: a cell per column; None is unknown.
        rest: what is said of rows that are not shown; empty if there are none.
        is_shown: whether it stands on the page without being asked for; None if it does where it
            is short and there is no plot.
        has_one_unit: whether its columns of times are to be compared with each other.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    rest: str = ""
    is_shown: bool | None = None
    has_one_unit: bool = False


def html(table: Table, label: str) -> Iterator[str]:
    """Its markup.

    Each cell has its exact value in `data-value`, without it where it is unknown; each row and cell
    is found by `data-row` and `data-column`. Times of a column are all
    written in one unit.

    Args:
        table: what it holds.
        label: what it is called, for those who cannot see where it stands.
    """
    cells = [[row[place] for row in table.rows] for place in range(len(table.columns))]
    scales = [_scale(column, of) for column, of in zip(table.columns, cells, strict=True)]
    if table.has_one_unit:
        largest = max((it for it in scales if it), key=lambda it: it.size, default=None)
        scales = [largest if it else None for it in scales]
    yield f'<div class="scroll"><table aria-label="{escape(label)}">\n'
    if any(column.head for column in table.columns):
        yield "<thead><tr>"
        yield from map(_head, table.columns, scales)
        yield "</tr></thead>\n"
    yield "<tbody>\n"
    for number, row in enumerate(table.rows):
        yield f'<tr data-row="{number}">'
        yield from map(_cell, table.columns, row, scales)
        yield "</tr>\n"
    yield "</tbody></table></div>\n"
    if table.rest:
        yield f'<p class="rest">{escape(table.rest)}</p>\n'


def _scale(column: Column, cells: Sequence[Any]) -> _Scale | None:
    """The unit of a column of times, by its longest; None of other columns."""
    if column.unit not in _TIMES:
        return None
    longest = max((abs(cell) for cell in cells if cell is not None), default=0)
    return next((it for it in _SCALES if longest * _TIMES[column.unit] >= it.size), _SCALES[-1])


def _head(column: Column, scale: _Scale | None) -> str:
    long = " long" if len(column.head) > _LONG_HEAD else ""
    kind = "" if column.unit in _TEXTS else f' class="number{long}"'
    of = f", {scale.name}" if scale is not None else ""
    return f'<th scope="col"{kind}>{escape(column.head + of)}</th>'


def _cell(column: Column, value: Any, scale: _Scale | None) -> str:  # noqa: ANN401  a cell of SQL
    at = f'data-column="{escape(column.key)}"'
    kind: str = column.unit if column.unit in _TEXTS else "number"
    if value is None:
        return f'<td class="{kind}" {at} title="not known">{UNKNOWN}</td>'
    said = text(value, column.unit) if scale is None else scale.text(value * _TIMES[column.unit])
    if kind == "text" and len(said) <= _UNBROKEN:
        kind = "short"
    whole = f' title="{escape(str(value))}"' if column.unit == "name" and said != value else ""
    return f'<td class="{kind}" {at} data-value="{escape(str(value))}"{whole}>{escape(said)}</td>'


@dataclass(frozen=True)
class _Scale:
    """A unit of time; `size` is in ns."""

    size: int
    name: str
    decimals: int

    def text(self, time_ns: float) -> str:
        return f"{time_ns / self.size:,.{self.decimals}f}"


_SCALES = (
    _Scale(10**9, "s", 3),
    _Scale(10**6, "ms", 3),
    _Scale(10**3, "\N{MICRO SIGN}s", 2),
    _Scale(1, "ns", 0),
)
_TIMES: dict[Unit, int] = {"ns": 1, "us": 1000}


def text(value: Any, unit: Unit) -> str:  # noqa: ANN401  a cell of SQL
    """A number or name as people read it."""
    return _WRITTEN[unit](value)


def duration(time_ns: int) -> str:
    """2.346 ms; 17.2 \N{MICRO SIGN}s."""
    return span(time_ns).replace(" us", " \N{MICRO SIGN}s")


def bandwidth(gbps: float) -> str:
    """Three digits: 1.23 GB/s."""
    decimals = max(0, 2 - math.floor(math.log10(gbps))) if gbps > 0 else 0
    return f"{gbps:,.{decimals}f} GB/s"


_WRITTEN: dict[Unit, Callable[[Any], str]] = {
    "text": str,
    "name": lambda name: middle(" ".join(str(name).split()), _LONGEST),
    "count": "{:,}".format,
    "number": str,
    "ns": duration,
    "us": lambda time_us: duration(round(time_us * 1000)),
    "bytes": size,
    "percent": "{:.1f} %".format,
    "gbps": bandwidth,
    "ppm": "{:.3f} ppm".format,
}
