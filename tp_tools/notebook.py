"""Write results as HTML for notebooks; every text of a trace is escaped."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


def paragraph(text: str) -> str:
    """Write a paragraph."""
    return f"<p>{escape(text)}</p>"


def table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, measures: bool = False
) -> str:
    """Write a table, with numbers to the right.

    Args:
        columns: the headings.
        rows: the rows, with a value per column; None is shown as "-".
        measures: whether texts behind the first column are numbers with units, to the right, too.
    """
    heads = "".join(f"<th>{escape(name)}</th>" for name in columns)
    body = ""
    for row in rows:
        cells = (_cell(it, right=measures and at > 0) for at, it in enumerate(row))
        body += f"<tr>{''.join(cells)}</tr>"
    return f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table>"


def frame(address: str, height: int) -> str:
    """Show a page of a server in a frame, as wide as the cell.

    Args:
        address: URL of the page.
        height: in pixels.
    """
    return (
        f'<iframe src="{escape(address)}" width="100%" height="{height}" style="border:0"></iframe>'
    )


def _cell(value: object, *, right: bool) -> str:
    if value is None:
        return "<td>-</td>"
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f'<td style="text-align:right">{value:,}</td>'
    side = "right" if right else "left"
    return f'<td style="text-align:{side}">{escape(str(value))}</td>'
