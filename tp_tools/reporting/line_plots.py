"""Plots of points: bandwidths over sizes, times over steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tp_tools.reporting.plots import (
    SERIES,
    SYMBOLS,
    graph_objects,
    hover,
    layout,
    plain,
    safe,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

_HEIGHT = 350
_DECADES = 2.5
"""Powers of ten above which an axis has marks at these alone."""


@dataclass(frozen=True)
class Points:
    """What one colour and symbol stands for.

    Attributes:
        name: what the legend calls it.
        x, y: of each point.
        hover: what each says when it is pointed at.
        low, high: the ends of each point's whisker; empty for none.
        is_hollow: whether points are drawn as outlines.
    """

    name: str
    x: Sequence[float]
    y: Sequence[float]
    hover: Sequence[str]
    low: Sequence[float] = ()
    high: Sequence[float] = ()
    is_hollow: bool = False


def over_sizes(kinds: Sequence[Points]) -> dict[str, Any]:
    """GB/s over bytes, both axes logarithmic; a kind has one colour, full and hollow."""
    figure = graph_objects().Figure(layout=layout(_HEIGHT, "message size"))
    names = list(dict.fromkeys(it.name.partition(",")[0] for it in kinds))
    for it in kinds:
        place = names.index(it.name.partition(",")[0]) % len(SERIES)
        figure.add_scatter(
            name=it.name,
            mode="markers",
            x=list(it.x),
            y=list(it.y),
            hovertext=[hover(text) for text in it.hover],
            hoverinfo="text",
            marker={
                "color": SERIES[place],
                "symbol": SYMBOLS[place % len(SYMBOLS)] + ("-open" if it.is_hollow else ""),
                "size": 10,
                "line": {"width": 1.5, "color": SERIES[place] if it.is_hollow else "var(--card)"},
            },
            error_y={
                "array": [high - y for y, high in zip(it.y, it.high, strict=True)],
                "arrayminus": [y - low for y, low in zip(it.y, it.low, strict=True)],
                "color": SERIES[place],
                "thickness": 1.5,
                "width": 3,
            },
        )
    figure.update_xaxes(_logarithmic([x for it in kinds for x in it.x], _size))
    speeds = [y for it in kinds for y in (*it.low, *it.high)]
    figure.update_yaxes(_logarithmic(speeds, "{:g}".format), title_text="bus bandwidth, GB/s")
    figure.update_layout(showlegend=True)
    return plain(figure)


def over_steps(lines: Sequence[Points], names: Sequence[str], unit: str) -> dict[str, Any]:
    """Times over steps, a line per rank.

    Args:
        lines: x counts the steps from 0.
        names: what stands below each step.
        unit: of the times.
    """
    figure = graph_objects().Figure(layout=layout(_HEIGHT - 60, "step"))
    for place, it in enumerate(lines):
        color = SERIES[place % len(SERIES)]
        figure.add_scatter(
            name=it.name,
            mode="lines+markers",
            x=list(it.x),
            y=list(it.y),
            hovertext=[hover(text) for text in it.hover],
            hoverinfo="text",
            line={"color": color, "width": 2},
            marker={"color": color, "symbol": SYMBOLS[place % len(SYMBOLS)], "size": 7},
        )
    every = max(1, len(names) // 16)
    figure.update_xaxes(
        tickvals=list(range(0, len(names), every)),
        ticktext=[safe(name) for name in names[::every]],
        showgrid=False,
    )
    figure.update_yaxes(title_text=f"duration, {unit}", rangemode="tozero")
    figure.update_layout(showlegend=len(lines) > 1)
    return plain(figure)


def _logarithmic(values: Sequence[float], written: Callable[[float], str]) -> dict[str, Any]:
    """An axis that holds these values, with room around them, and marks at 1, 2, 5, 10..."""
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.15, 0.08 * (high - low))
    low, high = low - room, high + room
    steps = (1, 2, 5) if high - low < _DECADES else (1,)
    powers = range(math.floor(low), math.ceil(high) + 1)
    # a power of ten is made of text: as a float, 0.1 cubed is not 0.001
    every = [float(f"{step}e{power}") for power in powers for step in steps]
    marks = [it for it in every if low <= math.log10(it) <= high]
    return {
        "type": "log",
        "range": [low, high],
        "tickvals": marks,
        "ticktext": list(map(written, marks)),
    }


def _size(count: float) -> str:
    """20 kB."""
    for scale, name in ((10**9, "GB"), (10**6, "MB"), (10**3, "kB")):
        if count >= scale:
            return f"{count / scale:g} {name}"
    return f"{count:g} B"
