"""Make plots of points in plotly.js's JSON: bandwidth over size, duration over step, memory."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.reporting.plots import (
    SERIES,
    SYMBOLS,
    escape_text,
    graph_objects,
    hover,
    layout,
    to_json,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HEIGHT_PX = 350
_MAX_DECADES_WITH_SUBTICKS = 2.5
"""Powers of ten up to which a logarithmic axis has ticks at 2 and 5 as well as 1."""


class Points(Struct, frozen=True):
    """The points of one colour and symbol.

    Attributes:
        name: name in the legend.
        x, y: coordinates of each point.
        hover: text of each point that is shown under the mouse.
        low, high: ends of each point's whisker; empty for no whiskers.
        is_hollow: whether to draw the points as outlines.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    hover: Sequence[str]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    is_hollow: bool = False


def plot_over_sizes(series: Sequence[Points]) -> dict[str, Any]:
    """Plot bandwidth over message size on logarithmic axes.

    Args:
        series: x in bytes, y in GB/s; series whose names are equal up to a comma share a colour.
    """
    figure = graph_objects().Figure(layout=layout(_HEIGHT_PX, "message size"))
    names = list(dict.fromkeys(points.name.partition(",")[0] for points in series))
    for points in series:
        number = names.index(points.name.partition(",")[0]) % len(SERIES)
        figure.add_scatter(
            name=points.name,
            mode="markers",
            x=list(points.x),
            y=list(points.y),
            hovertext=[hover(text) for text in points.hover],
            hoverinfo="text",
            marker={
                "color": SERIES[number],
                "symbol": SYMBOLS[number % len(SYMBOLS)] + ("-open" if points.is_hollow else ""),
                "size": 10,
                "line": {
                    "width": 1.5,
                    "color": SERIES[number] if points.is_hollow else "var(--card)",
                },
            },
            error_y={
                "array": [high - y for y, high in zip(points.y, points.high, strict=True)],
                "arrayminus": [y - low for y, low in zip(points.y, points.low, strict=True)],
                "color": SERIES[number],
                "thickness": 1.5,
                "width": 3,
            },
        )
    figure.update_xaxes(_log_axis([x for points in series for x in points.x], _format_size))
    speeds = [y for points in series for y in (*points.low, *points.high)]
    figure.update_yaxes(_log_axis(speeds, _format_speed), title_text="bus bandwidth")
    figure.update_layout(showlegend=True)
    return to_json(figure)


def plot_over_steps(lines: Sequence[Points], names: Sequence[str], unit: str) -> dict[str, Any]:
    """Plot durations over steps, a line per rank.

    Args:
        lines: x is the number of the step, from 0; y its duration.
        names: label of each step.
        unit: name of the unit of the durations.
    """
    figure = _lines(lines, "step", f"duration, {unit}", has_markers=True)
    stride = max(1, len(names) // 16)
    figure.update_xaxes(
        tickvals=list(range(0, len(names), stride)),
        ticktext=[escape_text(name) for name in names[::stride]],
        showgrid=False,
    )
    return to_json(figure)


def plot_over_time(lines: Sequence[Points]) -> dict[str, Any]:
    """Plot memory over time, as steps, a line per GPU.

    Args:
        lines: x in ms, y in GB.
    """
    return to_json(_lines(lines, "time, ms", "allocated, GB", has_markers=False))


def _lines(lines: Sequence[Points], x_title: str, y_title: str, *, has_markers: bool) -> Any:  # noqa: ANN401  plotly has no types
    """Make a figure of lines from 0 on: from point to point with markers, else as steps."""
    figure = graph_objects().Figure(layout=layout(_HEIGHT_PX - 60, x_title))
    for number, points in enumerate(lines):
        color, symbol = SERIES[number % len(SERIES)], SYMBOLS[number % len(SYMBOLS)]
        marker = {"color": color, "symbol": symbol, "size": 7}
        figure.add_scatter(
            name=points.name,
            mode="lines+markers" if has_markers else "lines",
            x=list(points.x),
            y=list(points.y),
            hovertext=[hover(text) for text in points.hover],
            hoverinfo="text",
            line={"color": color, "width": 2, "shape": "linear" if has_markers else "hv"},
            marker=marker if has_markers else {"color": color},
        )
    figure.update_yaxes(title_text=y_title, rangemode="tozero")
    figure.update_layout(showlegend=len(lines) > 1)
    return figure


def _log_axis(values: Sequence[float], format_value: Callable[[float], str]) -> dict[str, Any]:
    """Make a logarithmic axis around these values, with a margin and ticks at 1, 2, 5, 10..."""
    low, high = math.log10(min(values)), math.log10(max(values))
    margin = max(0.15, 0.08 * (high - low))
    low, high = low - margin, high + margin
    steps = (1, 2, 5) if high - low < _MAX_DECADES_WITH_SUBTICKS else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    # parse the text of a power of ten, since 0.1 ** 3 is not 0.001
    candidates = [float(f"{step}e{power}") for power in powers for step in steps]
    ticks = [tick for tick in candidates if low <= math.log10(tick) <= high]
    return {
        "type": "log",
        "range": [low, high],
        "tickvals": ticks,
        "ticktext": list(map(format_value, ticks)),
    }


def _format_speed(gbps: float) -> str:
    """Write a bandwidth without decimals that are 0: 20 MB/s."""
    return f"{_format_size(gbps * 1e9)}/s"


def _format_size(count: float) -> str:
    """Write a number of bytes without decimals that are 0: 20 kB."""
    for scale, name in ((10**12, "TB"), (10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= scale:
            return f"{count / scale:g} {name}"
    return f"{count:g} B"
