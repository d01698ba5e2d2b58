"""What a page is made of: sections, and in them figures with words, a plot and a table."""

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
        key: its id on the page.
        title: its heading.
        says: what it shows and how it is read, in plain words.
        queries: the queries of the library that its numbers come from.
        command: what gives the same numbers where no query does: "tp-tools info".
        plot: as plotly.js takes it; None where a table says all.
        table: the numbers behind it; None where there are none.
        notes: what is to be known before one believes it.
    """

    key: str
    title: str
    says: str
    queries: Sequence[str] = ()
    command: str = ""
    plot: Mapping[str, Any] | None = None
    table: Table | None = None
    notes: Sequence[str] = ()


@dataclass(frozen=True)
class Section:
    """A section.

    Attributes:
        key: its id on the page.
        title: its heading.
        says: what it is about; where there is nothing to show, why.
        figures: what it shows.
    """

    key: str
    title: str
    says: str
    figures: Sequence[Figure] = field(default_factory=tuple)


@dataclass(frozen=True)
class Tile:
    """A number at a glance.

    Attributes:
        label: what it is.
        value: as people read it.
        about: what is to be known with it.
        section: the section that says more.
    """

    label: str
    value: str
    about: str
    section: str
