"""Render sections as one HTML page without references to other files."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import TYPE_CHECKING

from tp_tools.reporting import plots, tables, templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from markupsafe import Markup

    from tp_tools.reporting.model import Figure, Section, Tile

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
    script = (templates.HERE / "page.js").read_text(encoding="utf-8")
    style = (templates.HERE / "page.css").read_text(encoding="utf-8")
    queries = {name for figure in figures for name in figure.queries}
    return (
        templates.environment()
        .get_template("page.html")
        .render(
            cells=tables.cells,
            is_open=_is_open,
            command_of=_command,
            policy=_security_policy([script, plotly]),
            generator=generator,
            title=title,
            lead=lead,
            style=_own(style),
            tiles=list(tiles),
            sections=sections,
            glyphs=plots.GLYPHS,
            plots=_script_json(plots_by_key),
            sql=_script_json({name: sql[name] for name in sorted(queries)}),
            plotly=_compress(plotly),
            script=_own(script),
        )
    )


def _is_open(figure: Figure) -> bool:
    """Tell whether the table of a figure is visible when the page is loaded."""
    if figure.table is None or figure.table.is_open is not None:
        return figure.table is not None and bool(figure.table.is_open)
    return figure.plot is None and len(figure.table.rows) <= _MAX_OPEN_ROWS


def _command(figure: Figure) -> str:
    """Return the command that prints the numbers of a figure."""
    return figure.command or f"tp-tools query {figure.queries[0]} TRACES"


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


def _script_json(value: object) -> Markup:
    """Write JSON for a script element, with every < escaped, so that it cannot end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return _own(text.replace("<", "\\u003c"))


def _own(text: str) -> Markup:
    """Mark text that holds nothing of a trace, or holds it escaped, as such."""
    from markupsafe import Markup  # noqa: PLC0415  comes with Jinja2, an extra

    return Markup(text)  # noqa: S704  see above
