"""A report in a browser: its numbers as a reader finds them, and all that went wrong."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from fixtures import generate_ranks
from fixtures.make import HERE as FIXTURES
from tests.support.command_line import run
from tests.support.perfetto_ui import POLLING_MS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

ColorScheme: TypeAlias = Literal["light", "dark"]

DRAWN_MS = 120_000

_DRAWN = "document.documentElement.dataset.state === 'drawn'"
_ROWS = """
figure => [...document.querySelectorAll(`#${figure} tr[data-row]`)].map(row =>
    Object.fromEntries([...row.cells].map(cell =>
        [cell.dataset.column, cell.dataset.value ?? null])))
"""
_TRACES = """
figure => document.getElementById(`plot-${figure}`).data.map(it =>
    ({name: it.name, x: it.x, y: it.y, z: it.z, color: it.marker?.color}))
"""
_BARS = """
figure => {
    const bars = [...document.querySelectorAll(`#${figure} .bar`)];
    const parts = [...document.querySelectorAll(`#${figure} .part`)];
    const names = new Set(parts.map(it => it.dataset.part));
    return Object.fromEntries([...names].map(name => [name, bars.map(bar =>
        Number(bar.querySelector(`[data-part="${name}"]`)?.dataset.value ?? 0))]));
}
"""
_SHOWN = """
figure => [...document.querySelectorAll(`#${figure} .bar`)].map(bar =>
    [...bar.querySelectorAll('.part')]
        .map(it => it.getBoundingClientRect().width)
        .reduce((sum, width) => sum + width, 0))
"""
_COLORS = """
figure => [...document.querySelectorAll(`#${figure} .part`)].map(it =>
    getComputedStyle(it).backgroundColor)
"""
_RECOLORED = """
color => document.getElementById('plot-bandwidth').data[0].marker.color !== color
"""


class Report:
    """A report that a browser shows."""

    def __init__(self, page: Page, troubles: list[str]) -> None:
        self.page = page
        self.troubles = troubles

    def rows(self, figure: str) -> list[dict[str, str | None]]:
        """The exact values in the table of a figure, by column; None where they are unknown."""
        found: list[dict[str, str | None]] = self.page.evaluate(_ROWS, figure)
        return found

    def column(self, figure: str, name: str) -> list[str | None]:
        """The exact values of one column."""
        return [row[name] for row in self.rows(figure)]

    def ints(self, figure: str, name: str) -> list[int | None]:
        """The exact whole numbers of one column."""
        return [None if it is None else int(it) for it in self.column(figure, name)]

    def floats(self, figure: str, name: str) -> list[float | None]:
        """The exact numbers of one column."""
        return [None if it is None else float(it) for it in self.column(figure, name)]

    def drawn(self, figure: str) -> list[dict[str, Any]]:
        """Return the traces that plotly draws in a figure."""
        found: list[dict[str, Any]] = self.page.evaluate(_TRACES, figure)
        return found

    def names(self, figure: str) -> list[str]:
        """Return the names beside the bars, in their order."""
        return self.page.locator(f"#{figure} .bar-name").all_inner_texts()

    def numbers(self, figure: str) -> list[str]:
        """Return the numbers at the ends of the bars."""
        return self.page.locator(f"#{figure} .bar-number").all_inner_texts()

    def bars(self, figure: str) -> dict[str, list[float]]:
        """The lengths of bars in ns, by the name of their colour; 0 where nothing is drawn."""
        found: dict[str, list[float]] = self.page.evaluate(_BARS, figure)
        return found

    def bar_widths(self, figure: str) -> list[float]:
        """How long the bars are on the screen, in pixels."""
        found: list[float] = self.page.evaluate(_SHOWN, figure)
        return found

    def bar_colors(self, figure: str) -> list[str]:
        """The colours of all parts of bars."""
        found: list[str] = self.page.evaluate(_COLORS, figure)
        return found

    def plots(self) -> list[str]:
        """The figures that have a plot."""
        found: list[str] = self.page.evaluate(
            "() => [...document.querySelectorAll('.js-plotly-plot')].map(it => it.id.slice(5))"
        )
        return found

    def text(self, selector: str) -> str:
        """Return the visible text of an element."""
        return self.page.locator(selector).inner_text()

    def turn(self, scheme: ColorScheme) -> None:
        """Change the colour scheme of the browser, and wait until the plots are redrawn in it."""
        drawn = self.drawn("bandwidth")[0]["color"]
        self.page.emulate_media(color_scheme=scheme)
        self.page.wait_for_function(_RECOLORED, arg=drawn, timeout=DRAWN_MS)

    def width(self) -> int:
        """How wide the page is, in pixels: more than its window if it has to be scrolled."""
        found: int = self.page.evaluate("() => document.documentElement.scrollWidth")
        return found


@contextmanager
def shown(
    browser: Browser, path: Path, width: int = 1280, scheme: ColorScheme = "light"
) -> Iterator[Report]:
    """The report in a window of its own, once all is drawn."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    context.set_default_timeout(DRAWN_MS)
    page, troubles = context.new_page(), list[str]()
    page.on("console", lambda message: troubles.append(message.text))
    page.on("pageerror", lambda error: troubles.append(str(error)))
    page.on("dialog", lambda dialog: (troubles.append(dialog.message), dialog.dismiss()))
    page.on("request", lambda request: _note(troubles, request.url, path))
    page.goto(path.as_uri())
    # polled, since a selector is looked for at each frame, and so makes frames
    page.wait_for_function(_DRAWN, timeout=DRAWN_MS, polling=POLLING_MS)
    try:
        yield Report(page, troubles)
    finally:
        context.close()


def _note(troubles: list[str], address: str, path: Path) -> None:
    if not address.startswith("data:") and address != path.as_uri():
        troubles.append(f"asked for {address}")


def made(folder: Path, *traces: Path) -> Path:
    """The report of these traces, as the command writes it."""
    target = folder / "report.html"
    run("report", *traces, "-o", target, "--force", "--quiet")
    return target


def generated(folder: Path, ranks: int, steps: int, **more: object) -> list[Path]:
    """The ranks of a job with stragglers, on clocks that differ, and known collectives."""
    folder.mkdir(parents=True, exist_ok=True)
    step = generate_ranks.structure(FIXTURES / "pdl_decode.json.gz")
    wishes = {"straggling": 0.2, "latest": 300_000, "args": "comms_id", "seed": 3, **more}
    job = generate_ranks.generate(step, generate_ranks.Wishes(ranks=ranks, steps=steps, **wishes))
    return list(generate_ranks.written(job, folder))
