"""Plots, as plotly.js takes them. Colours are names of the page's palette: `var(--compute)`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, Any

from tp_tools.errors import UsageError
from tp_tools.formatting import middle
from tp_tools.reporting.tables import duration

if TYPE_CHECKING:
    from collections.abc import Sequence

    import plotly.graph_objects as go

_UNITS = ((1e9, "s"), (1e6, "ms"), (1e3, "\N{MICRO SIGN}s"), (1.0, "ns"))
_LONGEST = 46
_WIDEST = 110
_BAR = 30
_THIN_BAR = 16
_MANY = 40
_FRAME = 70
_MANY_CELLS = 60
_FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"

SERIES = tuple(f"var(--series-{number})" for number in range(8))
"""Colours of things that are many and alike: ranks, kinds."""

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


@dataclass(frozen=True)
class BarPart:
    """One colour of a bar chart.

    Attributes:
        name: what the legend calls it.
        color: of the palette.
        values: one per bar; None draws nothing.
        hover: what each piece says when it is pointed at.
        inside: what stands in each piece.
    """

    name: str
    color: str
    values: Sequence[float | None]
    hover: Sequence[str]
    inside: Sequence[str] = ()

    @property
    def ink(self) -> str:
        """The colour of what stands inside."""
        return "var(--ink)" if self.color == "var(--idle)" else "var(--on-bar)"


def graph_objects() -> Any:  # noqa: ANN401  plotly has no types
    """The package that makes plots.

    Raises:
        UsageError: it is not installed.
    """
    try:
        import plotly.graph_objects as go  # noqa: PLC0415  an extra
    except ImportError as error:
        raise UsageError("a report needs plotly: pip install 'tp-tools[report]'.") from error
    return go


def bundle() -> str:
    """The text of plotly.js, which the package carries."""
    graph_objects()
    from plotly.offline import get_plotlyjs  # noqa: PLC0415

    text: str = get_plotlyjs()
    return text


def unit(times: Sequence[float]) -> tuple[float, str]:
    """Ns in the unit in which the longest of these times in ns is easy to read, and its name."""
    longest = max(times, default=0.0)
    return next((scale for scale in _UNITS if longest >= scale[0]), _UNITS[-1])


def safe(name: str) -> str:
    """A name as text of a plot, where < begins markup, and $ a formula."""
    return escape(name, quote=False).replace("$", "&#36;")


def hover(text: str) -> str:
    """Lines that are shown when something is pointed at."""
    return "<br>".join(safe(middle(line, _WIDEST)) for line in text.splitlines())


def short(name: str) -> str:
    """A long name as text beside a bar."""
    return safe(middle(" ".join(name.split()), _LONGEST))


def bars(labels: Sequence[str], parts: Sequence[BarPart], axis: str) -> dict[str, Any]:
    """Horizontal bars of stacked parts, the first one on top.

    Args:
        labels: what stands beside each bar.
        parts: the colours.
        axis: what the lengths are.
    """
    go = graph_objects()
    figure = go.Figure(layout=layout(_FRAME + len(labels) * _thickness(len(labels)), axis))
    places = list(range(len(labels)))
    for part in parts:
        figure.add_bar(
            name=part.name,
            orientation="h",
            x=list(part.values),
            y=places,
            marker={"color": part.color, "line": {"color": "var(--card)", "width": 1}},
            text=list(part.inside) or None,
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            textfont={"color": part.ink, "size": 12},
            hovertext=[hover(text) for text in part.hover],
            hoverinfo="text",
        )
    figure.update_layout(barmode="stack", bargap=0.25, showlegend=len(parts) > 1)
    figure.update_layout(uniformtext={"minsize": 10, "mode": "hide"})
    figure.update_yaxes(
        tickvals=places,
        ticktext=[short(label) for label in labels],
        range=[len(labels) - 0.5, -0.5],
        showgrid=False,
        ticks="",
    )
    return plain(figure)


def heat_map(
    labels: Sequence[str], cells: Sequence[Sequence[float | None]], columns: Sequence[str]
) -> dict[str, Any]:
    """A row per rank, a column per collective; colours by magnitude, 1 us and less the lightest.

    Args:
        labels: of the rows.
        cells: us, a list per row; None where the rank has none.
        columns: what each collective is, none like another.
    """
    go = graph_objects()
    logs = [[None if it is None else _magnitude(it) for it in row] for row in cells]
    top = max([1.0, *(it for row in logs for it in row if it is not None)])
    marks = [(power, duration(10 ** (power + 3)).replace(".000", "")) for power in range(9)]
    height = _FRAME + len(labels) * _thickness(len(labels))
    figure = go.Figure(layout=layout(height, "collective, in the order of time"))
    figure.add_heatmap(
        x=[safe(column) for column in columns],
        y=[safe(label) for label in labels],
        z=logs,
        text=[["" if it is None else duration(round(it * 1000)) for it in row] for row in cells],
        hovertemplate="%{y}: late by %{text}<br>%{x}<extra></extra>",
        hoverongaps=False,
        colorscale=[[place / 4, f"var(--heat-{place})"] for place in range(5)],
        zmin=0,
        zmax=top,
        xgap=1 if len(columns) <= _MANY_CELLS else 0,
        ygap=1,
        colorbar={
            "title": {"text": "late by", "font": {"size": 13}},
            "tickvals": [at for at, _ in marks if at <= top],
            "ticktext": [said for at, said in marks if at <= top],
            "thickness": 12,
            "outlinewidth": 0,
        },
    )
    figure.update_xaxes(type="category", showticklabels=False, ticks="", showgrid=False)
    figure.update_yaxes(type="category", autorange="reversed", showgrid=False, ticks="")
    return plain(figure)


def _magnitude(time_us: float) -> float:
    """log10 of us; what is shorter than 1 us counts as that."""
    return round(math.log10(max(time_us, 1.0)), 4)


def _thickness(count: int) -> int:
    return _BAR if count <= _MANY else _THIN_BAR


def layout(height: int, axis: str) -> dict[str, Any]:
    """What all plots share.

    Args:
        height: in pixels.
        axis: what the horizontal axis shows.
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


def plain(figure: go.Figure) -> dict[str, Any]:
    """The figure as what JSON has. Plotly packs arrays of numpy only, and there are none."""
    made: dict[str, Any] = json.loads(figure.to_json())
    del made["layout"]["template"]
    return made
