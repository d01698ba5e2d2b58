"""Lay out rows as tables for people: numbers to the right, long names shortened in their middle."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.formatting import middle

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from tp_tools.engine import Rows

GAP = "  "
NULL = "-"
NARROWEST = 20
"""Characters to which text is shortened before columns are left out."""

LONGEST = 100
"""Characters to which text is shortened if no width is given: a kernel's name may have 2,000."""

_IDENTIFIER = re.compile(
    r"(?:.*_)?(?:id|ids|pid|tid|upid|utid|rank|device|gpu|stream|lane|correlation|seq|step|hash|comm)"
)
"""Columns of whole numbers that name something rather than count it: no digits are grouped."""

_DIGITS = 4
"""Digits of the largest number of a column with fractions."""


class Table(Struct, frozen=True):
    """A table as text.

    Attributes:
        lines: its lines, header first.
        left_out: names of the columns that do not fit.
        is_blurred: whether texts of a column that differ were shortened to the same.
    """

    lines: list[str]
    left_out: list[str]
    is_blurred: bool = False


class _Column(Struct):
    """A column as text.

    Attributes:
        name: its name.
        cells: a text per row.
        is_text: whether it holds text, which stands to the left and may be shortened; else it holds
            numbers, which stand to the right.
        width: its characters.
        head: its name, broken into lines.
    """

    name: str
    cells: list[str]
    is_text: bool
    width: int
    head: list[str]


def table(answer: Rows, width: int | None = None) -> Table:
    """Lay out rows as a table.

    If the table is too wide, names of columns are broken at underscores and text is shortened,
    the widest column first. If it is still too wide, few rows are written with a line per column;
    of many rows, the columns on the right are left out.

    Args:
        answer: the rows.
        width: most characters in a line; None for no limit, so that no column is left out.
    """
    by_column = zip(*answer.rows, strict=True) if answer.rows else [()] * len(answer.columns)
    columns = [_column(name, cells) for name, cells in zip(answer.columns, by_column, strict=True)]
    shown = _capped(columns) if width is None else _fitted(columns, width)
    if width is not None and len(shown) < len(columns):
        turned = _turned(columns)
        if all(len(line) <= width for line in turned):
            return Table(turned, [])
    left_out = [column.name for column in columns[len(shown) :]]
    return Table(list(_lines(shown)), left_out, any(map(_is_blurred, shown)))


def markdown(answer: Rows) -> list[str]:
    """Write an answer as a table of Markdown, whole: each value as it is, NULL empty."""
    rows = [answer.columns, ["---"] * len(answer.columns), *answer.rows]
    return [f"| {' | '.join(map(_markdown_cell, row))} |" for row in rows]


def _markdown_cell(cell: object) -> str:
    if isinstance(cell, bytes):
        return cell.hex()
    text = "" if cell is None else str(cell)
    return "".join(c if c.isprintable() else " " for c in text).replace("|", "\\|")


def _column(name: str, cells: Sequence[Any]) -> _Column:
    known = [cell for cell in cells if cell is not None]
    is_text = not known or not all(isinstance(cell, int | float) for cell in known)
    texts = _texts(name, cells, known)
    return _Column(name, texts, is_text, max(map(len, [name, *texts])), [name])


def _texts(name: str, cells: Sequence[Any], known: list[Any]) -> list[str]:
    grouped = "" if _IDENTIFIER.fullmatch(name) else ","
    decimals = _decimals([cell for cell in known if isinstance(cell, float)])
    return [_text(cell, grouped, decimals) for cell in cells]


def _text(cell: object, grouped: str, decimals: int) -> str:
    if cell is None:
        return NULL
    if isinstance(cell, int):
        return f"{cell:{grouped}d}"
    if isinstance(cell, float):
        text = f"{cell:{grouped}.{decimals}f}"
        return text if cell == 0 or float(text.replace(",", "")) else f"{cell:.1e}"
    if isinstance(cell, bytes):
        return cell.hex()
    return "".join(c if c.isprintable() else " " for c in str(cell))


def _decimals(values: list[float]) -> int:
    """Count decimals, at least one, so that the largest number of a column has `_DIGITS` digits."""
    largest = max((abs(value) for value in values if math.isfinite(value)), default=0.0)
    whole = math.floor(math.log10(largest)) + 1 if largest else 1
    return min(max(_DIGITS - whole, 1), 12)


def _is_blurred(column: _Column) -> bool:
    texts = set(column.cells) if column.is_text else set()
    return len({middle(text, column.width) for text in texts}) < len(texts)


def _capped(columns: list[_Column]) -> list[_Column]:
    for column in columns:
        if column.is_text:
            column.width = min(column.width, max(LONGEST, len(column.name)))
    return columns


def _fitted(columns: list[_Column], width: int) -> list[_Column]:
    """Keep the columns that fit in `width`, at least one, and set their widths."""
    if _total(columns) <= width:
        return columns
    for count in range(len(columns), 0, -1):
        shown = columns[:count]
        for column in shown:
            column.width = _unshortened(column)
        _shorten(shown, _total(shown) - width)
        if _total(shown) <= width:
            break
    for column in shown:
        column.head = _broken(column.name, column.width)
    return shown


def _turned(columns: list[_Column]) -> list[str]:
    """Write a line per column: its name, and its cell in each row."""
    rows = zip(*(column.cells for column in columns), strict=True)
    widths = [max(map(len, cells)) for cells in rows]
    widest = max(len(column.name) for column in columns)
    return [
        GAP.join([column.name.ljust(widest), *map(str.rjust, column.cells, widths)])
        for column in columns
    ]


def _total(columns: list[_Column]) -> int:
    return sum(column.width for column in columns) + len(GAP) * (len(columns) - 1)


def _unshortened(column: _Column) -> int:
    """Return the width that holds all cells, and the name broken at each underscore."""
    return max(map(len, [*_pieces(column.name), *column.cells]))


def _shorten(columns: list[_Column], excess: int) -> None:
    """Narrow columns of text by `excess` characters together, each time the widest one by one."""
    texts = [column for column in columns if column.is_text]
    for _ in range(excess):
        spare = [column for column in texts if column.width > _narrowest(column)]
        if not spare:
            return
        max(spare, key=lambda column: column.width).width -= 1


def _narrowest(column: _Column) -> int:
    return min(column.width, max(NARROWEST, *map(len, _pieces(column.name))))


def _pieces(name: str) -> list[str]:
    """Split a name behind underscores: launch_to_start_ns becomes launch_, to_, start_, ns."""
    return re.findall(r"[^_]*_+|[^_]+", name) or [name]


def _broken(name: str, width: int) -> list[str]:
    """Break a name into as few lines as the width allows."""
    lines = [""]
    for piece in _pieces(name):
        if lines[-1] and len(lines[-1] + piece) > width:
            lines.append("")
        lines[-1] += piece
    return lines


def _lines(columns: list[_Column]) -> Iterator[str]:
    height = max((len(column.head) for column in columns), default=0)
    heads = [[""] * (height - len(column.head)) + column.head for column in columns]
    for names in zip(*heads, strict=True):
        yield _line(columns, names)
    yield GAP.join("-" * column.width for column in columns)
    for cells in zip(*(column.cells for column in columns), strict=True):
        yield _line(columns, cells)


def _line(columns: list[_Column], texts: Iterable[str]) -> str:
    parts = (
        middle(text, column.width).ljust(column.width)
        if column.is_text
        else text.rjust(column.width)
        for column, text in zip(columns, texts, strict=True)
    )
    return GAP.join(parts).rstrip()
