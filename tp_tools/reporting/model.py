"""Define the content of a page: sections, each with figures of words, a plot and a table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msgspec import Struct, field

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from tp_tools.reporting.bars import Bars
    from tp_tools.reporting.strip_cells import Strip
    from tp_tools.reporting.tables import Table


class Figure(Struct, frozen=True):
    """A figure.

    Attributes:
        key: id of its HTML element.
        title: heading.
        text: how to read the figure; where there is nothing to show, why: "one rank".
        queries: names of the library's queries that its numbers come from.
        command: command that prints the numbers, if no query does: "tp-tools info TRACES".
        plot: figure in plotly.js's JSON; None for no plot.
        bars: chart of bars; None for none.
        table: the numbers; None for no table.
        notes: sentences on data that is left out or uncertain.
        panel: key of the section with details; empty for none.
        view: command that shows in the timeline what the text is about; empty for none.
        strip: the strip of the whole profile; None for none.
        is_words: whether the text is the content.
        lines: what stands below it, each with its head: ("Next", "Record again.").
    """

    key: str
    title: str
    text: str
    queries: Sequence[str] = ()
    command: str = ""
    plot: Mapping[str, Any] | None = None
    bars: Bars | None = None
    table: Table | None = None
    notes: Sequence[str] = ()
    panel: str = ""
    view: str = ""
    strip: Strip | None = None
    is_words: bool = False
    lines: Sequence[tuple[str, str]] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show, for the reason in `text`."""
        shows = (self.plot, self.bars, self.table, self.strip)
        return not self.is_words and all(it is None for it in shows)


class Section(Struct, frozen=True):
    """A section.

    Attributes:
        key: id of its HTML element.
        title: heading.
        text: introduction, or why there are no figures: "the trace marks no steps".
        figures: its figures.
        stays: whether it is shown without figures.
    """

    key: str
    title: str
    text: str
    figures: Sequence[Figure] = field(default_factory=tuple)
    stays: bool = False

    @property
    def shown(self) -> list[Figure]:
        """The figures that show something."""
        return [figure for figure in self.figures if not figure.is_empty]

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to show."""
        return not self.stays and not self.shown


class Tile(Struct, frozen=True):
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
