"""Plots of points: bandwidths over sizes, times over steps."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tp_tools.report.plots import SERIES, SYMBOLS, graph_objects, hover, layout, plain, safe

if TYPE_CHECKING:
    from collections.abc import Sequence

_HEIGHT = 380
_BYTES = [("B", 1), ("kB", 10**3), ("MB", 10**6), ("GB", 10**9)]
_SIZES = {scale * step: f"{step} {name}" for name, scale in _BYTES for step in (1, 10, 100)}


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
                "symbol": SYMBOLS[place] + ("-open" if it.is_hollow else ""),
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
    figure.update_xaxes(
        type="log",
        range=_around([x for it in kinds for x in it.x]),
        tickvals=list(_SIZES),
        ticktext=list(_SIZES.values()),
    )
    figure.update_yaxes(
        type="log",
        range=_around([y for it in kinds for y in (*it.low, *it.high)]),
        title_text="bus bandwidth, GB/s",
        dtick="D1",
        exponentformat="none",
    )
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


def _around(values: Sequence[float]) -> list[float]:
    """The range of a logarithmic axis that holds these values, with room around them."""
    low, high = math.log10(min(values)), math.log10(max(values))
    room = max(0.15, 0.08 * (high - low))
    return [low - room, high + room]
