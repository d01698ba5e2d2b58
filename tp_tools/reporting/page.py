"""Render sections as one HTML page without references to other files."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

from msgspec import Struct

from tp_tools.reporting import plots, tables, templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from markupsafe import Markup

    from tp_tools.reporting.commands import Commands
    from tp_tools.reporting.model import Figure, Section, Tile

_GZIP_LEVEL = 9

_SCRIPTS = ("held.js", "tables.js", "strip.js", "page.js")


class Head(Struct, frozen=True):
    """The top of a page.

    Attributes:
        title: title.
        lead: first paragraph.
        verdict: what made the traces slow, in one sentence.
        strip: figure of the whole profile; an empty one is left out.
        tiles: key numbers.
        generator: name and version of the program: "tp-tools 1.2.0".
    """

    title: str
    lead: str
    verdict: str
    strip: Figure
    tiles: Sequence[Tile]
    generator: str


def page(
    head: Head, sections: Sequence[Section], sql: Mapping[str, str], commands: Commands
) -> str:
    """Render the page.

    Args:
        head: its top.
        sections: sections, in the order of the page; those with nothing to show are only named.
        sql: text of each query that a figure names, by name.
        commands: writes commands with the names of the traces.

    Returns:
        HTML; equal arguments give equal text.

    Raises:
        UsageError: Jinja2 or plotly is not installed.
    """
    shown = [section for section in sections if not section.is_empty]
    scripts = [_file(name) for name in _SCRIPTS]
    figures = [head.strip, *(figure for section in shown for figure in section.shown)]
    held = _held([figure for figure in figures if not figure.is_empty], sql)
    return (
        templates.environment()
        .get_template("page.html")
        .render(
            head=head,
            sections=shown,
            keys={section.key for section in shown},
            left_out=list(_left_out(sections)),
            commands=commands,
            cells=tables.cells,
            is_open=_is_open,
            glyphs=plots.GLYPHS,
            style=own(_file("page.css")),
            scripts=list(map(own, scripts)),
            policy=_security_policy([*scripts, held["plotly"]]),
            held={**held, "plotly": _compress(held["plotly"].encode())},
        )
    )


def _held(figures: Sequence[Figure], sql: Mapping[str, str]) -> dict[str, str]:
    """Return what the scripts read: the text of plotly.js, plots and queries as JSON."""
    by_key = {figure.key: figure.plot for figure in figures if figure.plot}
    queries = sorted({name for figure in figures for name in figure.queries})
    strip = next((figure.strip for figure in figures if figure.strip is not None), None)
    return {
        "strip": _script_json(strip.as_object() if strip else None),
        "cells": _compress(strip.cells) if strip else "",
        "plotly": plots.plotly_js() if by_key else "",
        "plots": _script_json(by_key),
        "sql": _script_json({name: sql[name] for name in queries}),
    }


def _file(name: str) -> str:
    return (templates.HERE / name).read_text(encoding="utf-8")


def _left_out(sections: Iterable[Section]) -> Iterator[tuple[str, str]]:
    """Yield title and reason of each section and figure that has nothing to show."""
    for section in sections:
        if section.is_empty:
            yield section.title, section.text
        else:
            yield from ((it.title, it.text) for it in section.figures if it.is_empty)


def _is_open(figure: Figure) -> bool:
    """Tell whether the table of a figure is visible when the page is loaded."""
    has_chart = figure.plot is not None or figure.bars is not None
    return figure.table is not None and (figure.table.is_open or not has_chart)


def _security_policy(scripts: list[str]) -> Markup:
    """Make a Content-Security-Policy that allows these scripts and no request."""
    digests = (hashlib.sha256(script.encode()).digest() for script in scripts)
    hashes = " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
    return own(
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _compress(data: bytes) -> str:
    """Compress what the page's script inflates; text has a quarter of its size in base64."""
    return base64.b64encode(gzip.compress(data, _GZIP_LEVEL, mtime=0)).decode()


def _script_json(value: Any) -> Markup:  # noqa: ANN401  any JSON
    """Write JSON for a script element, with every < escaped, so that it cannot end the element."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return own(text.replace("<", "\\u003c"))


def own(text: str) -> Markup:
    """Mark HTML as safe: the caller states that it holds text of traces only escaped, or none."""
    from markupsafe import Markup  # noqa: PLC0415  comes with Jinja2, an extra

    return Markup(text)  # noqa: S704  see above
