"""Format tables for the page: rounded numbers with units, and the exact values beside them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, Literal

from msgspec import Struct
from msgspec.structs import replace

from tp_tools.formatting import middle, size, span
from tp_tools.reporting import templates
from tp_tools.reporting.units import count, rate

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


class KernelName(Struct, frozen=True):
    """The name of a kernel, in a cell of the unit `name`.

    Attributes:
        full: its name in the trace, which is in the page's data and in the tooltip.
        short: the name that is shown.
    """

    full: str
    short: str

    def __str__(self) -> str:
        return self.full


Unit = Literal[
    "text",
    "name",
    "count",
    "number",
    "ns",
    "us",
    "bytes",
    "percent",
    "gbps",
    "tflops",
    "ppm",
    "view",
]
"""The content of a column: `name` is a name of a kernel, which may be long; `number` is an id, such
as a rank; `view` is a command that shows the row's place; `text` is other text; the others are
counted or measured."""

UNKNOWN = "-"
_MAX_NAME = 72
_MAX_UNWRAPPED_HEAD = 12
_MAX_UNWRAPPED_TEXT = 32
_TEXT_UNITS = ("text", "name", "view")


class Column(Struct, frozen=True):
    """A column.

    Attributes:
        key: name in the page's HTML; the name of the query's column, if it is one.
        head: heading.
        unit: content of the cells, by which they are formatted.
    """

    key: str
    head: str
    unit: Unit = "count"


class Table(Struct, frozen=True):
    """A table.

    Attributes:
        columns: the columns.
        rows: the rows, with a value per column; None is unknown.
        omitted: sentence on the number of rows left out; empty if there are none.
        is_open: whether it is visible when the page is loaded beside a chart, too.
        has_one_unit: whether all columns of times have the same unit, to be compared.
    """

    columns: Sequence[Column]
    rows: Sequence[Sequence[Any]]
    omitted: str = ""
    is_open: bool = False
    has_one_unit: bool = False


class Head(Struct, frozen=True):
    """The heading of a column on the page.

    Attributes:
        text: what is shown.
        css: its classes in the style sheet.
    """

    text: str
    css: str


class Cell(Struct, frozen=True):
    """A cell on the page.

    Attributes:
        key: key of its column.
        shown: what is shown.
        css: its classes in the style sheet.
        exact: the exact value; None if it is unknown.
        tooltip: what is said under the mouse; empty for nothing.
        command: command that the cell offers to be copied; empty for none.
    """

    key: str
    shown: str
    css: str
    exact: str | None
    tooltip: str = ""
    command: str = ""


class Cells(Struct, frozen=True):
    """Text and attributes of a table's cells, formatted for the page.

    Attributes:
        heads: a heading per column.
        rows: the cells of each row.
        omitted: sentence on the number of rows left out; empty if there are none.
    """

    heads: Sequence[Head]
    rows: Sequence[Sequence[Cell]]
    omitted: str

    @property
    def has_heads(self) -> bool:
        """Whether a column has a heading."""
        return any(head.text for head in self.heads)


def html(table: Table, label: str) -> str:
    """Render a table; see `cells`.

    Args:
        table: the table.
        label: its name for screen readers.

    Raises:
        UsageError: Jinja2 is not installed.
    """
    macros: Any = templates.environment().get_template("table.html").module
    return str(macros.table(cells(table), label))


def cells(table: Table) -> Cells:
    """Format the values of a table.

    All times of a column have the same unit. Columns of which no value is known are left out, and
    named below the table.
    """
    table = _known(table)
    values_by_column = [[row[index] for row in table.rows] for index in range(len(table.columns))]
    scales = [
        _scale(column, values)
        for column, values in zip(table.columns, values_by_column, strict=True)
    ]
    if table.has_one_unit:
        largest = max(
            (scale for scale in scales if scale), key=lambda scale: scale.size, default=None
        )
        scales = [largest if scale else None for scale in scales]
    return Cells(
        list(map(_head, table.columns, scales)),
        [list(map(_cell, table.columns, row, scales)) for row in table.rows],
        table.omitted,
    )


def _known(table: Table) -> Table:
    """Leave out the columns of which no value is known."""
    known = [
        number
        for number in range(len(table.columns))
        if not table.rows or any(row[number] is not None for row in table.rows)
    ]
    if len(known) == len(table.columns):
        return table
    heads = [it.head for number, it in enumerate(table.columns) if number not in known]
    said = f"Not known of any row: {'; '.join(heads)}."
    return replace(
        table,
        columns=[table.columns[number] for number in known],
        rows=[[row[number] for number in known] for row in table.rows],
        omitted=f"{table.omitted} {said}".strip(),
    )


def _scale(column: Column, cells: Sequence[Any]) -> _Scale | None:
    """Choose the unit of a column of times by its longest; None for other columns."""
    if column.unit not in _TIME_UNITS_NS:
        return None
    longest = max((abs(cell) for cell in cells if cell is not None), default=0)
    longest_ns = longest * _TIME_UNITS_NS[column.unit]
    return next((scale for scale in _SCALES if longest_ns >= scale.size), _SCALES[-1])


def _head(column: Column, scale: _Scale | None) -> Head:
    long = " long" if len(column.head) > _MAX_UNWRAPPED_HEAD else ""
    suffix = f", {scale.name}" if scale is not None else ""
    return Head(column.head + suffix, "" if column.unit in _TEXT_UNITS else f"number{long}")


def _cell(column: Column, value: Any, scale: _Scale | None) -> Cell:  # noqa: ANN401  a cell of SQL
    css: str = column.unit if column.unit in _TEXT_UNITS else "number"
    if value is None:
        return Cell(column.key, UNKNOWN, css, None, "not known")
    if scale is None:
        shown = format_value(value, column.unit)
    else:
        shown = scale.format(value * _TIME_UNITS_NS[column.unit])
    if css == "text" and len(shown) <= _MAX_UNWRAPPED_TEXT:
        css = "short"
    exact = str(value)
    if column.unit == "view":
        return Cell(column.key, shown, css, exact, exact, exact)
    return Cell(
        column.key, shown, css, exact, exact if column.unit == "name" and shown != exact else ""
    )


class _Scale(Struct, frozen=True):
    """A unit of time.

    Attributes:
        size: the unit in ns.
        name: its name.
        decimals: decimals that are shown.
    """

    size: int
    name: str
    decimals: int

    def format(self, time_ns: float) -> str:
        return f"{time_ns / self.size:,.{self.decimals}f}"


_SCALES = (
    _Scale(10**9, "s", 3),
    _Scale(10**6, "ms", 3),
    _Scale(10**3, "\N{MICRO SIGN}s", 2),
    _Scale(1, "ns", 0),
)
_MICROSECONDS = re.compile(r"(?<=\d )us\b")
_TIME_UNITS_NS: dict[Unit, int] = {"ns": 1, "us": 1000}


def format_value(value: Any, unit: Unit) -> str:  # noqa: ANN401  a cell of SQL
    """Format a value with its unit."""
    return _FORMATTERS[unit](value)


def duration(time_ns: int) -> str:
    """Write a duration in ns: 2.346 ms; 17.250 \N{MICRO SIGN}s."""
    return micro(span(time_ns))


def micro(text: str) -> str:
    """Write "17 us" in a text as "17 \N{MICRO SIGN}s", as pages have it."""
    return _MICROSECONDS.sub("\N{MICRO SIGN}s", text)


def bandwidth(gbps: float) -> str:
    """Write a bandwidth with three digits, in the unit that fits: 1.23 GB/s; 4.00 MB/s."""
    return rate(1e9 * gbps, "B/s")


_FORMATTERS: dict[Unit, Callable[[Any], str]] = {
    "text": str,
    "name": lambda name: middle(
        " ".join((name.short if isinstance(name, KernelName) else str(name)).split()), _MAX_NAME
    ),
    "count": count,
    "number": str,
    "ns": duration,
    "us": lambda time_us: duration(round(time_us * 1000)),
    "bytes": size,
    "percent": "{:.1f} %".format,
    "gbps": bandwidth,
    "tflops": lambda tflops: rate(1e12 * tflops, "FLOP/s"),
    "ppm": "{:.3f} ppm".format,
    "view": lambda command: command[command.index("--at") :],
}
