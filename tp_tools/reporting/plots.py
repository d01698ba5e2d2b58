"""Make heat maps, and what all plots share, in plotly.js's JSON.

Colours are names of the page's palette, such as `var(--compute)`; page.js replaces them.
"""

from __future__ import annotations

import json
import math
from html import escape
from typing import TYPE_CHECKING, Any

from tp_tools.errors import UsageError
from tp_tools.formatting import middle
from tp_tools.reporting.tables import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

_TIME_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "\N{MICRO SIGN}s"), (1.0, "ns"))
_MAX_HOVER_LINE = 110
_BAR_PX = 30
_THIN_BAR_PX = 16
_MAX_THICK_BARS = 40
_FRAME_PX = 70
_COLOUR_BAR_PX = 120  # room for the times beside the colours, where there are few rows
_MAX_CELLS_WITH_GAPS = 60
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

SERIES = tuple(f"var(--series-{number})" for number in range(8))
"""Colours of series of one sort: ranks, kinds of collectives."""

GLYPHS = {
    "circle": "\N{BLACK CIRCLE}",
    "square": "\N{BLACK SQUARE}",
    "diamond": "\N{BLACK DIAMOND}",
    "triangle-up": "\N{BLACK UP-POINTING TRIANGLE}",
    "star": "\N{BLACK STAR}",
    "circle-open": "\N{WHITE CIRCLE}",
    "square-open": "\N{WHITE SQUARE}",
    "diamond-open": "\N{WHITE DIAMOND}",
    "triangle-up-open": "\N{WHITE UP-POINTING TRIANGLE}",
    "star-open": "\N{WHITE STAR}",
}
"""Symbols of points as text."""

SYMBOLS = ("circle", "square", "diamond", "triangle-up", "star")


def graph_objects() -> Any:  # noqa: ANN401  plotly has no types
    """Import plotly.graph_objects.

    Raises:
        UsageError: plotly is not installed.
    """
    try:
        import plotly.graph_objects as go  # noqa: PLC0415  an extra
    except ImportError as error:
        raise UsageError("a report needs plotly: pip install plotly jinja2.") from error
    return go


def plotly_js() -> str:
    """Return the text of plotly.js, from the installed package."""
    graph_objects()
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    text: str = get_plotlyjs()
    return text


def unit(times: Sequence[float]) -> tuple[float, str]:
    """Choose the unit for the longest of several times.

    Args:
        times: times in ns.

    Returns:
        The unit in ns, and its name: (1e6, "ms").
    """
    longest = max(times, default=0.0)
    return next((scale for scale in _TIME_UNITS if longest >= scale[0]), _TIME_UNITS[-1])


def escape_text(name: str) -> str:
    """Escape a name for plotly, where < begins markup and $ a formula."""
    return escape(name, quote=False).replace("$", "&#36;")


def hover(text: str) -> str:
    """Format lines of text that are shown under the mouse."""
    return "<br>".join(escape_text(middle(line, _MAX_HOVER_LINE)) for line in text.splitlines())


def heat_map(
    labels: Sequence[str],
    cells: Sequence[Sequence[float | None]],
    columns: Sequence[str],
    axis: str = "collective, in the order of time",
    measure: str = "late by",
    *,
    names_columns: bool = False,
) -> dict[str, Any]:
    """Make a heat map of times, such as lateness: a row per rank, a column per collective.

    Colours are by the logarithm of the time; 1 us and less have the lightest.

    Args:
        labels: names of the rows.
        cells: times in us, a list per row; None where the rank took no part.
        columns: descriptions of the collectives; no two are equal.
        axis: what the columns are.
        measure: what the times are.
        names_columns: whether the descriptions of the columns stand below them.
    """
    go = graph_objects()
    logs = [[None if value is None else _magnitude(value) for value in row] for row in cells]
    maximum = max([1.0, *(value for row in logs for value in row if value is not None)])
    ticks = [(power, duration(10 ** (power + 3)).replace(".000", "")) for power in range(9)]
    height = _FRAME_PX + max(len(labels) * _thickness(len(labels)), _COLOUR_BAR_PX)
    figure = go.Figure(layout=layout(height, axis))
    figure.add_heatmap(
        x=[escape_text(column) for column in columns],
        y=[escape_text(label) for label in labels],
        z=logs,
        text=[
            ["" if value is None else duration(round(value * 1000)) for value in row]
            for row in cells
        ],
        hovertemplate=f"%{{y}}: {measure} %{{text}}<br>%{{x}}<extra></extra>",
        hoverongaps=False,
        colorscale=[[step / 4, f"var(--heat-{step})"] for step in range(5)],
        zmin=0,
        zmax=maximum,
        xgap=1 if len(columns) <= _MAX_CELLS_WITH_GAPS else 0,
        ygap=1,
        colorbar={
            "title": {"text": measure, "font": {"size": 13}},
            "tickvals": [power for power, _ in ticks if power <= maximum],
            "ticktext": [text for power, text in ticks if power <= maximum],
            "thickness": 12,
            "outlinewidth": 0,
        },
    )
    figure.update_xaxes(type="category", showticklabels=names_columns, ticks="", showgrid=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, ticks="")
    return to_json(figure)


def _magnitude(time_us: float) -> float:
    """Compute log10 of a time in us; times below 1 us count as 1 us."""
    return round(math.log10(max(time_us, 1.0)), 4)


def _thickness(count: int) -> int:
    return _BAR_PX if count <= _MAX_THICK_BARS else _THIN_BAR_PX


def layout(height: int, axis: str) -> dict[str, Any]:
    """Make the layout that all plots share.

    Args:
        height: height in pixels.
        axis: title of the horizontal axis.
    """
    title = {"font": {"size": 13, "color": "var(--soft)"}, "standoff": 8}
    line = {"gridcolor": "var(--grid)", "zerolinecolor": "var(--grid)", "linecolor": "var(--grid)"}
    return {
        "template": "none",
        "height": height,
        "margin": {"l": 8, "r": 8, "t": 10, "b": 44},
        "paper_bgcolor": "rgba(0,0,0,0)",
        "plot_bgcolor": "rgba(0,0,0,0)",
        "font": {"family": _FONT, "size": 13, "color": "var(--ink)"},
        "hoverlabel": {
            "bgcolor": "var(--card)",
            "bordercolor": "var(--grid)",
            "font": {"color": "var(--ink)", "family": _FONT},
            "align": "left",
            "namelength": -1,
        },
        "xaxis": {"title": {"text": axis, **title}, "automargin": True, "zeroline": False, **line},
        "yaxis": {"title": title, "automargin": True, "zeroline": False, **line},
    }


def to_json(figure: go.Figure) -> dict[str, Any]:
    """Convert a figure to JSON values; only numpy arrays would be packed, and there are none."""
    plain: dict[str, Any] = json.loads(figure.to_json())
    del plain["layout"]["template"]
    return plain
