"""Define the content of a page: sections, each with figures of words, a plot and a table."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tp_tools.reporting.tables import Table


@dataclass(frozen=True)
class Figure:
    """A figure.

    Attributes:
        key: id of its HTML element.
        title: heading.
        text: how to read the figure, or why there is none.
        queries: names of the library's queries that its numbers come from.
        command: command that prints the numbers, if no query does: "tp-tools info TRACE".
        plot: figure in plotly.js's JSON; None for no plot.
        table: the numbers; None for no table.
        notes: sentences on data that is left out or uncertain.
        panel: key of the section with details; empty for none.
    """

    key: str
    title: str
    text: str
    queries: Sequence[str] = ()
    command: str = ""
    plot: Mapping[str, Any] | None = None
    table: Table | None = None
    notes: Sequence[str] = ()
    panel: str = ""


@dataclass(frozen=True)
class Section:
    """A section.

    Attributes:
        key: id of its HTML element.
        title: heading.
        text: introduction, or why there are no figures.
        figures: its figures.
    """

    key: str
    title: str
    text: str
    figures: Sequence[Figure] = field(default_factory=tuple)


@dataclass(frozen=True)
class Tile:
    """A key number at the top of the page.

    Attributes:
        label: name of the number: "GPU busy".
        value: the number with its unit: "81.2 %".
        about: explanation: "of the time from first to last work".
        section: key of the section with details.
    """

    label: str
    value: str
    about: str
    section: str
