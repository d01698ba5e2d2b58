"""Render sections as one HTML page without references to other files."""

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
_MAX_OPEN_ROWS = 16
"""Rows up to which a table without a plot is open when the page is loaded."""


def page(
    title: str,
    lead: str,
    tiles: Iterable[Tile],
    sections: Sequence[Section],
    *,
    sql: Mapping[str, str],
    generator: str,
) -> str:
    """Render the page.

    Args:
        title: title.
        lead: first paragraph.
        tiles: key numbers.
        sections: sections, in the order of the page.
        sql: text of each query that a figure names, by name.
        generator: name and version of the program: "tp-tools 1.2.0".

    Returns:
        HTML; equal arguments give equal text.
    """
    figures = [figure for section in sections for figure in section.figures]
    plots_by_key = {figure.key: figure.plot for figure in figures if figure.plot}
    plotly = plots.plotly_js() if plots_by_key else ""
    script = (_HERE / "page.js").read_text(encoding="utf-8")
    queries = {name for figure in figures for name in figure.queries}
    return Template((_HERE / "page.html").read_text(encoding="utf-8")).substitute(
        policy=_security_policy([script, plotly]),
        generator=escape(generator),
        title=escape(title),
        lead=escape(lead),
        style=(_HERE / "page.css").read_text(encoding="utf-8"),
        tiles="".join(map(_tile, tiles)),
        links="".join(f'<a href="#{part.key}">{escape(part.title)}</a>\n' for part in sections),
        sections="".join(markup for part in sections for markup in _section(part)),
        plots=_script_json(plots_by_key),
        sql=_script_json({name: sql[name] for name in sorted(queries)}),
        plotly=_compress(plotly),
        script=script,
    )


def _security_policy(scripts: list[str]) -> str:
    """Make a Content-Security-Policy that allows these scripts and no request."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _compress(text: str) -> str:
    """Compress text for the page's script to inflate; in base64 it has a quarter of its size."""
    return base64.b64encode(gzip.compress(text.encode(), _GZIP_LEVEL, mtime=0)).decode()


def _script_json(value: object) -> str:
    """Write JSON for a script element, with every < escaped, so that it cannot end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")


def _tile(tile: Tile) -> str:
    return (
        f'<a class="tile" href="#{tile.section}"><span>{escape(tile.label)}</span>'
        f"<strong>{escape(tile.value)}</strong><span>{escape(tile.about)}</span></a>\n"
    )


def _section(section: Section) -> Iterator[str]:
    yield f'<section id="{section.key}">\n<h2>{escape(section.title)}</h2>\n'
    yield f"<p>{escape(section.text)}</p>\n"
    for figure in section.figures:
        yield from _figure(figure)
    yield "</section>\n"


def _figure(figure: Figure) -> Iterator[str]:
    yield f'<figure id="{figure.key}">\n<div class="whole">\n<h3>{escape(figure.title)}</h3>\n'
    yield f"<p>{escape(figure.text)}</p>\n"
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
        is_open = figure.table.is_open
        if is_open is None:
            is_open = figure.plot is None and len(figure.table.rows) <= _MAX_OPEN_ROWS
        if is_open:
            yield from markup
        else:
            yield from ("<details><summary>Numbers</summary>\n", *markup, "</details>\n")
    yield from _sources(figure)
    yield "</figure>\n"


def _legend(plot: Mapping[str, Any]) -> Iterator[str]:
    """Yield a legend as text if the plot has several colours."""
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


def _sources(figure: Figure) -> Iterator[str]:
    """Yield the queries and the command that give the numbers, with buttons to copy them."""
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
        'aria-label="Copy the command">Copy</button></span>'
    )
    if figure.panel:
        yield f'<a href="#{escape(figure.panel)}">Details below</a>'
    yield "</p>\n"
