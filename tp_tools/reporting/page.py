"""Puts sections on a page that needs nothing but itself."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

from tp_tools.reporting import plots, tables

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from tp_tools.reporting.model import Figure, Section, Tile

_HERE = Path(__file__).parent
_GZIP_LEVEL = 9
_FEW_ROWS = 16
"""Rows up to which a table is short."""


def page(
    title: str,
    lead: str,
    tiles: Iterable[Tile],
    sections: Sequence[Section],
    *,
    sql: Mapping[str, str],
    generator: str,
) -> str:
    """The HTML of the page; the same arguments give the same text.

    Args:
        title: what stands on top.
        lead: what is to be known first.
        tiles: numbers at a glance.
        sections: in this order.
        sql: the text of each query that a figure names.
        generator: what made it, with its version.
    """
    shown = {it.key: it.plot for section in sections for it in section.figures if it.plot}
    plotly = plots.bundle() if shown else ""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    named = {name for section in sections for it in section.figures for name in it.queries}
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        policy=_policy([script, plotly]),
        generator=escape(generator),
        title=escape(title),
        lead=escape(lead),
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        tiles="".join(map(_tile, tiles)),
        links="".join(f'<a href="#{it.key}">{escape(it.title)}</a>\n' for it in sections),
        sections="".join(part for it in sections for part in _section(it)),
        plots=_island(shown),
        sql=_island({name: sql[name] for name in sorted(named)}),
        plotly=_packed(plotly),
        script=script,
    )


def _policy(scripts: list[str]) -> str:
    """Nothing is fetched from anywhere, and no script runs but these."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(it).decode()}'" for it in digests)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _packed(text: str) -> str:
    """Text that the page inflates: a quarter of its size in base64."""
    return base64.b64encode(gzip.compress(text.encode(), _GZIP_LEVEL, mtime=0)).decode()


def _island(value: object) -> str:
    """JSON within HTML: no < of it can end the element that it stands in."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _tile(tile: Tile) -> str:
    return (
        f'<a class="tile" href="#{tile.section}"><span>{escape(tile.label)}</span>'
        f"<strong>{escape(tile.value)}</strong><span>{escape(tile.about)}</span></a>\n"
    )


def _section(section: Section) -> Iterator[str]:
    yield f'<section id="{section.key}">\n<h2>{escape(section.title)}</h2>\n'
    yield f"<p>{escape(section.says)}</p>\n"
    for figure in section.figures:
        yield from _figure(figure)
    yield "</section>\n"


def _figure(figure: Figure) -> Iterator[str]:
    yield f'<figure id="{figure.key}">\n<div class="whole">\n<h3>{escape(figure.title)}</h3>\n'
    yield f"<p>{escape(figure.says)}</p>\n"
    if figure.plot is not None:
        label = escape(f"Plot: {figure.title}. Its numbers stand in the table below.")
        height = figure.plot["layout"]["height"]
        yield from _legend(figure.plot)
        yield (
            f'<div class="plot" id="plot-{figure.key}" role="img" aria-label="{label}" '
            f'style="min-height:{height}px"></div>\n'
        )
    yield "</div>\n"
    if figure.notes:
        yield '<ul class="notes">'
        yield from (f"<li>{escape(note)}</li>" for note in figure.notes)
        yield "</ul>\n"
    if figure.table is not None:
        markup = tables.html(figure.table, figure.title)
        is_shown = figure.table.is_shown
        if is_shown is None:
            is_shown = figure.plot is None and len(figure.table.rows) <= _FEW_ROWS
        if is_shown:
            yield from markup
        else:
            yield from ("<details><summary>Numbers</summary>\n", *markup, "</details>\n")
    yield from _source(figure)
    yield "</figure>\n"


def _legend(plot: Mapping[str, Any]) -> Iterator[str]:
    """What the colours and symbols of a plot mean, where it has several."""
    if not plot["layout"].get("showlegend"):
        return
    yield '<ul class="legend">'
    for trace in plot["data"]:
        marker = trace["marker"]
        symbol = plots.GLYPHS[marker.get("symbol", "square")]
        yield (
            f'<li><span style="color:{marker["color"]}" aria-hidden="true">{symbol}</span>'
            f"{escape(trace['name'])}</li>"
        )
    yield "</ul>\n"


def _source(figure: Figure) -> Iterator[str]:
    """Where the numbers come from, to be copied."""
    yield '<p class="source"><span>From</span>'
    for name in figure.queries:
        yield (
            f'<span><code>{name}.sql</code> <button type="button" data-sql="{name}" '
            f'aria-label="Copy the text of {name}.sql">Copy SQL</button></span>'
        )
    command = escape(figure.command or f"tp-tools query {figure.queries[0]} TRACES")
    joint = "or run" if figure.queries else ""
    yield (
        f'<span>{joint} <code>{command}</code> <button type="button" data-command="{command}" '
        'aria-label="Copy the command">Copy</button></span></p>\n'
    )
